"""How large a table may be: what is asked of its size, its header or its footer before it is read.

Comes in: the path of a table from anywhere, or what its footer announces. Goes out: the open file; or an `IrregularFileError`
that says what the table has, what is allowed and what to do.

The bounds are generous to real corpora, the largest of which have some ten million clips, and small beside what a few megabytes
may expand to: a parquet file of 2 MB may have 200 million rows, an Excel file of 4 MB 1.5 GB of texts.
"""

import errno
import io
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from xval.base.operating_system import IrregularFileError, free_memory_bytes, open_regular

LARGEST_TABLE_BYTES = 1 << 30
"""Of a list of clips or of their events; of an Excel file also when it is unpacked."""
MOST_CLIPS = 20_000_000
"""Rows of a list of clips or of their events."""
MOST_ROWS = 100_000_000
"""Of any other table: examples, frames."""
MOST_COLUMNS = 16_384
"""Of a table of text, as of a sheet of Excel; a row of one is not longer."""
MOST_CELLS = 200_000_000
"""Of a table of text, empty ones included."""
LONGEST_LINE_BYTES = 4 << 20
LONGEST_CELL = 131_072
"""Characters, as Python's csv reader has it."""
MOST_CHARACTERS = 2 << 30
"""Of all cells of a table of text: a text that many rows share counts in each, as it is written out for each later on."""
LARGEST_RATIO = 100
"""Of the unpacked size of an Excel file to its own: sheets reach about 20, sheets of one repeated row 60, zip bombs 1032."""
BYTES_PER_CELL = 64
"""What Python takes for a short text and its place in a row."""
LARGEST_UNASKED_BYTES = 256 << 20
"""What is taken without a look at the free memory."""

_BYTES_PER_CHARACTER = 3  # 11 GB were taken for 3.9 billion characters of a text that many rows share
_GB = 10**9


def refuse(path: Path, reason: str) -> None:
    """Raise an `IrregularFileError` that says what is wrong with the size of a table."""
    raise IrregularFileError(errno.EFBIG, reason, str(path))


def refuse_large(path: Path, *, n_rows: int = 0, n_bytes: int = 0, most_rows: int = MOST_ROWS) -> None:
    """Refuse a table that has too many rows, or whose content of ``n_bytes`` needs more memory than is free."""
    if n_rows > most_rows:
        refuse(path, f"it has {n_rows} rows, at most {most_rows} are read; split it, or write it again if it should be smaller")
    if n_bytes > LARGEST_UNASKED_BYTES and n_bytes > (free := free_memory_bytes()):
        refuse(
            path,
            f"it takes about {n_bytes / _GB:.1f} GB of memory, and {free / _GB:.1f} GB are free; leave out rows or columns "
            "that are not needed, or use a larger machine",
        )


@dataclass
class Content:
    """What was read of a table, counted row by row, whatever its file announces.

    Attributes:
        n_cells: Cells so far, empty ones included.
        n_characters: Characters so far.
    """

    path: Path
    n_cells: int = 0
    n_characters: int = 0
    _n_asked_bytes: int = 0

    def add_cells(self, n_cells: int) -> None:
        """Count the cells of a row, and refuse the table when they are too many."""
        self.n_cells += n_cells
        if self.n_cells > MOST_CELLS:
            refuse(
                self.path,
                f"it has more than {MOST_CELLS} cells, empty ones included; delete empty rows and columns, split it, "
                "or leave out columns that are not needed",
            )

    def add_characters(self, n_characters: int) -> None:
        """Count the characters of a row, and refuse the table when they are too many, or more than the free memory takes."""
        self.n_characters += n_characters
        if self.n_characters > MOST_CHARACTERS:
            reason = f"it has more than {MOST_CHARACTERS} characters; shorten its texts, split it, or leave out columns"
            refuse(self.path, reason)
        n_bytes = self.n_characters * _BYTES_PER_CHARACTER
        if n_bytes > self._n_asked_bytes + LARGEST_UNASKED_BYTES:  # to ask takes longer than to read a row
            refuse_large(self.path, n_bytes=n_bytes)
            self._n_asked_bytes = n_bytes


def open_table(path: Path, most_rows: int = MOST_ROWS) -> BufferedReader:
    """Open a csv file, or another text of lines, whose size, lines (``most_rows``) and columns are bounded."""
    file = open_regular(path, LARGEST_TABLE_BYTES)
    try:
        _check_lines(file, path, most_rows)
    except BaseException:
        file.close()
        raise
    return file


def _check_lines(file: BinaryIO, path: Path, most_rows: int) -> None:
    """Look through a text without holding more than a piece of it, and go back to its beginning."""
    n_rows = n_columns = n_bytes = 0
    while piece := file.read(LONGEST_LINE_BYTES):
        n_of_piece = max(piece.count(b"\n"), piece.count(b"\r"))
        if not n_of_piece and len(piece) == LONGEST_LINE_BYTES:
            refuse(path, f"a line of it is longer than {LONGEST_LINE_BYTES} bytes; a table has a line for each row")
        if not n_bytes:
            header = io.BytesIO(piece).readline()
            n_columns = 1 + max(header.count(separator) for separator in (b",", b";", b"\t"))
        n_rows, n_bytes = n_rows + n_of_piece, n_bytes + len(piece)
    if n_columns > MOST_COLUMNS:
        reason = f"its first line has {n_columns} columns, at most {MOST_COLUMNS} are read; a table has a line for each row"
        refuse(path, reason)
    n_cells = n_rows * n_columns
    if n_cells > MOST_CELLS:
        refuse(path, f"it has {n_rows} rows of {n_columns} columns, at most {MOST_CELLS} cells are read; split it")
    refuse_large(path, n_rows=n_rows, n_bytes=n_bytes + n_cells * BYTES_PER_CELL, most_rows=most_rows)
    file.seek(0)
