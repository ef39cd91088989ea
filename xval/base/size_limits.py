"""How large a file may be that somebody else may have made: the limits of such files, and the checks that use them.

Size is bounded simply: the bytes of a file when it is opened (`xval.base.operating_system.open_regular`), the rows of a table
once it is read, and what an archive unpacks to. The limits are far above real datasets, the largest of which have some ten
million clips.
"""

import errno
from pathlib import Path

LARGEST_TEXT_BYTES = 256 << 20
"""Of a description, such as json, yaml or a note. Python needs ten times the size of json; metrics.json of 1000 folds over 1000
items takes about 30 MB."""
LARGEST_TABLE_BYTES = 1 << 30
"""Of a table in csv, Excel or json."""
LARGEST_MODEL_BYTES = 8 << 30
"""Of the weights of a saved model: 2 x 10^9 of float32; networks for audio have 10^4 to 10^8."""
LARGEST_STATE_BYTES = 16 << 20
"""Of the description in a checkpoint, which says how far training was."""
LARGEST_COPIED_BYTES = 100_000_000
"""Of a data file next to the user's code, to be copied with it."""
MOST_CLIPS = 20_000_000
"""Rows of a list of clips or of their events."""
MOST_ROWS = 100_000_000
"""Of any other table: examples, frames."""
MOST_SAMPLES = 1_000_000_000
"""Of one clip, or values of one example: 17 hours at 16 kHz, 4 GB of float32."""

_UNCHECKED_BYTES = 1 << 30
_LARGEST_RATIO = 100
"""Of what an archive holds to its own size: models and audio reach 2, tables and json 10, bombs 1000."""


class IrregularFileError(OSError):
    """A pipe, a device or a folder is where a file is expected, or a file is larger than such a file may be."""


def check_rows(path: Path, n_rows: int, most_rows: int = MOST_ROWS) -> None:
    """Raise an `IrregularFileError` if a table has too many rows."""
    if n_rows > most_rows:
        reason = f"it has {n_rows} rows, but at most {most_rows} are read. Split it, or write it again if it should be smaller"
        raise IrregularFileError(errno.EFBIG, reason, str(path))


def check_unpacked(path: Path, n_bytes: int, n_packed_bytes: int) -> None:
    """Raise an `IrregularFileError` if an archive unpacks to far more bytes than it has."""
    if n_bytes > max(_UNCHECKED_BYTES, _LARGEST_RATIO * n_packed_bytes):
        reason = (
            f"it has {n_packed_bytes / 1e6:.1f} MB but unpacks to {n_bytes / 1e9:.1f} GB; at most {_LARGEST_RATIO} times its "
            "size is allowed, because more may be a zip bomb"
        )
        raise IrregularFileError(errno.EFBIG, reason, str(path))
