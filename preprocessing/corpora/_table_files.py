"""The rows of a csv, xlsx or parquet file from anywhere, one after the other, within the bounds of `xval.base.table_bounds`.

Comes in: a path, and which columns are wanted. Goes out: number and cells of each row as texts, the names of the columns first;
or an error that names the file and what is wrong with it, whatever a flipped byte makes of it.
"""

import csv
import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from preprocessing.clips import parquet_files
from xval.base.csv_text import unguard
from xval.base.errors import CorpusError, brief
from xval.base.operating_system import open_regular
from xval.base.table_bounds import (
    BYTES_PER_CELL,
    LARGEST_RATIO,
    LARGEST_TABLE_BYTES,
    LONGEST_CELL,
    MOST_CLIPS,
    MOST_COLUMNS,
    Content,
    open_table,
    refuse,
    refuse_large,
)

if TYPE_CHECKING:
    import pyarrow

Row = tuple[int, list[str]]

_UNCHECKED_BYTES = 16 << 20  # an Excel file up to this size may unpack by any ratio
_BYTES_PER_XML_BYTE = 20  # of <row/><row/>..., which is the worst; of a sheet of numbers 4
_MOST_SHEET_ROWS = 1 << 20


@dataclass(frozen=True)
class Wanted:
    """The columns that are wanted of a table.

    Attributes:
        is_needed: Whether a column is; if it holds lists, records or bytes, the table is refused.
        others: Whether other columns are read, too, as far as they hold single values.
    """

    is_needed: Callable[[str], bool]
    others: bool = True

    def is_read(self, name: str) -> bool:
        """Return whether a column is read, as far as its name says it."""
        return self.others or self.is_needed(name)


def read_rows(table: Path, wanted: Wanted) -> Iterator[Row]:
    """Yield the rows of a table that are not empty, from its header on; cells of columns that are not read are empty.

    Raises:
        OSError: The file cannot be read, or is too large.
        CorpusError: It is no such file.
    """
    read = {".xlsx": _read_sheet, ".parquet": _read_parquet}.get(table.suffix.lower(), _read_csv)
    is_read: list[bool] = []
    content = Content(table)
    for number, cells in read(table, wanted):
        content.add_cells(len(cells))
        if not any(cell.strip() for cell in cells):
            continue
        if (longest := max(map(len, cells))) > LONGEST_CELL:
            refuse(table, f"line {number} has a cell of {longest} characters, at most {LONGEST_CELL} are read; shorten it")
        if is_read and not all(is_read):
            cells = [cell if place >= len(is_read) or is_read[place] else "" for place, cell in enumerate(cells)]
        content.add_characters(sum(map(len, cells)))
        is_read = is_read or [wanted.is_read(cell.strip()) for cell in cells]
        yield number, cells


def _read_csv(table: Path, _: Wanted) -> Iterator[Row]:
    """Yield the rows of a csv file, by the numbers of their lines."""
    try:
        with open_table(table, MOST_CLIPS) as file, io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
            header = text.readline()
            text.seek(0)
            reader = csv.reader(text, delimiter=max(",;\t", key=header.count), strict=True)
            for cells in reader:
                yield reader.line_num, [*map(unguard, cells)]
    except UnicodeDecodeError as error:
        raise CorpusError(f"{table} is not text in UTF-8 (byte {error.start}); save it as csv in UTF-8.") from error
    except csv.Error as error:
        raise CorpusError(f"{table} is not a csv file: {error}. Save it as csv in UTF-8.") from error


def _read_sheet(table: Path, _: Wanted) -> Iterator[Row]:
    """Yield the rows of the first sheet of an Excel file, as long as its header; of formulas the values saved with them."""
    import openpyxl

    try:
        with open_regular(table, LARGEST_TABLE_BYTES) as file:
            _refuse_bomb(table, file)
            sheet = openpyxl.load_workbook(file, read_only=True, data_only=True).worksheets[0]
            sheet.reset_dimensions()  # a file may announce a million columns
            width = number = 0
            for number, row in enumerate(sheet.iter_rows(max_row=_MOST_SHEET_ROWS, max_col=MOST_COLUMNS, values_only=True), 1):
                header = _cells(row)
                width = max((place for place, cell in enumerate(header, 1) if cell.strip()), default=0)
                yield number, header[:width] if width else header
                if width:
                    break
            rows = (
                sheet.iter_rows(min_row=number + 1, max_row=_MOST_SHEET_ROWS, max_col=width, values_only=True) if width else ()
            )
            for below, row in enumerate(rows, number + 1):
                yield below, _cells(row)
    except OSError:
        raise
    except Exception as error:  # whatever a damaged file makes of zipfile, zlib, expat or openpyxl
        raise CorpusError(
            f"{table} is not an Excel file: {brief(error).rstrip('.')}. Save it again as .xlsx, or as csv in UTF-8."
        ) from error


