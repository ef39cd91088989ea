"""Rename the columns of a table that have the path, item and label of a clip to these names (or ``label:<name>``).

If one is missing, the error suggests the most likely column.
"""

import glob
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from preprocessing.clips.label_sets import SEPARATOR
from preprocessing.clips.listing import AudioFiles
from preprocessing.clips.table import NAMED
from preprocessing.corpora._layout import split_names
from xval.base.errors import CorpusError, suggestion
from xval.base.operating_system import quote

Lines = list[tuple[int, list[str]]]


class Columns(NamedTuple):
    """The columns that the user chooses; several labels are separated by commas."""

    path: str = "path"
    item: str = "item"
    label: str = "label"


class Renamed(NamedTuple):
    """A table whose columns have the names that xval uses.

    Attributes:
        header: The names; empty for a column that was replaced by a chosen one.
        lines: The number and the cells of each line.
        written: The original names of the renamed columns, by the new ones, for errors.
    """

    header: list[str]
    lines: Lines
    written: dict[str, str]


_OTHER_NAMES = {
    "path": ("file", "filename", "file_name", "filepath", "audio", "wav", "recording"),
    "item": ("speaker", "subject", "participant", "actor", "session", "artist", "client", "patient", "person", "recorder"),
    "label": ("class", "category", "target", "emotion", "word", "digit", "genre", "species"),
}
_LABEL_WORDS = {
    "label", "labels", "class", "classes", "category", "species", "tag", "tags", "genre", "emotion", "word", "phoneme", "phone",
    "syllable", "digit", "breed", "annotation", "event", "sound", "call",
}  # fmt: skip
_LABEL_NAMES = {"type", "name", "text", "transcript", "transcription", "common_name", "scientific_name"}
_OF_NO_LABEL = {"id", "no", "number", "count", "confidence", "score", "file", "start", "end", "time", "duration"}
_N_LOOKED_AT = 20


def rename_columns(
    table: Path, header: Sequence[str], lines: Lines, chosen: Columns, *, are_numbers: bool, are_sets: bool = False
) -> Renamed:
    """Rename the chosen columns of a table to the names that xval uses.

    Args:
        table: The file, for errors.
        header: The names of its columns.
        lines: The number and the cells of each line, as many cells as columns.
        chosen: The columns that the user chooses. A column may be used twice: ``--item path`` makes every file an item.
        are_numbers: Whether several labels are separate targets, ``label:<name>``; otherwise they are joined with ``_``.
        are_sets: Whether a clip may have several labels; those of several columns are joined with ``;``, without empty cells.

    Raises:
        CorpusError: There is no such column, or there are several.
    """
    named = {role: split_names(names) for role, names in chosen._asdict().items() if names != role}
    if named.get("item") == ["path"]:
        named["item"] = [chosen.path]
    for role, names in named.items():
        for name in names:
            if header.count(name) != 1:
                what = "no such column" if name not in header else f"this column {header.count(name)} times"
                raise CorpusError(f"--{role} {name}: {table} has {what}. {suggestion(name, header)}")
    renamed, written, added = ["" if name in named else name for name in header], dict[str, str](), list[list[int]]()
    for role, names in named.items():
        positions = [header.index(name) for name in names]
        parts = [(f"{NAMED}{name}", [place]) for name, place in zip(names, positions, strict=True)]
        for new, places in parts if are_numbers and role == "label" else [(role, positions)]:
            renamed.append(new)
            added.append(places)
            written[new] = ", ".join(header[place] for place in places)
    join = SEPARATOR.join if are_sets else _join
    joined = [(number, [*cells, *(join([cells[place] for place in places]) for places in added)]) for number, cells in lines]
    return Renamed(renamed, joined, written)


def hint(role: str, header: Sequence[str], lines: Lines, audio_folder: Path) -> str:
    """Return the likely column for a role, with the option to type; for paths, the one whose cells are existing files.

    Args:
        role: path, item or label.
        header: The columns of the table.
        lines: The number and the cells of each line.
        audio_folder: The folder to which paths are relative.
    """
    meant = _column_of_files(header, lines, audio_folder) if role == "path" else None
    for column in header:
        words = column.lower()
        if meant is None and words and any(name in words for name in _OTHER_NAMES[role]):
            meant = column
    close = get_close_matches(role, header, n=1, cutoff=0.6)
    meant = meant or (close[0] if close else None)
    if meant is None:
        return f"Give it: --{role} COLUMN." + (" If each file is an item: --item path." if role == "item" else "")
    return f"If it is '{meant}', give --{role} {quote(meant)}."


def header_below(header: Sequence[str], lines: Lines, names: Iterable[str]) -> str:
    """Return why the first line may lack the expected names of columns, and what to do; empty: not known.

    There may be a title above the names, or they may be separated by blanks.
    """
    wanted = {name for each in names for name in split_names(each)}
    if len(header) == 1 and wanted <= set(header[0].split()):
        return "Columns are separated by blanks. Separate them by commas, semicolons or tabs."
    for number, cells in lines[:_N_LOOKED_AT]:
        if wanted <= set(map(str.strip, cells)):
            return f"Line {number} has these names. Delete the lines above it."
    return ""


def column_of_labels(columns: Iterable[str]) -> str | None:
    """Return the first column with a name that is usual for labels; None: there is none.

    Args:
        columns: Names in lower case, with ``_`` instead of blanks.
    """
    for column in columns:
        words = set(re.split(r"[\W_]+", column))
        if column in _LABEL_NAMES or (words & _LABEL_WORDS and not words & _OF_NO_LABEL):
            return column
    return None


def column_of_items(columns: Iterable[str]) -> str | None:
    """Return the first column with a name that is usual for items; None: there is none.

    Args:
        columns: Names in lower case, with ``_`` instead of blanks.
    """
    return next((column for column in columns if set(re.split(r"[\W_]+", column)) & set(_OTHER_NAMES["item"])), None)


def refuse_other_folder(table: Path, paths: Sequence[str], audio_folder: Path) -> None:
    """Raise CorpusError if the files of a table are not in the audio folder, but in a folder inside it."""
    first = PurePosixPath(paths[0])
    if first.is_absolute() or ".." in first.parts or any((audio_folder / path).exists() for path in paths[:_N_LOOKED_AT]):
        return
    for place in sorted(audio_folder.rglob(glob.escape(first.name))):
        if place.parts[-len(first.parts) :] == first.parts:
            folder = place.parents[len(first.parts) - 1]
            raise CorpusError(
                f"{table}: its files are not in {audio_folder}, to which their paths are relative. {first} is in {folder}: "
                f"give --audio-folder {quote(str(folder))}."
            )


def _column_of_files(header: Sequence[str], lines: Lines, audio_folder: Path) -> str | None:
    files = AudioFiles(audio_folder)
    for place, column in enumerate(header):
        names = [cells[place].strip() for _, cells in lines[:_N_LOOKED_AT]]
        if names and all(name and (audio_folder / files.find(name)).is_file() for name in names):
            return column
    return None


def _join(cells: Sequence[str]) -> str:
    """Return the cells of several columns joined to one label; empty if a cell is empty."""
    stripped = [cell.strip() for cell in cells]
    return "_".join(stripped) if all(stripped) else ""
