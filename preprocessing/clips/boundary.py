"""Check that a downloaded dataset names only files inside its folders, after links are resolved.

A user's own table may name any file, so it is not checked.
"""

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from xval.base.errors import CorpusError


class Boundary:
    """The folders of a corpus, outside of which it may name no file."""

    def __init__(self, *folders: Path) -> None:
        """Store the folders; relative names start at the first."""
        self._folders = tuple(os.path.realpath(folder) for folder in folders)
        self._places: dict[str, str] = {}

    def find(self, name: str) -> Path | None:
        """Return the path of a file that the corpus names, whether or not it exists; None: it is outside of the folders.

        A program that opens the name may read a backslash as a character or as '/', and may follow links before or after it
        removes '..'. A name has to stay inside in all of these readings.
        """
        if "\0" in name:  # no file has such a name
            return None
        literal = os.path.join(self._folders[0], name)  # noqa: PTH118 - Path drops './'
        posix = os.path.join(self._folders[0], name.replace("\\", "/"))  # noqa: PTH118
        places = [self._resolve(path) for path in dict.fromkeys((os.path.normpath(posix), posix, literal))]
        return Path(places[0]) if all(map(self._is_inside, places)) else None

    def _is_inside(self, real: str) -> bool:
        return any(real.startswith(os.path.join(folder, "")) for folder in self._folders)  # noqa: PTH118

    def _resolve(self, path: str) -> str:
        """Return a path without links; each folder is resolved only once, because a corpus has many files in few folders."""
        above, name = os.path.split(path)
        if name in ("", ".", ".."):
            return os.path.realpath(path)
        if above not in self._places:
            self._places[above] = os.path.realpath(above)
        file = os.path.join(self._places[above], name)  # noqa: PTH118
        return os.path.realpath(file) if os.path.islink(file) else file  # noqa: PTH114


def refuse_links(folder: Path, names: Iterable[str]) -> None:
    """Raise CorpusError if files are behind a link to another folder, where they would be replaced or removed."""
    boundary = Boundary(folder)
    for parent in dict.fromkeys(PurePosixPath(name).parent.as_posix() for name in names):
        if parent != "." and boundary.find(parent) is None:
            raise CorpusError(
                f"{folder / parent} is outside {folder} once links are followed. Move it away, or choose another folder."
            )