def _cells(row: Sequence[object]) -> list[str]:
    """Return the cells of a row of a sheet; most rows of a damaged or forged one are empty, and cost little."""
    return [""] * len(row) if row.count(None) == len(row) else [_cell(value) for value in row]


def _refuse_bomb(table: Path, file: BinaryIO) -> None:
    """Refuse an Excel file that unpacks to more than a sheet can have, by the directory of its archive."""
    with zipfile.ZipFile(file) as archive:
        n_bytes = sum(member.file_size for member in archive.infolist())
    packed = file.seek(0, io.SEEK_END)
    file.seek(0)
    if n_bytes > LARGEST_TABLE_BYTES or n_bytes > max(_UNCHECKED_BYTES, LARGEST_RATIO * packed):
        most = min(LARGEST_TABLE_BYTES, max(_UNCHECKED_BYTES, LARGEST_RATIO * packed))
        refuse(table, f"its {packed} bytes unpack to {n_bytes}, at most {most} are read; save it as csv in UTF-8")
    refuse_large(table, n_bytes=n_bytes * _BYTES_PER_XML_BYTE)


def _read_parquet(table: Path, wanted: Wanted) -> Iterator[Row]:
    """Yield the names of the columns as row 1, and the rows of a parquet file behind it."""
    try:
        schema = parquet_files.read_schema(table)
        for field in schema:
            if wanted.is_needed(field.name) and not _is_single(field.type):
                raise CorpusError(f"{table}: the column '{field.name}' holds {field.type}; expected texts, numbers or times.")
        names = [field.name for field in schema if wanted.is_read(field.name) and _is_single(field.type)]
        columns = parquet_files.read_table(table, columns=names, most_rows=MOST_CLIPS)
        refuse_large(table, n_bytes=columns.nbytes + columns.num_rows * len(schema) * BYTES_PER_CELL)
        texts = {name: _texts(column) for name, column in zip(columns.column_names, columns.columns, strict=True)}
    except (ValueError, KeyError, TypeError, NotImplementedError, ArithmeticError) as error:
        raise CorpusError(
            f"{table} is not a parquet file: {brief(error).rstrip('.')}. Write it again, or save it as csv in UTF-8."
        ) from error
    yield 1, list(schema.names)
    for place in range(columns.num_rows):
        yield place + 2, [texts[name][place] if name in texts else "" for name in schema.names]


def _is_single(kind: "pyarrow.DataType") -> bool:
    """Return whether a column holds texts, numbers, times or truths, and no lists, records or bytes."""
    from pyarrow import types

    held = kind.value_type if types.is_dictionary(kind) else kind
    is_bytes = types.is_binary(held) or types.is_large_binary(held) or types.is_fixed_size_binary(held)
    return not types.is_nested(held) and not is_bytes and not types.is_binary_view(held)


def _texts(column: "pyarrow.ChunkedArray | pyarrow.Array") -> list[str]:
    """Return the cells of a column; of times that no calendar has, the numbers that the file has for them.

    What a column with a dictionary holds once is one text for all of its rows.
    """
    from pyarrow import types

    if types.is_dictionary(column.type):
        return [text for chunk in column.chunks for text in _shared_texts(chunk)]
    try:
        return [_cell(value) for value in column.to_pylist()]
    except (OverflowError, ValueError):
        if not types.is_temporal(column.type):
            raise
        return [_cell(value) for value in column.cast("int32" if column.type.bit_width == 32 else "int64").to_pylist()]


def _shared_texts(chunk: "pyarrow.DictionaryArray") -> list[str]:
    """Return the cells of a part of a column that holds each value once."""
    texts = _texts(chunk.dictionary)
    return ["" if place is None else texts[place] for place in chunk.indices.to_pylist()]


def _cell(value: object) -> str:
    """Return a cell as a csv file has it: nothing for a missing value."""
    return "" if value is None or value != value else str(value)  # NaN alone differs from itself
