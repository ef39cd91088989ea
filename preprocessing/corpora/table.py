"""Any recordings that are listed in a table, one row per clip.

Layout: a csv file in UTF-8, separated by commas, semicolons, tabs or |; an Excel file (.xlsx), whose first sheet is read; a
.parquet file; or a list of records in json or json lines, as manifests of NeMo are. The first row has the names of the
columns: path, item, label; optionally clip, phase, fold, start_s, end_s, source_clip, augmented. Further columns (gender,
age, language, recorder ...) are kept unchanged, for scores by subgroup and to select clips. The targets of a regression may
have names: columns ``label:<name>`` (``label:age``, or ``label:arousal`` and ``label:valence``) instead of label. If path,
item and label have other names, give --path, --item and --label. If a clip may have several labels, or none (an empty cell),
give --task-type multilabel_classification. ``dog;rain``, ``dog|rain``, ``dog,rain`` and ``['dog', 'rain']`` are two labels.
Paths are relative to the folder of the table, or to --audio-folder. If a file does not exist, but exactly one file differs
only in its ending (it was converted), that file is used.
"""

import math
import re
from collections.abc import Callable, Collection, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from preprocessing.clips.label_sets import MULTI_LABEL, SEPARATOR, read_cells, refuse_several, single_names
from preprocessing.clips.listing import HEADER_CHECKED, ITEM_NAME, ONE, SIMILAR_NAMES, AudioFiles
from preprocessing.clips.notation import composed
from preprocessing.clips.table import (
    NAMED,
    OPTIONAL_COLUMNS,
    REQUIRED_COLUMNS,
    UNWRITABLE,
    check_clips,
    find_misspelt,
    gathered,
    plain_path,
    with_common_names,
)
from preprocessing.corpora._columns import Columns, Lines, header_below, hint, refuse_other_folder, rename_columns
from preprocessing.corpora._layout import split_names
from preprocessing.corpora._reading import AS_IT_STANDS, NONE, Reading, RowOptions
from preprocessing.corpora._tables import (
    NUMBER,
    PHASE_NAMES,
    PHASES,
    Fault,
    read_table,
    refuse_measurements,
    wrong_widths,
)
from preprocessing.corpora._usual_names import similar_name
from xval.base.errors import CorpusError, SettingsError, suggestion

if TYPE_CHECKING:
    import pandas as pd

_MAY_BE_EMPTY = ("representation", MULTI_LABEL)
"""Tasks for which a clip may have no label."""
_TRUTHS = {**dict.fromkeys(("true", "yes", "1"), True), **dict.fromkeys(("false", "no", "0"), False)}


def list_clips(
    audio_folder: Path,
    *,
    table: Path,
    path: str = "path",
    item: str = "item",
    label: str = "label",
    task_type: Literal["auto", "classification", "multilabel_classification", "regression", "representation"] = "auto",
    rows: RowOptions = AS_IT_STANDS,
) -> "pd.DataFrame":
    """Read the table.

    Args:
        audio_folder: Folder to which the paths are relative (default: the folder of the table).
        table: The file.
        path: The column of the audio files.
        item: The column that folds keep together, such as the speaker; path: each file is an item (random split).
        label: The column of the target, or several with commas: names are joined (angry_strong), numbers several targets.
        task_type: classification: labels are names, also when they are numbers; multilabel_classification: a cell holds any
            number of names, separated by ; or | or , or as a list; regression: labels are numbers, one column or several;
            representation: there is no target, and the column label may be missing; auto: classification, but xval asks about
            labels that look like measurements or like several labels.
        rows: Which rows are read, and how.

    Returns:
        The columns of the table that xval uses, with one type each, and additional columns as text (None: an empty cell).
    """
    if rows.map_labels != NONE and task_type == "regression":
        raise SettingsError(
            f"--map-labels {rows.map_labels}: renames classes, but the labels of a regression are numbers. Remove --map-labels."
        )
    return read_clips(table, audio_folder, task_type, chosen=Columns(path, item, label), reading=rows.reading())


