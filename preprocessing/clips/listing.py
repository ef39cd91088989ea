"""List the audio files of a folder, and find the files that a table names."""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from preprocessing.audio.formats import AUDIO_SUFFIXES
from preprocessing.clips.notation import composed
from xval.base.errors import CorpusError, counted

NO_UTF8 = "are not UTF-8 (convmv -f latin1 -t utf8 --notest -r FOLDER renames files that came from an old disk)"
"""End of an error about names for which `is_utf8` is false."""

ITEM_NAME = "item_name"
"""Key of the name of the column from which items were read, in ``attrs`` of a table of clips and in the facts of an index."""

SIMILAR_NAMES, OVERLAPS, SHARED_FILES = "similar_names", "overlaps", "shared_files"
"""Keys of three answers of the user, in ``attrs`` of a table of clips and as options: whether names that differ only in
notation are one or several, whether overlapping clips of one file are kept, and whether a file may have segments of several
items. Without an answer in ``attrs``, the first raises an error and the others are kept."""
ASK, ONE, SEVERAL, KEEP = "ask", "one", "several", "keep"

HEADER_CHECKED = "header_checked"
"""Key in ``attrs`` of a table of clips whose reader has already looked for misspelt columns, since users may choose columns."""

_N_SHOWN = 3


def list_audio(folder: Path, expected: str, *, suffixes: Sequence[str] = AUDIO_SUFFIXES) -> list[str]:
    """Return the audio files in a folder and below it.

    Args:
        folder: Folder of the corpus.
        expected: What the folder should contain, for errors, such as ``Actor_01/03-01-05-01-02-01-16.wav``.
        suffixes: Endings of the files to list, in lower case.

    Returns:
        Paths relative to the folder, posix, sorted. Hidden files, files that macOS adds to archives, and augmented copies are
        skipped.

    Raises:
        CorpusError: There is no such folder or no such file in it, a folder cannot be read, or a name is not UTF-8.
    """
    if folder.is_file():
        raise CorpusError(f"{folder} is a file. Give the folder of {expected}. For a table: xval prepare table")
    if not folder.is_dir():
        raise CorpusError(f"There is no folder {folder}. Give the folder of {expected}.")
    return _audio_among(folder, files_below(folder), expected, suffixes)


def list_audio_in_each(folders: Sequence[Path], expected: str) -> list[list[str]]:
    """Return the audio files in and below each of some folders, as `list_audio` does; no file is listed twice."""
    found = zip(folders, files_in_each(folders), strict=True)
    return [_audio_among(folder, files, expected, AUDIO_SUFFIXES) for folder, files in found]


def _audio_among(folder: Path, files: Iterable[Path], expected: str, suffixes: Sequence[str]) -> list[str]:
    relative = (path.relative_to(folder) for path in files if path.suffix.lower() in suffixes)
    names = sorted(path.as_posix() for path in relative if not _is_hidden(path) and not is_copy(path))
    if not names:
        raise CorpusError(f"{folder} has no {expected}. Found: {describe_folder(folder)}.")
    odd = [path for path in names if not is_utf8(path)]
    if odd:
        shown = ", ".join(map(ascii, odd[:_N_SHOWN]))
        raise CorpusError(f"{folder} has {counted(len(odd), 'file')} with names that {NO_UTF8}: {shown}. Rename them.")
    return names


