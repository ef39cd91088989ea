"""Read the rows of a table (csv, xlsx, parquet or json) as texts; the first row has the names of the columns."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from preprocessing.clips import parquet_files
from preprocessing.corpora._usual_names import usual_name
from xval.base.csv_text import unguard
from xval.base.errors import CorpusError, brief
from xval.base.operating_system import open_regular
from xval.base.size_limits import LARGEST_TABLE_BYTES, MOST_CLIPS, check_rows

if TYPE_CHECKING:
    import pyarrow
    from openpyxl.worksheet.worksheet import Worksheet

_NO_TEXT = {
    b"\xd0\xcf\x11\xe0": "an Excel file of the old format (.xls), which is not supported. Save it as .xlsx or csv",
    b"PK\x03\x04": "a zip archive, or a workbook with another ending. Unpack it, or save the table as .xlsx or csv",
    **dict.fromkeys(
        (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"(\xb5/\xfd"), "compressed. Unpack it (gunzip, 7-Zip), and give the file in it"
    ),
}
"""What a file that is no text is, and what to do, by its first bytes."""
_SAID_SEPARATOR = re.compile(r'"?sep=(.)"?[\r\n]*')
"""The first line of a csv file as Excel writes it."""

_PADDED = re.compile("00+")
"""A number format in a workbook by which Excel shows a number with leading zeros, such as 007."""

Row = tuple[int, list[str]]
_N_SHOWN = 3
_N_ABOVE = 10
"""Number of rows at the top of a table in which a title and the names of the columns may be."""
Quoting = Literal["auto", "minimal", "none"]
"""What a quote at the beginning of a cell in a csv file is: the start of a text that may contain line breaks (minimal), or a
character (none); auto: as minimal, but if a text would contain whole rows, its quotes are characters or an error."""


@dataclass(frozen=True)
class Wanted:
    """Which columns of a table are read, and how.

    Attributes:
        is_needed: Returns whether a column is needed; if it has lists, records or bytes, an error is raised.
        may_be_lists: Returns whether a needed column may have lists of names, which become texts such as ``["a", "b"]``.
        others: Whether other columns with single values are read, too; otherwise their cells are empty.
        quoting: What quotes in a csv file are; None: as auto, but never characters, because the user has no option for it.
        notes: List to which notes for the user are added.
    """

    is_needed: Callable[[str], bool]
    may_be_lists: Callable[[str], bool] = lambda _: False
    others: bool = True
    quoting: Quoting | None = None
    notes: list[str] = field(default_factory=list)

    def is_read(self, name: str) -> bool:
        """Return whether a column of this name is read, if its values can be."""
        return self.others or self.is_needed(name)


def read_rows(table: Path, wanted: Wanted) -> list[Row]:
    """Return the number and the cells of all rows that are not empty.

    Raises:
        CorpusError: The file cannot be read as a table; the error says why and what to do.
    """
    read = {".xlsx": _read_sheet, ".parquet": _read_parquet}.get(table.suffix.lower(), _read_text)
    rows: list[Row] = []
    is_read: list[bool] = []
    try:
        for number, cells in read(table, wanted):
            if not any(cell.strip() for cell in cells):
                continue
            if not all(is_read):
                cells = [cell if place >= len(is_read) or is_read[place] else "" for place, cell in enumerate(cells)]
            is_read = is_read or [wanted.is_read(cell.strip()) for cell in cells]
            rows.append((number, cells))
        check_rows(table, len(rows), MOST_CLIPS)
    except Exception as error:  # pandas and its readers raise errors without a common class for a damaged file
        raise _explain(table, error) from error
    return rows


def _explain(table: Path, error: Exception) -> CorpusError:
    """Return the error for a file that cannot be read as a table: what is wrong, and what to do."""
    if isinstance(error, CorpusError):
        return error
    if isinstance(error, OSError) and error.strerror:
        return CorpusError(f"{table} cannot be read: {error.strerror}. Give the path of a table.")
    if isinstance(error, UnicodeDecodeError):
        if kind := next((kind for begin, kind in _NO_TEXT.items() if error.object.startswith(begin)), ""):
            return CorpusError(f"{table} is {kind}.")
        line = error.object.count(b"\n", 0, error.start) + 1
        return CorpusError(f"{table}, line {line}: not text in UTF-8 (byte {error.start}). Save it as csv in UTF-8.")
    kind = {".xlsx": "an Excel file", ".parquet": "a parquet file"}.get(table.suffix.lower(), "a csv file")
    return CorpusError(f"{table} is not {kind}: {brief(error).rstrip('.')}. Write it again, or save it as csv in UTF-8.")


def _read_text(table: Path, wanted: Wanted) -> Iterator[Row]:
    with open_regular(table, LARGEST_TABLE_BYTES) as file:
        text = file.read().decode("utf-8-sig")
    if text.lstrip()[:1] in ("{", "["):
        yield from _read_json(table, text, wanted)
    else:
        yield from _read_csv(table, text, wanted)


class _OpenQuoteError(CorpusError):
    """A quote at the beginning of a cell in a csv file does not close at its end; ``line`` is the line in which it opens."""

    def __init__(self, table: Path, line: int, wrong: str, advice: str) -> None:
        self.line = line
        how_to_fix = 'Write quotes within a text twice ("") and put the text in quotes'
        super().__init__(f"{table}, line {line}: a quote that opens in this line {wrong}. {how_to_fix}{advice}.")


def _read_csv(table: Path, text: str, wanted: Wanted) -> list[Row]:
    """Return the rows of a csv file; if a quote would join rows to one cell, its lines as rows, if each has all cells."""
    first = io.StringIO(text, newline="").readline()
    if match := _SAID_SEPARATOR.fullmatch(first):
        text = "\n" + text.removeprefix(first)  # lines keep their numbers
    delimiter = match[1] if match else max(",;\t|", key=first.count)
    try:
        return list(_read_records(table, text, delimiter, wanted.quoting))
    except _OpenQuoteError as error:
        rows = _read_lines(text, delimiter, wanted) if wanted.quoting == "auto" else []
        if not rows:
            raise
        wanted.notes.append(
            f"{table.name}, line {error.line}: a quote is not closed in its cell, but each line has all cells. Such quotes "
            "are read as characters."
        )
        return rows


def _read_records(table: Path, text: str, delimiter: str, quoting: Quoting | None) -> Iterator[Row]:
    """Yield the rows of a csv file, each with the number of the line in which it begins."""
    lines: list[str] = []  # the lines of the row that is being read

    def keep() -> Iterator[str]:
        for line in io.StringIO(text, newline=""):
            lines.append(line)
            yield line

    style: Literal[0, 3] = csv.QUOTE_NONE if quoting == "none" else csv.QUOTE_MINIMAL
    reader, first, width = csv.reader(keep(), delimiter=delimiter, strict=True, quoting=style), 1, 0
    advice = "; if quotes are ordinary characters, give --quoting none" if quoting else ""
    try:
        for cells in reader:
            width = width or len(cells)
            # If each line has all cells, the quotes are characters of two texts. A comma before a blank is punctuation.
            are_rows = width > 1 and all(
                line.count(delimiter) - line.count(f"{delimiter} ") + 1 >= width for line in lines if line.strip()
            )
            if len(lines) > 1 and are_rows and quoting != "minimal":
                wrong = f"closes only in line {reader.line_num}, so the rows between would be one cell"
                advice += "; if the text has these line breaks, give --quoting minimal" if quoting else ""
                raise _OpenQuoteError(table, first, wrong, advice)
            yield first, [*map(unguard, cells)]
            first = reader.line_num + 1
            lines.clear()
    except csv.Error as error:
        if any(cell.startswith('"') for cell in lines[0].split(delimiter)):
            wrong = f"does not close at the end of its cell (read as far as line {reader.line_num}: {error})"
            raise _OpenQuoteError(table, first, wrong, advice) from error
        raise CorpusError(f"{table}, line {reader.line_num}: not a line of csv: {error}. Save it as csv in UTF-8.") from error


def _read_lines(text: str, delimiter: str, wanted: Wanted) -> list[Row]:
    """Return each line as a row, with quotes as characters if they do not close in their cells; empty: that is no table."""
    rows: list[Row] = []
    for number, line in enumerate(io.StringIO(text, newline=""), start=1):
        if not line.strip():
            continue
        width = len(rows[0][1]) if rows else line.count(delimiter) + 1
        try:
            (cells,) = csv.reader([line], delimiter=delimiter, strict=True)
        except csv.Error:
            cells = []
        if len(cells) != width:
            cells = line.rstrip("\r\n").split(delimiter)
            has_text = rows and not any(
                '"' in cell and wanted.is_needed(name) for name, cell in zip(rows[0][1], cells, strict=False)
            )
            if len(cells) != width or not has_text:
                return []
        rows.append((number, [*map(unguard, cells)]))
    return rows


def _read_json(table: Path, text: str, wanted: Wanted) -> Iterator[Row]:
    """Yield the names of all columns as row 0, and each record of a JSON list, or of JSON lines, with its line number."""
    records = _parse_json(table, text)
    for number, record in records:
        if not isinstance(record, _Record) or (len(records) == 1 and not any(map(_is_one, record.values()))):
            expected = '{"path": "a.wav", "item": "anna", "label": "happy"}'
            raise CorpusError(
                f"{table}, line {number}: JSON, but not a list of clips; expected a record for each, such as {expected}, one "
                'per line or in a list. pandas writes it with to_json(..., orient="records", lines=True).'
            )
        if record.repeated:
            raise CorpusError(f"{table}, line {number}: a record has the key '{record.repeated}' twice. Keep one of the two.")
        _add_segment(record)
    names = list(dict.fromkeys(name for _, record in records for name in record))
    yield 0, names
    for number, record in records:
        for name in filter(wanted.is_needed, names):
            value = record.get(name)
            if isinstance(value, list) and wanted.may_be_lists(name) and all(isinstance(label, str | int) for label in value):
                record[name] = _list_text(value)
            elif not _is_one(value):
                held = "a list" if isinstance(value, list) else "a record"
                raise CorpusError(f"{table}, line {number}: '{name}' holds {held}; expected a text, a number or texts.")
        cells = (record.get(name) for name in names)
        yield number, [_text(value) if _is_one(value) else "" for value in cells]


class _Record(dict[str, Any]):
    """A JSON object; `repeated` is a key that it has twice (empty: none)."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        names = [name.strip() for name, _ in pairs]
        self.repeated = next((name for name in names if names.count(name) > 1), "") if len(set(names)) < len(names) else ""


