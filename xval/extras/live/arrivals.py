"""Audio files that come into a folder: each once, when nothing writes to it any more.

Comes in: a folder, the names of files that are answered already, and the time. Goes out: the files to read now. Nothing of a
file is kept but its name.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from preprocessing.audio.formats import AUDIO_SUFFIXES
from xval.base.errors import SettingsError
from xval.base.operating_system import refusal

SETTLE_S = 2.0
"""How long a file stays unchanged before it is read: a recorder writes some times in a second."""


class _Waiting(NamedTuple):
    """Size (bytes) and time of change (ns) of a file, and since when it has both."""

    size: int
    changed_ns: int
    since_s: float


class Arrivals:
    """The audio files in a folder and below it that are not answered yet.

    A file is ready when it is not empty and its size and time of change have stayed for `SETTLE_S`: by the clock of this
    machine, since that of a network drive may differ. Hidden files are left out, as of programs that rename a file when it is
    whole.

    Args:
        folder: To be looked into.
        answered: Paths of files that are not given again.
    """

    def __init__(self, folder: Path, answered: Iterable[str] = ()) -> None:
        if not folder.is_dir():
            is_file = " It is a file. Give its folder." if folder.exists() else ""
            raise SettingsError(f"--follow {folder}: there is no such folder.{is_file}")
        self._folder = folder
        self._answered = {str(Path(name).absolute()) for name in answered}
        self._waiting: dict[str, _Waiting] = {}

    @property
    def waiting(self) -> list[str]:
        """The files that are empty, or may still grow."""
        return sorted(self._waiting)

    def ready(self, now_s: float) -> list[Path]:
        """Return the files that are ready at a time (s), sorted by name; each is given once.

        Raises:
            SettingsError: The folder cannot be read.
        """
        before, self._waiting = self._waiting, {}
        root, ready = self._folder.absolute(), []
        for entry in self._all_entries(root):
            name = entry.path
            if name in self._answered:
                continue
            try:
                state = entry.stat()
            except OSError:  # it was renamed or removed meanwhile
                continue
            waiting = _Waiting(state.st_size, state.st_mtime_ns, now_s)
            if (known := before.get(name)) and known[:2] == waiting[:2]:
                waiting = known
            if waiting.size and now_s - waiting.since_s >= SETTLE_S:
                ready.append(self._folder / Path(name).relative_to(root))
                self._answered.add(name)
            else:
                self._waiting[name] = waiting
        return sorted(ready)

    def _all_entries(self, root: Path) -> Iterable["os.DirEntry[str]"]:
        try:
            yield from self._entries(root)
        except OSError as error:
            raise SettingsError(f"--follow {self._folder}: {error.filename} cannot be read ({refusal(error)}).") from error

    def _entries(self, folder: Path | str) -> Iterable["os.DirEntry[str]"]:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    try:
                        yield from self._entries(entry.path)
                    except FileNotFoundError:  # removed meanwhile
                        continue
                elif Path(entry.name).suffix.lower() in AUDIO_SUFFIXES:
                    yield entry
