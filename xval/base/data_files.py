"""Files that code of the user's own reads by a name which stands in it as a text."""

from collections.abc import Iterable
from pathlib import Path

_LONGEST = 255


def find_file(text: str, folders: Iterable[Path]) -> Path | None:
    """Return the file that a text names from a folder on, the first one that there is; None: it names none."""
    if not text.strip() or len(text) > _LONGEST or not text.isprintable():
        return None
    for folder in folders:
        try:
            if (path := folder / text).is_file():
                return path
        except OSError:  # too long for the system
            return None
    return None