def _parse_json(table: Path, text: str) -> list[tuple[int, Any]]:
    """Return the records of a JSON list, or of JSON lines, with their line numbers."""
    try:
        whole = json.loads(text, object_pairs_hook=_Record)
    except json.JSONDecodeError as error:
        if text.lstrip()[0] == "[":
            raise CorpusError(f"{table}, line {error.lineno}: not JSON: {error.msg}. Write a list of records.") from error
    else:
        return list(enumerate(whole, start=2)) if isinstance(whole, list) else [(1, whole)]  # the first line has the [
    records = []
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            records += [(number, json.loads(line, object_pairs_hook=_Record))] if line.strip() else []
        except json.JSONDecodeError as error:
            raise CorpusError(f"{table}, line {number}: not JSON: {error}. Write one record per line.") from error
    return records


def _is_one(value: object) -> bool:
    return not isinstance(value, list | dict)


def _add_segment(record: dict[str, Any]) -> None:
    """Add start_s and end_s to a record with offset and duration (s), as in NeMo's manifests."""
    offset, duration = record.get("offset"), record.get("duration")
    begins = [name for name in record if usual_name(name) == "start_s"]  # with a start, the offset is an end
    is_of_nemo = "audio_filepath" in record or isinstance(duration, int | float)
    if is_of_nemo and isinstance(offset, int | float) and not begins:
        record["start_s"] = offset
        if isinstance(duration, int | float) and "end_s" not in record:
            record["end_s"] = round(offset + duration, 6)