def read_clips(
    table: Path, audio_folder: Path, task_type: str, *, chosen: Columns | None = None, reading: Reading | None = None
) -> "pd.DataFrame":
    """Read a table of clips. If no columns are chosen, the column item may be missing; then every file is an item.

    Args:
        table: The file.
        audio_folder: The folder to which paths are relative.
        task_type: Task, or auto, as for `list_clips`.
        chosen: The columns of path, item and label; None: path, item and label.
        reading: How the rows are read.

    Returns:
        The table that `list_clips` returns. Its ``attrs["note"]`` says which cells and rows were ignored.

    Raises:
        CorpusError: The table or its rows have faults; all of them are reported at once.
    """
    import pandas as pd

    reading = reading or Reading()
    chosen = None if chosen is None else Columns(*map(composed, chosen))
    named = {name for names in chosen or () for name in split_names(names)}
    known = {*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS, *named}
    label_names = split_names(chosen.label) if chosen else ["label"]
    header, lines = read_table(
        table,
        ", ".join(REQUIRED_COLUMNS),
        needed=lambda column: composed(column) in known or column.startswith(NAMED),
        may_be_lists=lambda column: composed(column) in label_names,
        others=chosen is not None or bool(reading.where),
        quoting=reading.quoting,
        notes=reading.notes,
    )
    header = [*map(composed, header)]
    faults, below = wrong_widths(header, lines), header_below(header, lines, chosen or ["path"])
    lines = [(line, cells) for line, cells in lines if len(cells) == len(header)]
    if task_type in ("auto", "classification"):
        lines = _read_columns(header, lines, label_names, lambda cells, _: single_names(cells))
    if task_type == MULTI_LABEL:
        lines = _read_columns(header, lines, label_names, lambda cells, column: _one_form(cells, column, reading.notes))
    labels = label_names if len(label_names) == 1 else ()
    lines = reading.blank_missing(header, lines, labels=labels, are_sets=task_type == MULTI_LABEL)
    kinds = {"are_numbers": task_type == "regression", "are_sets": task_type == MULTI_LABEL}
    columns, lines, written = rename_columns(table, header, lines, chosen or Columns(), **kinds)
    lines = reading.choose_rows([*zip(header, columns, strict=False), *((name,) for name in columns[len(header) :])], lines)
    if task_type == "representation":  # nothing is predicted, so named targets are additional columns
        taken = {*columns, *REQUIRED_COLUMNS, *OPTIONAL_COLUMNS}
        plain = [column.removeprefix(NAMED) for column in columns]
        columns = [name if name == column or name not in taken else "" for name, column in zip(plain, columns, strict=True)]
    named_targets = [column for column in columns if column.startswith(NAMED)]
    _check_targets(table, columns, named_targets, task_type)
    targets = named_targets or ["label"]
    needed = ["path", *(["item"] if chosen else []), *(targets if task_type != "representation" else [])]
    absent = [role for role in needed if role not in columns]
    if absent:
        told = [hint(role, header, lines, audio_folder) for role in absent] if chosen else []
        names = ", no column ".join(f"'{role}'" for role in absent)
        said = [suggestion(absent[0], header), *told, *([below] if below else []), *reading.notes]
        raise CorpusError(f"{table}, line 1: no column {names}. {' '.join(said)}")
    asked = [column for column in columns if column and re.search(rf"(?<!\w){re.escape(column)}(?!\w)", reading.where)]
    reading.notes.extend(_check_header(table, columns, targets, written, {*named, *asked}))
    if not audio_folder.is_dir():
        raise CorpusError(
            f"There is no folder {audio_folder}, to which the paths in {table} are relative. Give the folder with "
            "--audio-folder."
        )
    n_rows = len(lines) + len(faults)
    files = AudioFiles(audio_folder)
    listed = _Listed(audio_folder)
    for line, cells in lines:
        row: dict[str, Any] = {}
        wrong: list[Fault] = []
        for column, text in zip(columns, map(str.strip, cells), strict=True):
            if not column:
                continue
            try:
                kind = _NUMBER if column in targets and task_type == "regression" else _KINDS.get(column, _FURTHER)
                row[column] = text if column == "label" and task_type in _MAY_BE_EMPTY else _read(kind, text)
            except ValueError as error:
                wrong.append(Fault(line, f"received '{text}'; allowed: {error}", written.get(column, column)))
        if not wrong:
            row["path"] = files.find(row["path"])
            if "label" in row and task_type != "regression":
                row["label"] = reading.rename(row["label"], are_sets=task_type == MULTI_LABEL)
            wrong = listed.add(line, row)
        faults += wrong
    problems: list[str] = []
    with gathered(problems):
        reading.refuse_faults(table, faults, n_rows)
    are_wrong = {fault.line for fault in faults}
    rows = [row for line, row in listed.rows.items() if line not in are_wrong]
    if not rows:
        raise CorpusError(problems[0] if problems else f"{table} has a header, but no clips.")
    clips = pd.DataFrame(rows)
    clips.attrs[ITEM_NAME] = "file" if "item" not in clips else written.get("item", "")
    clips.attrs |= {"note": reading.note, HEADER_CHECKED: True}
    if "item" not in clips:
        clips["item"] = clips["path"]
    if "label" in clips and task_type != "regression":
        reading.refuse_unused(clips["label"])
        if task_type == "auto":
            with gathered(problems):
                refuse_several(clips["label"].tolist(), f"{table}, column label")
        if all(NUMBER.fullmatch(label) for label in clips["label"]):
            clips["label"] = [re.sub(r"\.0*$", "", label) for label in clips["label"]]
        if task_type == "auto" and chosen:
            with gathered(problems):
                refuse_measurements(clips["label"].tolist(), f"{table}, column {chosen.label}")
    with gathered(problems):
        refuse_other_folder(table, clips["path"].tolist(), audio_folder)
    if problems:  # also report those that would appear only after these are fixed
        task = "classification" if task_type == "auto" else task_type
        answered = with_common_names(clips, task) if reading.similar_names == ONE else clips
        answered.attrs[SIMILAR_NAMES] = reading.similar_names
        with gathered(problems):
            check_clips(answered, audio_folder, task_type=task)
        raise CorpusError("\n  ".join(problems))
    return clips


