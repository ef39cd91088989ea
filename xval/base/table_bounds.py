"""How large a table may be, asked in one place: the bytes of its file, its rows, and the memory that a parquet file takes.

The bounds are generous to real corpora, the largest of which have some ten million clips.
"""

import errno
from io import BufferedReader
from pathlib import Path

from xval.base.operating_system import IrregularFileError, free_memory_bytes, open_regular

LARGEST_TABLE_BYTES = 1 << 30
"""Of a list of clips or of their events, and of any other table of text."""
MOST_CLIPS = 20_000_000
"""Rows of a list of clips or of their events."""
MOST_ROWS = 100_000_000
"""Of any other table: examples, frames."""

_LARGEST_UNASKED_BYTES = 256 << 20  # what is taken without a look at the free memory
_GB = 10**9


def refuse_large(path: Path, *, n_rows: int = 0, n_bytes: int = 0, most_rows: int = MOST_ROWS) -> None:
    """Refuse a table that has too many rows, or whose content of ``n_bytes`` needs more memory than is free."""
    reason = ""
    if n_rows > most_rows:
        reason = f"it has {n_rows} rows, but at most {most_rows} are read. Split it, or write it again if it should be smaller"
    elif n_bytes > _LARGEST_UNASKED_BYTES and n_bytes > (free := free_memory_bytes()):
        reason = (
            f"it takes about {n_bytes / _GB:.1f} GB of memory, and {free / _GB:.1f} GB are free. Remove rows or columns that "
            "are not needed, or use a larger machine"
        )
    if reason:
        raise IrregularFileError(errno.EFBIG, reason, str(path))


def open_table(path: Path) -> BufferedReader:
    """Open a table of text, such as a csv file, whose size is bounded."""
    return open_regular(path, LARGEST_TABLE_BYTES)