def _read_sheet(table: Path, wanted: Wanted) -> Iterator[Row]:
    """Yield the rows of the first sheet of an Excel file, as long as its header; formulas have their saved values."""
    import pandas as pd

    # A workbook that is opened read-only has no information on merged cells and hidden rows.
    whole = {"read_only": False}
    with open_regular(table, LARGEST_TABLE_BYTES) as file, pd.ExcelFile(file, engine="openpyxl", engine_kwargs=whole) as excel:
        sheet, *others = excel.book.worksheets
        rows = pd.read_excel(excel, header=None, dtype=object, keep_default_na=False).to_numpy()
    widths = [max((place for place, value in enumerate(row, 1) if _text(value).strip()), default=0) for row in rows]
    width = next(filter(None, widths), 0)
    if width == 1:  # a title; the columns are below it
        width = max(widths[:_N_ABOVE])
    merged = [cells for cells in sheet.merged_cells.ranges if cells.min_row < cells.max_row <= len(rows)]
    merged = [cells for cells in merged if cells.min_col <= width]
    for cells in merged:
        rows[cells.min_row - 1 : cells.max_row, cells.min_col - 1] = rows[cells.min_row - 1, cells.min_col - 1]
    hidden = [number for number, wide in enumerate(widths, 1) if wide and number > 1 and sheet.row_dimensions[number].hidden]
    unread = [other.title for other in others if any(any(cell is not None for cell in row) for row in other.values)]
    name = f"{table.name}, sheet '{sheet.title}'"
    if unread:
        wanted.notes.append(
            f"{name}: only the first sheet is read; not read: {_shown(map(repr, unread))}. Join them into one sheet."
        )
    if merged:
        each = _shown(str(cells.coord) for cells in merged)
        wanted.notes.append(f"{name}: merged cells ({each}) give their value to each of their rows.")
    if hidden:
        wanted.notes.append(
            f"{name}: rows hidden by a filter are read too ({len(hidden)}: {_shown(map(str, hidden))}). Delete them if they "
            "are unwanted."
        )
    for number, row in enumerate(rows, start=1):
        yield number, [_sheet_text(value, sheet, number, place) for place, value in enumerate(row[:width], start=1)]


