"""Print a DataFrame, or write it to a .csv, .json, .xlsx or .parquet file, by the options ``--output`` and ``--format``.

A file is written completely or not at all.
"""

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from preprocessing.clips import parquet_files
from preprocessing.file_replacement import replace_file
from xval.base.csv_text import guarded
from xval.base.errors import SettingsError, counted
from xval.base.terminal import visible

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

_ENDINGS = (".csv", ".json", ".xlsx", ".parquet")
_WIDEST = 10_000
_WIDEST_COLUMN = 60


class Output(NamedTuple):
    """Where a table goes: the options ``--format`` and ``--output``.

    Attributes:
        format: How it is printed: table, csv or json.
        path: The file that it is written to, whose ending says how; None: none.
    """

    format: str = "table"
    path: Path | None = None

    @property
    def is_printed(self) -> bool:
        """Whether standard output has the table as csv or json, and nothing else."""
        return self.format != "table"


def read_output(path: Path | None, form: str = "table", others: Sequence[str] = ()) -> Output:
    """Return where a table goes; a file with an ending that is none of a table, nor of `others`, is refused."""
    if path is not None:
        endings = [*_ENDINGS, *others]
        if path.suffix.lower() not in endings:
            printed = f" To print it: --format {path}." if str(path) in ("csv", "json") else ""
            raise SettingsError(f"--output {path}: expected a file whose name ends in {', '.join(endings)}.{printed}")
        if not path.absolute().parent.is_dir():
            raise SettingsError(f"--output {path}: there is no folder {path.parent}.")
    return Output(form, path)


def print_table(table: "pd.DataFrame", console: "Console", nothing: str) -> None:
    """Print a table, or `nothing` if it has no rows. Lines are folded only on a terminal."""
    from rich import box
    from rich.table import Table

    from preprocessing.visible_console import VisibleConsole

    if table.empty:
        console.print(nothing)
        return
    shown = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in table.columns:
        shown.add_column(str(name), overflow="fold", justify="right" if table[name].dtype.kind == "f" else "left")
    for row in table.itertuples(index=False):
        shown.add_row(*(_shown(name, value) for name, value in zip(table.columns, row, strict=True)))
    if not console.is_terminal:
        needed = console.measure(shown, options=console.options.update(max_width=_WIDEST)).maximum
        console = VisibleConsole(file=console.file, width=needed)
    console.print(shown, soft_wrap=False)


def write_table(table: "pd.DataFrame", output: Output, console: "Console", document: object = None) -> None:
    """Write a table to its file, and print it as csv or json, where the output says so.

    Args:
        table: A row for each.
        output: Where to.
        console: Is told of the file.
        document: What JSON has in place of the rows.
    """
    if output.is_printed:
        text = _text(table, output.format, document)
        sys.stdout.write(visible(text) if sys.stdout.isatty() else text)
    path = output.path
    if path is None:
        return
    kind = path.suffix[1:].lower()
    if kind == "xlsx":
        replace_file(path, lambda temporary: _write_sheet(table, temporary))
    elif kind == "parquet":
        replace_file(path, lambda temporary: parquet_files.write_table(temporary, table))
    else:
        replace_file(path, lambda temporary: temporary.write_text(_text(table, kind, document), encoding="utf-8"))
    if not output.is_printed:
        console.print(f"{len(table)} row{'s' * (len(table) != 1)}: {path}")


def _text(table: "pd.DataFrame", kind: str, document: object) -> str:
    if kind == "json" and document is not None:
        return f"{json.dumps(document, indent=1, allow_nan=False)}\n"
    if kind == "json":
        return f"{table.to_json(orient='records', indent=1, force_ascii=False, double_precision=10)}\n"
    return guarded(_with_text(table)).to_csv(index=False, lineterminator="\n")


def _with_text(table: "pd.DataFrame") -> "pd.DataFrame":
    """Return a table for a spreadsheet: cells with several values have them as text, ``a; b``."""
    names = [name for name in table.columns if table[name].map(lambda cell: isinstance(cell, list | tuple)).any()]
    texts = {
        name: ["; ".join(map(str, cell)) if isinstance(cell, list | tuple) else cell for cell in table[name]] for name in names
    }
    return table.assign(**texts)


def _shown(name: object, value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    if math.isnan(value):
        return "-"
    if str(name).endswith("_s"):
        return f"{value:z.2f}"
    return f"{value:z.3f}" if str(name).startswith("probability") else f"{value:z.4g}"


def _write_sheet(table: "pd.DataFrame", path: Path) -> None:
    """Write one sheet; no text becomes a formula."""
    from xval.report.workbook.cells import DARK
    from xval.report.workbook.sheet import Book

    most_rows = 2**20 - 1
    if len(table) > most_rows:
        raise SettingsError(f"{counted(len(table), 'row')} are more than a sheet can have ({most_rows}). Write csv instead.")
    book = Book()
    sheet = book.add("Sheet")
    table = _with_text(table)
    for column, name in enumerate(table.columns, start=1):
        sheet.put(1, column, str(name), "", DARK)
        values = table[name].tolist()
        for row, value in enumerate(values, start=2):
            sheet.put(row, column, value, "0.000" if isinstance(value, float) else "")
        texts = [str(name), *(value for value in values if isinstance(value, str))]
        sheet.set_width(column, min(_WIDEST_COLUMN, 3 + max(map(len, texts))))
    sheet.made.freeze_panes("A2")
    sheet.add_filter(1, len(table) + 1, len(table.columns))
    book.save(path)
