"""Folders of audio files that are made from other audio files; files are written completely or not at all.

A note in the folder stores the settings of the run and the source of each file. A later run with the same settings keeps the
files that are still valid; one with other settings raises an error that lists the differences.
"""

import csv
import errno
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, NamedTuple

import numpy as np
import soundfile
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from pydantic import AfterValidator, ValidationError

from preprocessing.clips.boundary import refuse_links
from preprocessing.clips.listing import list_audio
from preprocessing.clips.table import natural_key
from preprocessing.file_replacement import replace_file
from preprocessing.interrupts import interrupts_postponed
from xval.base.csv_text import guard
from xval.base.errors import CorpusError
from xval.base.file_forms import describe_faults, form_of
from xval.base.operating_system import read_regular

LEFT_OUT_NAME, LEFT_OUT_COLUMNS = "left_out.csv", ("path", "reason")

_LOCK_NAME, _LONGEST_NAME = ".lock", 255  # bytes; the limit of common file systems


def _plain(name: str) -> str:
    """Return the name of a file unchanged; raise ValueError if it is outside of the folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{name} is outside the folder")
    return name


class SourceFile(NamedTuple):
    """A file from which others are made.

    Attributes:
        stamp: Size and time of the file as from `stamp_of`, which change when it is replaced; empty if the settings of the run
            determine its content.
        files: The files that are made from it, posix, relative to the output folder.
    """

    stamp: tuple[int, ...]
    files: tuple[Annotated[str, AfterValidator(_plain)], ...]


@dataclass(frozen=True)
class _Note:
    """The note that a run has written into its folder.

    Attributes:
        complete: Whether all files were written.
        settings: All settings on which the content of the files depends.
        sources: The files from which others are made, by their paths.
    """

    complete: bool
    settings: dict[str, Any]
    sources: dict[str, SourceFile]


class OutputFolder:
    """The folder into which a run writes, with the note of the run before it; `open_output` returns one."""

    def __init__(self, folder: Path, note: Path, settings: dict[str, Any], before: Mapping[str, SourceFile]) -> None:
        self.has_begun = False
        self._folder, self._note, self._settings = folder, note, settings
        self._before, self._sources = before, dict(before)

    def begin(self, sources: Mapping[str, SourceFile], lists: Sequence[str] = ()) -> None:
        """Remove outputs whose sources are gone or were replaced, and write the note of this run; other outputs are kept.

        Args:
            sources: The files from which others are made, by their paths.
            lists: Tables of the run in the folder, which are removed too if an output is, because they name it.
        """
        for made_of, source in sources.items():
            _refuse_name(made_of, source.files)
        old = [source for path, source in self._before.items() if sources.get(path) != source]
        # Also files of these names that no note lists: they would be taken for files that this run made.
        new = [source for path, source in sources.items() if self._before.get(path) != source]
        stale = [name for source in (*old, *new) for name in source.files]
        refuse_links(self._folder, stale)
        self.has_begun = True
        for name in (*lists, *stale) if stale else ():
            _remove(self._folder, name)
        self._remove_parts()
        self._sources = dict(sources)
        # After the removal: a run that is killed in between removes again, and never keeps files made with other settings.
        self._write(complete=False)

    def finish(self) -> None:
        """Write into the note that all files were written."""
        self._remove_parts()
        self._write(complete=True)

    def _remove_parts(self) -> None:
        """Remove half-written files of killed processes; no other process writes here, because the folder is locked."""
        for path in self._folder.rglob(".*.part"):
            if path.is_file():
                path.unlink(missing_ok=True)

    def _write(self, *, complete: bool) -> None:
        text = json.dumps({"complete": complete, "settings": self._settings, "sources": self._sources})
        replace_file(self._note, lambda temporary: temporary.write_text(f"{text}\n", encoding="utf-8"))


@contextmanager
def open_output(folder: Path, note_name: str, settings: dict[str, Any], *, overwrite: bool) -> Iterator[OutputFolder]:
    """Lock the output folder of a run within this block; files of an earlier run with the same settings are kept.

    Args:
        folder: Created if it is missing.
        note_name: Name of the file in it with the settings and the sources.
        settings: All settings on which the content of the files depends, as values that JSON can hold.
        overwrite: Whether files of a run with other settings, or of a complete run, are replaced; an interrupted run with the
            same settings continues.

    Yields:
        The folder. No file is changed before its `begin`; it is noted as complete when this block ends without an error.

    Raises:
        CorpusError: It cannot be created or written, another run writes into it, it has files of other origin, or files made
            with other settings and ``overwrite`` is false.
    """
    if folder.exists() and not folder.is_dir():
        raise CorpusError(f"{folder} is a file. Give a folder.")
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK_NAME)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise CorpusError(f"Another run writes into {folder}. Wait until it has finished, or choose another folder.") from error
    except OSError as error:
        raise CorpusError(f"{folder} cannot be created or written: {error.strerror or error}.") from error
    output = None
    try:
        # As read back from JSON (lists for tuples), so that they can be compared with those of the note.
        wanted = json.loads(json.dumps(settings))
        output = OutputFolder(folder, folder / note_name, wanted, _read_before(folder, folder / note_name, wanted, overwrite))
        yield output
        output.finish()
    finally:
        is_unused = is_new and (output is None or not output.has_begun)
        if is_unused:
            with suppress(OSError):
                (folder / _LOCK_NAME).unlink()
        lock.release()
        if is_unused:
            with suppress(OSError):
                folder.rmdir()


def stamp_of(path: Path) -> tuple[int, ...]:
    """Return the size (bytes) and modification time (ns) of a file, which change if it is replaced; (): no such file."""
    try:
        facts = path.stat()
    except OSError:
        return ()
    return facts.st_size, facts.st_mtime_ns


def name_copies(folder: Path) -> dict[str, str]:
    """Return the name of the wav copy of every audio file in a folder and below it.

    Returns:
        ``{path: path of the copy}``, posix, relative to the folder and to the folder of the copies, in natural order. Hidden
        files and augmented copies are skipped.

    Raises:
        CorpusError: There are no audio files, or two of them would have the same copy.
    """
    copies: dict[str, str] = {}
    sources: dict[str, str] = {}
    for path in sorted(list_audio(folder, "audio files"), key=natural_key):
        copy = PurePosixPath(path).with_suffix(".wav").as_posix()
        other = sources.setdefault(copy, path)
        if other != path:
            raise CorpusError(f"{other} and {path} would both become {copy}. Rename one of them, or move them apart.")
        copies[path] = copy
    return copies


def refuse_nested(one: tuple[str, Path], other: tuple[str, Path], reason: str) -> None:
    """Check that two folders are different, and that none is inside the other.

    Args:
        one: Name of a folder for the error, and its path.
        other: Name and path of the other folder.
        reason: What would happen, as a clause that continues "so ...".

    Raises:
        CorpusError: They are the same, or one is inside the other.
    """
    (one_name, one_folder), (other_name, other_folder) = one, other
    first, second = one_folder.resolve(), other_folder.resolve()
    if first.is_relative_to(second) or second.is_relative_to(first):
        raise CorpusError(
            f"{one_name} ({one_folder}) and {other_name} ({other_folder}) are the same folder, or one is inside the other, "
            f"so {reason}. Give two separate folders."
        )


def write_wav(path: Path, samples: NDArray[np.float32], sample_rate_hz: int, subtype: str = "PCM_16") -> None:
    """Write samples as a mono wav file, completely or not at all.

    Args:
        path: Path of the file.
        samples: float32 (n_samples,), full scale is 1.
        sample_rate_hz: Sample rate (Hz).
        subtype: Encoding of a sample, by libsndfile's name.

    Raises:
        CorpusError: libsndfile cannot encode it, or the file cannot be written.
    """
    # Encoded in memory, because libsndfile does not report that a disk is full.
    encoded = io.BytesIO()
    try:
        with interrupts_postponed():  # libsndfile calls the methods of the buffer
            soundfile.write(encoded, samples, sample_rate_hz, format="WAV", subtype=subtype)
    except soundfile.LibsndfileError as error:
        raise CorpusError(f"{path} cannot be written: {error.error_string}") from error
    replace_file(path, lambda temporary: temporary.write_bytes(encoded.getbuffer()), among_many=True)


def read_size(path: Path) -> tuple[int, int] | None:
    """Return the number of samples of a wav file and its sample rate (Hz), from its header; None: there is no readable file."""
    try:
        facts = soundfile.info(path)
    except (soundfile.LibsndfileError, OSError):
        return None
    return facts.frames, facts.samplerate


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file completely or not at all; texts that a spreadsheet would run as formulas are escaped."""

    def write(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows([guard(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)

    replace_file(path, write)


def _read_before(folder: Path, note: Path, settings: dict[str, Any], overwrite: bool) -> dict[str, SourceFile]:
    """Return the sources of the files that are there, with an impossible stamp if they are to be replaced; check the note."""
    if not note.exists():
        if any(not path.name.startswith(".") for path in folder.iterdir()):
            raise CorpusError(
                f"{folder} is not empty and was not made by this command ({note.name} is missing). Choose another folder."
            )
        return {}
    try:
        noted = form_of(_Note).validate_json(read_regular(note))
    except (OSError, ValidationError) as error:
        fault = describe_faults(error) if isinstance(error, ValidationError) else str(error)
        raise CorpusError(f"{note}: damaged, or of another version ({fault}). Remove {folder}, or choose another.") from error
    differences = _differences(noted.settings, settings)
    if not overwrite and differences:
        shown = "\n  ".join(differences)
        raise CorpusError(
            f"{folder} has files made with other settings:\n  {shown}\nChoose another folder, or give --overwrite to replace "
            "them."
        )
    if overwrite and (differences or noted.complete):
        return {path: SourceFile((-1,), source.files) for path, source in noted.sources.items()}  # no file has such a stamp
    return noted.sources


def _refuse_name(path: str, files: Iterable[str]) -> None:
    """Raise CorpusError if the name of a file to be made is too long for a file system."""
    for name in (PurePosixPath(file).name for file in files):
        if len(name.encode()) > _LONGEST_NAME:
            raise CorpusError(
                f"{path}: its name is too long, because {name} would have more than {_LONGEST_NAME} bytes. Shorten it."
            )


def _remove(folder: Path, name: str) -> None:
    """Remove a file, and the folders that become empty."""
    path = folder / name
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return  # a file of such a name cannot exist
        raise CorpusError(f"{path} cannot be replaced: {error.strerror}.") from error
    with suppress(OSError):
        for parent in path.relative_to(folder).parents[:-1]:
            (folder / parent).rmdir()


def _differences(noted: dict[str, Any], settings: dict[str, Any], prefix: str = "") -> list[str]:
    lines: list[str] = []
    for key in dict.fromkeys([*noted, *settings]):
        before, now = noted.get(key), settings.get(key)
        if isinstance(before, dict) and isinstance(now, dict):
            lines += _differences(before, now, f"{prefix}{key}: ")
        elif before != now:
            lines.append(f"{prefix}{key}: {_text(before)} there, {_text(now)} now")
    return lines


def _text(value: object) -> str:
    return "none" if value is None else str(value)