def _sheet_text(value: object, sheet: "Worksheet", row: int, column: int) -> str:
    """Return a cell of a sheet as in a csv file; a whole number that Excel shows with leading zeros, like an id, has them."""
    if isinstance(value, int) and not isinstance(value, bool):
        number_format = sheet.cell(row, column).number_format
        if _PADDED.fullmatch(number_format):
            return str(value).zfill(len(number_format))
    return _text(value)


def _shown(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:_N_SHOWN]) + ", ..." * (len(listed) > _N_SHOWN)


def _read_parquet(table: Path, wanted: Wanted) -> Iterator[Row]:
    """Yield the names of the columns of a parquet file as row 1, and then its rows."""
    schema = parquet_files.read_schema(table)
    for column in schema:
        is_allowed = _is_single(column.type) or (wanted.may_be_lists(column.name) and _holds_names(column.type))
        if wanted.is_needed(column.name) and not is_allowed:
            raise CorpusError(f"{table}: the column '{column.name}' holds {column.type}; expected texts, numbers or times.")
    names = [
        column.name
        for column in schema
        if wanted.is_read(column.name) and (_is_single(column.type) or wanted.is_needed(column.name))
    ]
    columns = parquet_files.read_table(table, columns=names, most_rows=MOST_CLIPS)
    texts = {
        name: [_text(value) for value in column.to_pylist()]
        for name, column in zip(columns.column_names, columns.columns, strict=True)
    }
    yield 1, list(schema.names)
    for place in range(columns.num_rows):
        yield place + 2, [texts[name][place] if name in texts else "" for name in schema.names]


def _holds_names(kind: "pyarrow.DataType") -> bool:
    """Return whether the cells of a column are lists of texts or of whole numbers."""
    from pyarrow import types

    if not (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)):
        return False
    held = kind.value_type.value_type if types.is_dictionary(kind.value_type) else kind.value_type
    return bool(types.is_string(held) or types.is_large_string(held) or types.is_integer(held))


def _list_text(names: Sequence[object]) -> str:
    return json.dumps([_text(name) for name in names if name is not None], ensure_ascii=False)


def _is_single(kind: "pyarrow.DataType") -> bool:
    """Return whether a column has texts, numbers, times or booleans, and no lists, records or bytes."""
    from pyarrow import types

    held = kind.value_type if types.is_dictionary(kind) else kind
    is_bytes = types.is_binary(held) or types.is_large_binary(held) or types.is_fixed_size_binary(held)
    return not types.is_nested(held) and not is_bytes and not types.is_binary_view(held)


def _text(value: object) -> str:
    """Return a cell as in a csv file: an empty text for a missing value."""
    if isinstance(value, list):
        return _list_text(value)
    return "" if value is None or value != value else str(value)  # only NaN differs from itself