class _Listed:
    """The clips of a table by their lines; each may be listed once, and has to end after its start."""

    def __init__(self, audio_folder: Path) -> None:
        self.rows: dict[int, dict[str, Any]] = {}
        self._audio_folder = audio_folder
        self._lines: dict[tuple[str, float, float], int] = {}

    def add(self, line: int, row: dict[str, Any]) -> list[Fault]:
        """Add the clip of a line, and return its faults, and those of an earlier line that it contradicts."""
        start_s, end_s = row.get("start_s", math.nan), row.get("end_s", math.nan)
        start_s, end_s = (0.0 if math.isnan(start_s) else start_s), (math.inf if math.isnan(end_s) else end_s)
        for name in ("path", "item", "label", "clip"):
            if isinstance(row.get(name), str) and UNWRITABLE.search(row[name]):
                return [
                    Fault(
                        line,
                        f"received {row[name]!a:.100}; expected a name without control characters, such as line breaks",
                        name,
                    )
                ]
        if "://" in row["path"]:
            said = "expected a path, because web addresses are not read. Download the files and write their paths"
            return [Fault(line, f"received '{row['path']}'; {said}", "path")]
        if end_s <= start_s:
            return [Fault(line, f"received the segment from {start_s:g} to {end_s:g} s; expected an end after the start")]
        first = self._lines.setdefault((plain_path(row["path"], self._audio_folder), start_s, end_s), line)
        self.rows[line] = row
        if first == line:
            return []
        fault = Fault(line, f"the clip {row['path']} is listed in line {first} too. List each once, under one item")
        differs = any(row.get(name) != self.rows[first].get(name) for name in row if name == "item" or name.startswith("label"))
        # Either of the two may be right.
        other = Fault(first, f"the same clip as in line {line}, but with another label or item")
        return [fault, other] if differs else [fault]


def default_audio_folder(data_folder: Path, *, table: Path, **_: object) -> Path:  # noqa: ARG001 - same for all corpora
    """Return the folder of the table."""
    return table.parent


def default_dataset(*, table: Path, **_: object) -> str:
    """Return the name of the table's file without its ending."""
    return table.stem


def _read_columns(
    header: list[str], lines: Lines, names: Sequence[str], read: Callable[[list[str], str], Sequence[str]]
) -> Lines:
    """Return lines in which the cells of some columns are replaced by the result of a function.

    Args:
        header: The columns of the table.
        lines: The number and the cells of each line.
        names: The columns to replace.
        read: Returns the new cells of a column from all of its cells and its name.
    """
    for place, column in enumerate(header):
        if column in names:
            cells = read([cells[place] for _, cells in lines], column)
            lines = [
                (number, [*row[:place], cell, *row[place + 1 :]]) for (number, row), cell in zip(lines, cells, strict=True)
            ]
    return lines


