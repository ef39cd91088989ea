"""Write a file whole or not at all.

Comes in: a path and a function that writes one file. Goes out: the file in its place.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from xval.errors import CorpusError


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` make a file beside ``path``, then put it in its place: readers see the old or the new one, whole.

    Raises:
        CorpusError: The folder cannot be made or written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise CorpusError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            temporary.unlink()
