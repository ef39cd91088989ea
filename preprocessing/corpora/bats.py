"""Bat calls in long recordings, annotated twice.

Layout: wav files, with or without subfolders; ``FileInfo.csv`` with a row per recording: FileID, File name and, optionally,
File folder, then ``Voice start sample (1)``, ``Voice end sample (1)``, ``(2)`` and so on (further cells without a header are
more of these; none: no call); ``annotation.csv`` (or ``Annotations.csv``) with a row per call: FileID, Start sample, End
sample, and further columns, such as Context and Emitter. Samples are counted from 0 at the recording's own rate. The two
tables disagree, so they count as two annotators, ``fileinfo`` and ``annotation``. One of the tables may be missing.
Recordings that are in neither table are excluded. Echolocation is above 20 kHz: set --set sample_rate_hz= to the rate of the
files, also for the experiment.
Source and licence: those of the recordings. Prat, Taub, Pratt and Yovel (Scientific Data 4:170143, 2017) publish Egyptian
fruit bats in this layout.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from preprocessing.annotations.labels import Annotations, resolve_recordings
from preprocessing.corpora._annotation_tables import (
    FILE_INFO,
    FileLine,
    Recordings,
    check_segment,
    naming,
    read_file_info,
    read_number,
    recording_tables,
)
from preprocessing.corpora._reading import Reading
from preprocessing.corpora._tables import Fault, find_nearby, read_table, refuse_faults, wrong_widths
from preprocessing.corpora._usual_names import lower_name
from xval.base.errors import CorpusError, counted, suggestion, verb_of

if TYPE_CHECKING:
    import pandas as pd

_CALL = "call"
_RECORDING = "recording"
_ANNOTATION = Path("annotation.csv")
_PUBLISHED_ANNOTATION = Path("Annotations.csv")


class _Table(NamedTuple):
    """A table of calls, which counts as one annotator."""

    path: Path
    annotator: str
    columns: list[str]
    lines: list[FileLine]


def list_clips(
    audio_folder: Path,
    *,
    item: str = _RECORDING,
    label: str = _CALL,
    file_info: Path = FILE_INFO,
    annotation: Path = _ANNOTATION,
) -> "pd.DataFrame":
    """List the calls: whatever either table names, calls of one label that overlap as one.

    Args:
        audio_folder: The folder of the recordings.
        item: The unit that folds keep together: recording, or a column of either table (``Emitter``, ``Recording channel``)
            that has one value in each recording; recordings without one are excluded.
        label: call: all calls are of one class; or a column of either table (``Context``). Calls of a table without this column
            get the label that the other table has for all calls of the recording. If that table has no label, or several,
            only that table is used.
        file_info: The table of recordings; searched in the audio folder and next to it.
        annotation: The table of calls; searched in the same places.

    Returns:
        path, item, label, start_s, end_s, sorted by path and begin.
    """
    import pandas as pd

    recordings, annotations = list_recordings(audio_folder, item=item, label=label, file_info=file_info, annotation=annotation)
    events = [resolved.events.assign(path=path) for path, resolved in resolve_recordings(annotations, "union").items()]
    clips = pd.concat(events, ignore_index=True).merge(recordings[["path", "item"]], on="path")
    if clips.empty:
        raise CorpusError(f"{audio_folder}: the tables list no call in its recordings.")
    clips = clips[["path", "item", "label", "start_s", "end_s"]]
    clips.attrs["note"] = recordings.attrs["note"]
    return clips


def list_recordings(
    audio_folder: Path,
    *,
    item: str = _RECORDING,
    label: str = _CALL,
    file_info: Path = FILE_INFO,
    annotation: Path = _ANNOTATION,
) -> "tuple[pd.DataFrame, Annotations]":
    """List whole recordings and the calls in both tables; the arguments are those of `list_clips`.

    Returns:
        A row per recording: path, item, label (all labels in it, joined with ``+``; background if there is none); and
        `Annotations` with the column path, by the annotators ``fileinfo`` and ``annotation``.
    """
    audio = Recordings(audio_folder, "recordings of bats, such as files101/120601011047196133.WAV")
    reading = Reading()
    tables = _read_tables(audio_folder, file_info, annotation, reading)
    columns = sorted({column for table in tables for column in table.columns})
    for option, name, word in (("item", item, _RECORDING), ("label", label, _CALL)):
        if name != word and lower_name(name) not in columns:
            raise CorpusError(f"--{option} {name}: no table has this column. {suggestion(lower_name(name), [word, *columns])}")
    calls, n_missing = _read_calls(tables, audio, lower_name(item), lower_name(label))
    notes = [f"{_skipped(n_missing)}: there is no audio in {audio_folder}."] if n_missing else []
    n_named = calls["path"].nunique()
    placed = calls.assign(item=calls["path"]) if item == _RECORDING else _fill_items(calls)
    if n_without := n_named - placed["path"].nunique():
        notes.append(f"{_skipped(n_without)}: there is no {item}.")
    calls = placed.assign(label=_CALL) if label == _CALL else _fill_labels(placed)
    pairs = ["path", "annotator"]
    if n_passed := len(placed[pairs].drop_duplicates()) - len(calls[pairs].drop_duplicates()):
        notes.append(
            f"{counted(n_passed, 'time')} a table is ignored for a recording, because its calls there have no "
            f"{label}, or several."
        )
    if n_unnamed := audio.n_files - n_named:
        notes.append(f"{_skipped(n_unnamed)}: not listed in any table.")
    if calls.empty:
        raise CorpusError(f"{audio_folder}: no recording has both {item} and {label}. Choose other columns.")
    recordings, annotations = recording_tables(calls, item)
    recordings.attrs["note"] = " ".join([*notes, *reading.notes])
    return recordings, annotations


def _fill_items(calls: "pd.DataFrame") -> "pd.DataFrame":
    """Give rows without an item the item of their recording; remove recordings without an item."""
    first = calls[calls["item"] != ""].groupby("path")["item"].first()
    own = calls["item"].where(calls["item"] != "", calls["path"].map(first))
    return calls.assign(item=own)[own.notna()]


def _fill_labels(calls: "pd.DataFrame") -> "pd.DataFrame":
    """Give calls without a label the only label of their recording; if it has none or several, remove the annotator there."""
    is_call = calls["start_s"].notna()
    by_path = calls[is_call & (calls["label"] != "")].groupby("path")["label"].unique()
    only = by_path[by_path.map(len) == 1].map(lambda labels: labels[0])
    own = calls["label"].where(calls["label"] != "", calls["path"].map(only))
    filled = calls.assign(label=own)
    unknown = filled[is_call & own.isna()]
    keys = ["path", "annotator"]
    lost = set(map(tuple, unknown[keys].to_numpy()))
    return filled[[key not in lost for key in map(tuple, filled[keys].to_numpy())]]


def _read_calls(tables: Sequence[_Table], audio: Recordings, item: str, label: str) -> "tuple[pd.DataFrame, int]":
    """Return the calls of all tables, and the number of recordings in the tables that do not exist.

    Returns:
        One row per call: path, start_s, end_s (NaN: no call), annotator, item and label (empty: not in the table); and the
        number of missing recordings.
    """
    import pandas as pd

    rows: list[tuple[str, float, float, str, str, str]] = []
    missing: set[str] = set()
    for table in tables:
        faults: list[Fault] = []
        for line in table.lines:
            name = naming(line.cells)
            if name in missing:
                continue
            try:
                path = audio.locate(line.cells)
                if not path:
                    missing.add(name)
                    continue
                segments = _read_segments(line, path, audio)
            except ValueError as error:
                faults.append(Fault(line.number, str(error)))
                continue
            about = (table.annotator, line.cells.get(item, ""), line.cells.get(label, ""))
            rows += [(path, start_s, end_s, *about) for start_s, end_s in segments]
        refuse_faults(table.path, faults, "wrong calls")
    if not rows:
        raise CorpusError(
            f"None of the {counted(len(missing), 'recording')} that {tables[0].path} names is in the folder, such as "
            f"'{min(missing)}'. Give the folder of the recordings."
        )
    return pd.DataFrame(rows, columns=["path", "start_s", "end_s", "annotator", "item", "label"]), len(missing)


def _read_segments(line: FileLine, path: str, audio: Recordings) -> list[tuple[float, float]]:
    """Return start and end of the calls of a line (s); one pair of NaN if there is no call.

    Raises:
        ValueError: A call is impossible.
    """
    header = audio.header(path)
    segments = []
    for texts in line.calls:
        start, end = (read_number(text, f"{side} sample") for side, text in zip(("start", "end"), texts, strict=True))
        segments.append(check_segment(start, end, "sample", path, header))
    return segments or [(math.nan, math.nan)]


def _skipped(n_recordings: int) -> str:
    return f"{counted(n_recordings, 'recording')} {verb_of(n_recordings)} skipped"


def _read_tables(audio_folder: Path, file_info: Path, annotation: Path, reading: Reading) -> list[_Table]:
    """Return the tables that exist, the table of recordings first."""
    info = _locate(file_info, audio_folder, FILE_INFO)
    calls = _locate(annotation, audio_folder, _ANNOTATION)
    readers = ((info, _read_file_info), (calls, _read_annotation))
    tables = [read(path, reading) for path, read in readers if path is not None]
    if not tables:
        raise CorpusError(
            f"Neither {file_info} nor {annotation} is in {audio_folder} or next to it. Give --file-info or --annotation."
        )
    return tables


def _locate(path: Path, audio_folder: Path, default: Path) -> Path | None:
    """Return the path of a table; None: the default table does not exist."""
    table = find_nearby(path, audio_folder, default=default)
    if table is None and path == _ANNOTATION:
        table = find_nearby(_PUBLISHED_ANNOTATION, audio_folder, default=_PUBLISHED_ANNOTATION)
    if table is None and path != default:
        raise CorpusError(f"There is no file {path}, neither in {audio_folder} nor next to it.")
    return table


def _read_file_info(path: Path, reading: Reading) -> _Table:
    return _Table(path, "fileinfo", *read_file_info(path, reading))


def _read_annotation(path: Path, reading: Reading) -> _Table:
    needed = {"fileid", "start_sample", "end_sample"}
    header, lines = read_table(path, "FileID, Start sample, End sample", needed=lambda column: lower_name(column) in needed)
    lines = reading.blank_missing(header, lines)
    columns = [lower_name(column) for column in header]
    missing = needed - set(columns)
    if missing:
        raise CorpusError(f"{path}, line 1: expected FileID, Start sample, End sample. Found: {', '.join(header)}.")
    refuse_faults(path, wrong_widths(columns, lines), "wrong calls")
    read = []
    for number, cells in lines:
        row = dict(zip(columns, map(str.strip, cells), strict=True))
        edges = (row["start_sample"], row["end_sample"])
        read.append(FileLine(number, row, [edges] if any(edges) else []))
    return _Table(path, "annotation", columns, read)
