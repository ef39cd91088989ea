"""Watch a folder for new audio files, and report each file once, when its size and time of change no longer change.

Only the names of reported files stay in memory.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from preprocessing.audio.formats import AUDIO_SUFFIXES
from xval.base.errors import SettingsError
from xval.base.operating_system import refusal

SETTLE_S = 2.0
"""Time that a file must be unchanged before it is read; a recorder writes several times per second."""


class _Waiting(NamedTuple):
    """A file that may still grow: its size (bytes), its time of change (ns), and the time since it has both (s)."""

    size: int
    changed_ns: int
    since_s: float


class Arrivals:
    """The audio files in a folder and its subfolders that are not predicted yet.

    A file is ready when it is not empty and its size and time of change have been the same for `SETTLE_S`, measured by the
    clock of this machine, because that of a network drive may differ. Hidden files are skipped, because some programs write
    to a hidden file and rename it when it is complete.

    Args:
        folder: The folder to watch.
        predicted: Paths of files to skip, because they are predicted already.

    Raises:
        SettingsError: The folder does not exist.
    """

    def __init__(self, folder: Path, predicted: Iterable[str] = ()) -> None:
        if not folder.is_dir():
            if folder.exists():
                raise SettingsError(
                    f"--follow {folder}: received a file; expected a folder whose new files are predicted. To predict this "
                    "file, give it without --follow."
                )
            raise SettingsError(f"--follow {folder}: there is no such folder. Create it first.")
        self._folder = folder
        self._reported = {str(Path(name).absolute()) for name in predicted}
        self._waiting: dict[str, _Waiting] = {}

    @property
    def waiting(self) -> list[str]:
        """The sorted paths of files that were empty or could still grow at the last call of `ready`."""
        return sorted(self._waiting)

    def ready(self, now_s: float) -> list[Path]:
        """Return the files that are ready at a time (s), sorted by name; each file is returned once.

        Args:
            now_s: The time of a monotonic clock.

        Raises:
            SettingsError: The folder cannot be read.
        """
        before, self._waiting = self._waiting, {}
        root, ready = self._folder.absolute(), []
        for entry in self._all_entries(root):
            name = entry.path
            if name in self._reported:
                continue
            try:
                state = entry.stat()
            except OSError:  # it was renamed or removed in the meantime
                continue
            waiting = _Waiting(state.st_size, state.st_mtime_ns, now_s)
            if (previous := before.get(name)) and previous[:2] == waiting[:2]:
                waiting = previous
            if waiting.size and now_s - waiting.since_s >= SETTLE_S:
                ready.append(self._folder / Path(name).relative_to(root))
                self._reported.add(name)
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
                    except FileNotFoundError:  # removed in the meantime
                        continue
                elif Path(entry.name).suffix.lower() in AUDIO_SUFFIXES:
                    yield entry
