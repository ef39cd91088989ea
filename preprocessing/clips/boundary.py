"""Check that a dataset from elsewhere names only files inside its folders, after links are resolved.

A user's own table may name any file, so it is not checked here.
"""

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from xval.base.errors import CorpusError


class Boundary:
    """The folders of a corpus, which its names must not leave."""

    def __init__(self, *folders: Path) -> None:
        """Note the folders; relative names start at the first."""
        self._folders = tuple(os.path.realpath(folder) for folder in folders)
        self._places: dict[str, str] = {}

    def find(self, name: str) -> Path | None:
        """Return where a file is that the corpus names, whether or not it is there; None: outside of the folders.

        Whoever opens the name may take a backslash for a part of it or for '/', and may follow links before or after '..' is
        taken away. A name must stay inside in all of these readings.
        """
        if "\0" in name:  # which no file has
            return None
        literal = os.path.join(self._folders[0], name)  # noqa: PTH118 - Path drops './'
        posix = os.path.join(self._folders[0], name.replace("\\", "/"))  # noqa: PTH118
        places = [self._resolve(path) for path in dict.fromkeys((os.path.normpath(posix), posix, literal))]
        return Path(places[0]) if all(map(self._is_inside, places)) else None

    def _is_inside(self, real: str) -> bool:
        return any(real.startswith(os.path.join(folder, "")) for folder in self._folders)  # noqa: PTH118

    def _resolve(self, path: str) -> str:
        """Return a path without links; each folder is asked once, for a corpus has many files in few."""
        above, name = os.path.split(path)
        if name in ("", ".", ".."):
            return os.path.realpath(path)
        if above not in self._places:
            self._places[above] = os.path.realpath(above)
        file = os.path.join(self._places[above], name)  # noqa: PTH118
        return os.path.realpath(file) if os.path.islink(file) else file  # noqa: PTH114


def refuse_links(folder: Path, names: Iterable[str]) -> None:
    """Refuse files that are behind a link to another folder, where they would be replaced or removed."""
    boundary = Boundary(folder)
    for parent in dict.fromkeys(PurePosixPath(name).parent.as_posix() for name in names):
        if parent != "." and boundary.find(parent) is None:
            raise CorpusError(
                f"{folder / parent} is outside {folder} once links are followed. Move it away, or choose another folder."
            )