def is_utf8(name: str) -> bool:
    """Return whether a file name is valid UTF-8; in Python, other bytes of it become lone surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def files_below(folder: Path) -> list[Path]:
    """Return the files in a folder and in the folders below it, as `files_in_each` does for several folders."""
    return files_in_each([folder])[0]


def files_in_each(folders: Sequence[Path]) -> list[list[Path]]:
    """Return the files in and below each of some folders, none of which is inside another one.

    Links to folders are followed, except to a folder that is listed already, and to one that contains the link or one of the
    folders: it would add files next to them. A folder that is named like an audio file and contains no audio is returned as a
    file, so that an error about it is raised when it is read.

    Raises:
        CorpusError: A folder cannot be read.
    """
    roots = [Path(os.path.realpath(folder)) for folder in folders]
    files: list[list[Path]] = [[] for _ in folders]
    called_so: list[list[Path]] = [[] for _ in folders]
    seen = set[Path]()
    waiting = [(number, Path(folder)) for number, folder in enumerate(folders)]
    for number, start in waiting:  # the list grows: targets of links come after everything that is in the folders themselves
        real_start = Path(os.path.realpath(start))
        for place, below, names in os.walk(start, onerror=_refuse_unreadable):
            real = real_start / Path(place).relative_to(start)
            is_hidden = _is_hidden(Path(place).relative_to(folders[number]))
            if real in seen:
                below.clear()
                continue
            if not is_hidden:
                seen.add(real)
            files[number] += [Path(place, name) for name in names]
            called_so[number] += [Path(place, name) for name in below if _is_audio(Path(name))]
            links = [Path(place, name) for name in sorted(below) if Path(place, name).is_symlink() and not is_hidden]
            waiting += [(number, link) for link in links if not _holds(Path(os.path.realpath(link)), [real, *roots])]
    return [
        listed + [path for path in called if not any(path in file.parents for file in listed if _is_audio(file))]
        for listed, called in zip(files, called_so, strict=True)
    ]


def _is_hidden(path: Path) -> bool:
    """Return whether a part of a path is hidden, or is a folder that macOS adds to archives."""
    return any(part.startswith((".", "__MACOSX")) for part in path.parts)


def is_of_mac(path: Path) -> bool:
    """Return whether a file is one that macOS adds for a file, under the same name after ``._``; it contains no audio."""
    return any(part.startswith(("._", "__MACOSX")) for part in path.parts)


def _holds(folder: Path, others: Iterable[Path]) -> bool:
    return any(other.is_relative_to(folder) for other in others)


def _refuse_unreadable(error: OSError) -> None:
    raise CorpusError(
        f"{error.filename}: the folder cannot be read ({error.strerror}), so its files would be missing. Make it readable "
        "(chmod), or move it out of the folder."
    ) from error


def _is_audio(path: Path) -> bool:
    return path.suffix.lower() in AUDIO_SUFFIXES


def describe_folder(folder: Path) -> str:
    """Return the first few names in a folder, for an error."""
    return shorten(sorted(f"{path.name}/" if path.is_dir() else path.name for path in folder.iterdir())) or "nothing"


def shorten(names: Sequence[str], most: int = _N_SHOWN) -> str:
    """Return names separated by commas; of more than ``most``, the first ones and their number: ``a, b, ... (7 in all)``."""
    return first_names(names, most) + (f" ({len(names)} in all)" if len(names) > most else "")


def first_names(names: Iterable[str], most: int = _N_SHOWN) -> str:
    """Return names separated by commas; of more than ``most``, the first ones: ``a, b, ...``."""
    listed = list(names)
    return ", ".join(listed[:most]) + (", ..." if len(listed) > most else "")


# Any ending, because copies may have been converted.
_COPY = re.compile(r"\.augmented-\d+\.", re.IGNORECASE)


def copy_name(stem: str, number: int) -> str:
    """Return the file name of an augmented copy.

    Args:
        stem: Name of the source file without its ending.
        number: Number of the copy, from 1.
    """
    return f"{stem}.augmented-{number}.wav"


def is_copy(path: str | Path) -> bool:
    """Return whether a file is an augmented copy, by its name."""
    return _COPY.search(Path(path).name) is not None


class AudioFiles:
    """Finds the audio files of a folder by their names in a table, also with another ending or Unicode form (NFC, NFD)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[str, dict[str, list[str]]] = {}
        self._places: dict[PurePosixPath, PurePosixPath] = {}

    def find(self, path: str) -> str:
        """Return the path of a file that a table names.

        Args:
            path: Path in the table, relative to the folder.

        Returns:
            The path itself; or, if there is no such file, the path of the only audio file that differs only in its ending or
            its Unicode form.
        """
        if (self._folder / path).exists():
            return path
        place = PurePosixPath(path.replace("\\", "/"))
        folder, name = self._place(place.parent), composed(place.name)
        names = self._listing(folder.as_posix()).get(without_ending(name), [])
        names = [found for found in names if composed(found) == name] or names
        return (folder / names[0]).as_posix() if len(names) == 1 else path

    def names(self, folder: str) -> list[str]:
        """Return the sorted names of the audio files in a subfolder, given relative to the folder (posix)."""
        return sorted(name for names in self._listing(folder).values() for name in names)

    def _place(self, folder: PurePosixPath) -> PurePosixPath:
        """Return the name of a subfolder on the disk, which may have another Unicode form; each is looked for once."""
        if folder == folder.parent:
            return folder
        if folder not in self._places:
            above = self._place(folder.parent)
            place, found = self._folder / above, above / folder.name
            if not (self._folder / found).is_dir() and place.is_dir():
                names = [path.name for path in place.iterdir() if composed(path.name) == composed(folder.name)]
                found = above / names[0] if len(names) == 1 else found
            self._places[folder] = found
        return self._places[folder]

    def _listing(self, folder: str) -> dict[str, list[str]]:
        """Return the audio files of a subfolder, by their names in NFC without endings; each folder is read once."""
        if folder not in self._names:
            listing: dict[str, list[str]] = {}
            place = self._folder / folder
            for path in place.iterdir() if place.is_dir() else ():
                if path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith("."):
                    listing.setdefault(without_ending(composed(path.name)), []).append(path.name)
            self._names[folder] = listing
        return self._names[folder]


def without_ending(path: str) -> str:
    """Return a posix path without the ending of an audio format; any other ending is a part of the name and stays."""
    suffix = PurePosixPath(path).suffix
    return path[: -len(suffix)] if suffix.lower() in AUDIO_SUFFIXES else path
