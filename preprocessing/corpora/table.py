"""Any corpus that is described by a csv file, one line per clip.

Layout: a header line, separated by commas, semicolons or tabs, in UTF-8. Columns: path, item, label; optionally clip,
phase, fold, start_s, end_s, source_clip, augmented. Other columns are ignored.
Paths are relative to the folder of the csv file, or to --audio-folder.
"""

import csv
import math
import re
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from preprocessing.clip_list import OPTIONAL_COLUMNS, REQUIRED_COLUMNS
from xval.errors import CorpusError, suggestion

if TYPE_CHECKING:
    import pandas as pd

_PHASES = {
    **dict.fromkeys(("training", "train", "1"), "training"),
    **dict.fromkeys(("validation", "valid", "val", "2"), "validation"),
    **dict.fromkeys(("test", "3", "4"), "test"),
}
_TRUTHS = {**dict.fromkeys(("true", "yes", "1"), True), **dict.fromkeys(("false", "no", "0"), False)}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_N_SHOWN = 5


def list_clips(
    audio_folder: Path,
    *,
    table: Path,
    task_type: Literal["classification", "regression"] = "classification",
) -> "pd.DataFrame":
    """Read the table.

    Args:
        audio_folder: What the paths are relative to (default: the folder of the table).
        table: The csv file.
        task_type: classification: labels are names, also when they are numbers; regression: labels are numbers.

    Returns:
        The columns of the table that xval knows, with one type each.

    Raises:
        CorpusError: The file is missing or no such table, or cells are wrong: each with its line, its column, what it
            holds and what is allowed. The audio folder is missing.
    """
    import pandas as pd

    columns, lines = _read(table)
    if not audio_folder.is_dir():
        raise CorpusError(f"No folder {audio_folder}. The paths in {table} are relative to it; give it with --audio-folder.")
    rows: list[dict[str, object]] = []
    faults: list[str] = []
    for line, cells in lines:
        if len(cells) != len(columns):
            faults.append(f"line {line}: {len(cells)} cells, but the header has {len(columns)}")
            continue
        row: dict[str, object] = {}
        for column, text in zip(columns, map(str.strip, cells), strict=True):
            if column not in _READERS:
                continue
            try:
                read = _number if column == "label" and task_type == "regression" else _READERS[column]
                row[column] = read(text)
            except ValueError as error:
                faults.append(f"line {line}, column {column}: received '{text}'; allowed: {error}")
        rows.append(row)
    if faults:
        more = f"\n  ... and {len(faults) - _N_SHOWN} more" if len(faults) > _N_SHOWN else ""
        raise CorpusError(f"{table} has wrong cells:\n  " + "\n  ".join(faults[:_N_SHOWN]) + more)
    if not rows:
        raise CorpusError(f"{table} has a header but no clips below it.")
    clips = pd.DataFrame(rows)
    if task_type == "classification" and all(_NUMBER.fullmatch(label) for label in clips["label"]):
        clips["label"] = [re.sub(r"\.0*$", "", label) for label in clips["label"]]
    return clips


def default_audio_folder(data_folder: Path, *, table: Path, **_: object) -> Path:  # noqa: ARG001 - same for all corpora
    """Return the folder of the table."""
    return table.parent


def default_dataset(*, table: Path, **_: object) -> str:
    """Return the name of the table's file without its ending."""
    return table.stem


def _read(table: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the header and the other lines with their numbers."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
            file.seek(0)
            delimiter = max(",;\t", key=header.count)
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            lines = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except OSError as error:
        raise CorpusError(f"{table} cannot be read: {error.strerror}. Give the path of a csv file.") from error
    except UnicodeDecodeError as error:
        raise CorpusError(f"{table} is not text in UTF-8 (byte {error.start}); save it as csv in UTF-8.") from error
    except csv.Error as error:
        raise CorpusError(f"{table} is no csv file: {error}.") from error
    if not lines:
        raise CorpusError(f"{table} is empty; its first line names the columns: {', '.join(REQUIRED_COLUMNS)}.")
    columns = [cell.strip() for cell in lines[0][1]]
    _check_header(table, columns)
    return columns, lines[1:]


def _check_header(table: Path, columns: list[str]) -> None:
    """Refuse a header without the required columns, with one twice, or with a misspelt one."""
    known = (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS)
    for column in REQUIRED_COLUMNS:
        if column not in columns:
            raise CorpusError(f"{table}, line 1: no column '{column}'. {suggestion(column, columns)}")
    for column in columns:
        if column in known and columns.count(column) > 1:
            raise CorpusError(f"{table}, line 1: column '{column}' stands there {columns.count(column)} times; keep one.")
        if column not in known and get_close_matches(column.lower(), known, n=1, cutoff=0.8):
            raise CorpusError(f"{table}, line 1: unknown column '{column}'. {suggestion(column.lower(), known)}")


def _text(text: str) -> str:
    """Read a cell that must not be empty."""
    if not text:
        raise ValueError("any text, but not nothing")
    return text


def _optional_text(text: str) -> str | None:
    """Read a cell that may be empty."""
    return text or None


def _phase(text: str) -> str | None:
    """Read a phase by any of its names."""
    if text and text.lower() not in _PHASES:
        raise ValueError("training (train, 1), validation (val, valid, 2), test (3, 4) or nothing")
    return _PHASES[text.lower()] if text else None


def _fold(text: str) -> int | None:
    """Read the number of a fold; 1.0 is 1."""
    if text and not re.fullmatch(r"\d+(\.0*)?", text):
        raise ValueError("a whole number from 0, or nothing")
    return int(text.split(".")[0]) if text else None


def _number(text: str) -> float:
    """Read a finite number."""
    if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise ValueError("a number, with a point and without a unit")
    return float(text)


def _seconds(text: str) -> float:
    """Read a time; an empty cell is NaN."""
    if text and (not _NUMBER.fullmatch(text) or not 0 <= float(text) < math.inf):
        raise ValueError("seconds, 0 or more, with a point and without a unit, or nothing")
    return float(text) if text else math.nan


def _truth(text: str) -> bool:
    """Read true or false; an empty cell is false."""
    if text and text.lower() not in _TRUTHS:
        raise ValueError("true (yes, 1), false (no, 0) or nothing")
    return bool(text) and _TRUTHS[text.lower()]


_READERS: dict[str, Callable[[str], object]] = {
    "path": _text,
    "item": _text,
    "label": _text,
    "clip": _text,
    "phase": _phase,
    "fold": _fold,
    "start_s": _seconds,
    "end_s": _seconds,
    "source_clip": _optional_text,
    "augmented": _truth,
}
