"""A csv file, or standard output, that rows of predictions are appended to as they come.

Comes in: tables. Goes out: their rows, each table written at once and flushed. A file that was begun before goes on, and one
process at a time appends to it.
"""

import csv
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from xval.base.csv_text import guard, guarded, unguard
from xval.base.errors import SettingsError
from xval.base.terminal import visible
from xval.results.lock import hold

if TYPE_CHECKING:
    import pandas as pd

_KEY = "path"  # the first column


class GrowingCsv:
    """Rows of predictions of files; a context, at whose end another process may append to the file.

    Args:
        path: A file, which need not exist yet; None: standard output.

    Attributes:
        answered: The names in the column ``path`` that the file had when it was opened.

    Raises:
        SettingsError: The file holds something else, or another process appends to it.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._columns: list[str] | None = None
        self.answered: set[str] = set()
        self._held = ExitStack()
        if path is None:
            return
        with ExitStack() as held:
            if held.enter_context(hold(path.with_name(f".{path.name}"))) is None:
                raise SettingsError(
                    f"--output {path}: another process appends its predictions to this file. End it, or name another file."
                )
            if path.exists():
                self._go_on(path)
            self._held = held.pop_all()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave the file to other processes."""
        self._held.close()

    def append(self, table: "pd.DataFrame") -> None:
        """Write the rows of a table, below a header if these are the first.

        Raises:
            SettingsError: The table has other columns than the file.
        """
        if table.empty:
            return
        self.check(table)
        is_first = self._columns is None
        self._columns = self._columns or _names(table)
        text = guarded(table).to_csv(index=False, header=is_first, lineterminator="\n")
        if self._path is None:
            sys.stdout.write(visible(text) if sys.stdout.isatty() else text)
            sys.stdout.flush()
        else:
            with self._path.open("ab") as file:  # closed at once, so that a process that is killed leaves whole rows
                file.write(text.encode(errors="surrogateescape"))

    def check(self, table: "pd.DataFrame") -> None:
        """Refuse a table with rows that could not be appended, since the file has other columns."""
        if self._columns and len(table) and _names(table) != self._columns:
            raise SettingsError(
                f"--output {self._path or 'csv'}: its columns are {', '.join(self._columns)}, but the rows have "
                f"{', '.join(_names(table))}, because of another model or other options. Give another file."
            )

    def _go_on(self, path: Path) -> None:
        """Read what a file has; of a row that ends within itself, as of a full disk, all rows of its clip are removed."""
        first_of_clip, last, place = 0, "", 0
        try:
            for cells, stop in _whole_rows(path):
                if self._columns is None:
                    self._columns = cells
                else:
                    if cells[0] != last:
                        first_of_clip, last = place, cells[0]
                    self.answered.add(unguard(cells[0]))
                place = stop
        except csv.Error:
            self._columns = None
        size = path.stat().st_size
        if size and (self._columns or [""])[0] != _KEY:
            raise SettingsError(f"--output {path}: not a file of predictions, whose first column is {_KEY}. Give another file.")
        if place < size:
            os.truncate(path, first_of_clip or place)
            self.answered.discard(unguard(last))


def _names(table: "pd.DataFrame") -> list[str]:
    return [guard(str(name)) for name in table.columns]


def _whole_rows(path: Path) -> Iterator[tuple[list[str], int]]:
    """Yield the cells of each row, and the place behind it in the file (bytes), up to a row that is cut off.

    A row may have several lines: the path of a file may hold line breaks, which stand between quotes.
    """
    row: list[bytes] = []
    place, n_quotes = 0, 0
    with path.open("rb") as file:
        for line in file:
            row.append(line)
            n_quotes += line.count(b'"')
            if n_quotes % 2 == 0 and line.endswith(b"\n"):
                place += sum(map(len, row))
                yield next(csv.reader([b"".join(row).decode(errors="surrogateescape")])) or [""], place
                row = []