def _one_form(cells: list[str], column: str, notes: list[str]) -> list[str]:
    """Return the cells of a column with several labels in one form, and add a note about their separator."""
    read, separator = read_cells(cells)
    if separator:
        notes.append(
            f"The labels in column {column} are separated by '{separator}'. If it is part of a name, separate labels by "
            f"'{SEPARATOR}'; one at the end of a cell is enough."
        )
    return read


def _check_header(
    table: Path, columns: list[str], targets: list[str], written: dict[str, str], chosen: Collection[str]
) -> list[str]:
    """Raise CorpusError for repeated or misspelt columns; return notes about additional columns that resemble known ones."""
    known = (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS, *targets)
    expected = [name for name in known if name not in written]
    for column in columns:
        if column and columns.count(column) > 1:
            raise CorpusError(f"{table}, line 1: column '{column}' appears {columns.count(column)} times. Keep one.")
    further = [column for column in columns if column and column not in (*known, *chosen)]
    if wrong := find_misspelt([column for column in columns if column in (*further, *known)], expected):
        if wrong[1] in columns:
            raise CorpusError(
                f"{table}, line 1: received the columns '{wrong[1]}' and '{wrong[0]}'. Keep one, or rename the other."
            )
        raise CorpusError(f"{table}, line 1: unknown column '{wrong[0]}'. {suggestion(wrong[1], expected)}")
    absent = [name for name in expected if name not in columns]
    meant = {
        column: similar_name(column, columns) or next(iter(get_close_matches(column.lower(), absent, n=1, cutoff=0.8)), "")
        for column in further
    }
    return [
        f"The column '{column}' is kept as an extra column; to use it, name it '{name}'."
        for column, name in meant.items()
        if name in absent
    ]


def _check_targets(table: Path, columns: list[str], named: list[str], task_type: str) -> None:
    """Raise CorpusError if named targets are used for another task than regression, or together with a label."""
    if named and task_type != "regression":
        raise CorpusError(
            f"{table}, line 1: {', '.join(named)}: these columns are numbers to predict. Give --task-type regression, or one "
            "column 'label' for classification."
        )
    if named and ("label" in columns or NAMED in named):
        raise CorpusError(
            f"{table}, line 1: received the columns {', '.join(c for c in columns if c == 'label' or c in named)}; expected "
            f"one column 'label', or one or more '{NAMED}' followed by a name."
        )


class _Kind(NamedTuple):
    """The kind of values in a column.

    Attributes:
        allowed: Which texts are allowed, in words.
        is_allowed: Returns whether a text is allowed.
        value: Returns the value of an allowed text.
        empty: The value of an empty cell.
        may_be_empty: Whether a cell may be empty.
    """

    allowed: str
    is_allowed: Callable[[str], object]
    value: Callable[[str], object]
    empty: object = None
    may_be_empty: bool = True


def _read(kind: _Kind, text: str) -> object:
    if not text and kind.may_be_empty:
        return kind.empty
    if not kind.is_allowed(text):
        raise ValueError(kind.allowed)
    return kind.value(text)


def _is_finite(text: str) -> bool:
    return bool(NUMBER.fullmatch(text)) and math.isfinite(float(text))


_NAME = _Kind("text that is not empty", bool, str, may_be_empty=False)
_NUMBER = _Kind("a number with a decimal point and no unit", _is_finite, float, may_be_empty=False)
_FURTHER = _Kind("any text, or empty", bool, str)
_SECONDS = _Kind(
    "seconds, 0 or more, with a decimal point and no unit, or empty",
    lambda text: _is_finite(text) and float(text) >= 0,
    float,
    math.nan,
)
_KINDS = {
    **dict.fromkeys(("path", "item", "label", "clip"), _NAME),
    **dict.fromkeys(("start_s", "end_s"), _SECONDS),
    "phase": _Kind(f"{PHASE_NAMES} or nothing", lambda text: text.lower() in PHASES, lambda text: PHASES[text.lower()]),
    "fold": _Kind(
        "a whole number from 0, or empty",
        re.compile(r"\d+(\.0*)?").fullmatch,
        lambda text: int(text.split(".")[0]),  # 1.0 is 1
    ),
    "augmented": _Kind(
        "true (yes, 1), false (no, 0) or empty",
        lambda text: text.lower() in _TRUTHS,
        lambda text: _TRUTHS[text.lower()],
        empty=False,
    ),
}
