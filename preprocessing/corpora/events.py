"""Recordings with annotated events: a table has the recording, begin and end of each event.

Layout: a csv file with a row per event. Events of one recording may overlap. Columns: path, file or FileID (the recording,
with or without folder and ending); start_s and end_s (or onset and offset, start_time and end_time) in seconds, or ``Start
sample`` and ``End sample`` counted from 0 at the recording's own rate; label; item, for example if several recordings are of
one speaker; any others. Without a label each event has the label ``event``. Each event is a clip. A row without begin and end
means that the recording has no event. For frame classification the recordings are kept whole. If several people annotated
them, the column annotator has the name of the annotator. A recording that is not in the table is not annotated, so it is
excluded.
Source and licence: those of the recordings.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from preprocessing.annotations.labels import BACKGROUND, Annotations
from preprocessing.corpora._annotation_tables import (
    Recordings,
    Row,
    has_no_event,
    plain_name,
    read_header_line,
    read_segments,
    recording_tables,
)
from preprocessing.corpora._columns import column_of_items
from preprocessing.corpora._layout import clip_table
from preprocessing.corpora._reading import AS_IT_STANDS, Reading, RowOptions
from preprocessing.corpora._table_files import Quoting
from xval.base.errors import CorpusError, SettingsError, counted, first_of, verb_of
from xval.base.operating_system import quote

if TYPE_CHECKING:
    import pandas as pd

_NO_LABEL = "none"
_AUTO = "auto"
_RECORDING = "recording"
_MIN_BACKGROUND_S = 1.0
_MAX_BACKGROUND_S = 10.0


def list_clips(
    audio_folder: Path,
    *,
    annotation: Path,
    item: str = _AUTO,
    label: str = "label",
    background: bool = False,
    min_background_s: float = _MIN_BACKGROUND_S,
    max_background_s: float = _MAX_BACKGROUND_S,
    rows: RowOptions = AS_IT_STANDS,
) -> "pd.DataFrame":
    """List the annotated events, and, if requested, the segments between them.

    Args:
        audio_folder: The folder of the recordings (default: that of the annotation).
        annotation: The csv file.
        item: The unit that folds keep together: a column of the annotation, or recording; auto: the column item, if there is
            one, otherwise recording.
        label: The column of the class, or several with commas, which are joined; none: every event is ``event``.
        background: true: also make clips of the segments between events, with the label background, in the recordings that the
            annotation names. Check them, because a segment without annotation may still have events.
        min_background_s: Shorter segments between events are skipped.
        max_background_s: Longer segments are cut into equal pieces, none longer than this.
        rows: Which rows are read, and how.

    Returns:
        path, item, label, start_s, end_s, sorted by path and begin.
    """
    import pandas as pd

    if not 0 < 2 * min_background_s <= max_background_s < math.inf:
        raise SettingsError(
            f"--min-background-s {min_background_s:g} --max-background-s {max_background_s:g}; expected a minimum above 0 "
            "and a maximum of at least twice the minimum, so that no piece is shorter than the minimum."
        )
    item_column, names, notes = _columns(annotation, item, label, rows.quoting)
    recordings = Recordings(audio_folder)
    reading = rows.reading()
    listed = _read_events(annotation, recordings, item_column, names, reading=reading)
    facts = pd.DataFrame([row for row in listed if not has_no_event(row)])
    if facts.empty:
        raise CorpusError(f"{annotation} has no events, because no line has a start and an end.")
    facts["recording"] = facts["path"]
    facts = facts[list(dict.fromkeys(["path", "start_s", "end_s", "recording", item_column, *names]))]
    facts = facts.sort_values(["path", "start_s", "end_s"], kind="stable", ignore_index=True)
    clips = clip_table(facts, item=item_column, label=",".join(names), keeps_others=False)
    clips["label"] = [reading.rename(label) for label in clips["label"]]
    reading.refuse_unused(clips["label"])
    _refuse_shared(clips, item_column)
    if background:
        between = _list_background(clips, recordings, min_background_s, max_background_s)
        clips = pd.concat([clips, between]).sort_values(["path", "start_s", "end_s"], kind="stable", ignore_index=True)
    clips = clips[["path", "item", "label", "start_s", "end_s"]]
    clips.attrs["note"] = "; ".join(filter(None, [*notes, reading.note]))
    return clips


def list_recordings(
    audio_folder: Path,
    *,
    annotation: Path,
    item: str = _AUTO,
    label: str = "label",
    background: bool = False,
    min_background_s: float = _MIN_BACKGROUND_S,
    max_background_s: float = _MAX_BACKGROUND_S,
    rows: RowOptions = AS_IT_STANDS,
) -> "tuple[pd.DataFrame, Annotations]":
    """List whole recordings and their annotated events, for frame classification.

    The arguments are those of `list_clips`. The three about the background are not allowed, because with frames, everything in
    a recording outside of events is background.

    Returns:
        A row per recording that the annotation names: path, item, label (all labels in it, joined with ``+``; background if
        there is none); and `Annotations` with the column path. Lines labelled background are no events.
    """
    import pandas as pd

    if (background, min_background_s, max_background_s) != (False, _MIN_BACKGROUND_S, _MAX_BACKGROUND_S):
        raise SettingsError(
            f"--background {str(background).lower()} --min-background-s {min_background_s:g} --max-background-s "
            f"{max_background_s:g}: with frames, everything outside of events is background already. Remove these options."
        )
    item_column, names, notes = _columns(annotation, item, label, rows.quoting)
    audio = Recordings(audio_folder)
    reading = rows.reading()
    listed = _read_events(annotation, audio, item_column, names, alike=(*names, "annotator"), reading=reading)
    segments = pd.DataFrame(
        [
            {
                "path": row["path"],
                "start_s": row["start_s"],
                "end_s": row["end_s"],
                "item": row["path"] if item_column == _RECORDING else row[item_column],
                "label": "" if has_no_event(row) else reading.rename("_".join(str(row[name]) for name in names)),
                "annotator": row.get("annotator", ""),
            }
            for row in listed
        ]
    )
    reading.refuse_unused(segments["label"])
    recordings, annotations = recording_tables(segments, item_column)
    n_left_out = audio.n_files - len(recordings)
    left_out = (
        f"{n_left_out} of {counted(audio.n_files, 'recording')} {verb_of(n_left_out)} skipped, because {annotation.name} does "
        f"not list {'it' if n_left_out == 1 else 'them'}"
    )
    recordings.attrs["note"] = "; ".join(filter(None, [*notes, reading.note, left_out if n_left_out else ""]))
    return recordings, annotations


def default_audio_folder(data_folder: Path, *, annotation: Path, **_: object) -> Path:  # noqa: ARG001 - same for all corpora
    """Return the folder of the annotation."""
    return annotation.parent


def default_dataset(*, annotation: Path, **_: object) -> str:
    """Return the name of the annotation's file without its ending."""
    return annotation.stem


def _columns(annotation: Path, item: str, label: str, quoting: Quoting) -> tuple[str, list[str], list[str]]:
    """Return the plain names of the columns of the item and of the label, and notes about missing ones."""
    columns, _ = read_header_line(annotation, reading=Reading(quoting))
    names, notes = [plain_name(name) for name in label.split(",")], list[str]()
    if set(names) - set(columns) - {_NO_LABEL}:
        notes.append(f"{annotation.name} has no column 'label', so every event is labelled 'event'")
    column = plain_name(item)
    if column == _AUTO and column not in columns:
        column = "item" if "item" in columns else _RECORDING
        meant = column_of_items(name for name in columns if name not in names)
        if column == _RECORDING and meant:
            notes.append(
                f"each recording is an item; to keep recordings of one {meant} on one side of a split, give --item "
                f"{quote(meant)}"
            )
    return _RECORDING if column == "path" else column, names, notes


def _read_events(
    annotation: Path,
    recordings: Recordings,
    item: str,
    names: Sequence[str],
    alike: Sequence[str] = (),
    *,
    reading: Reading,
) -> list[Row]:
    """Return the rows of the annotation; without a column of the label, all events are of one class."""
    if names != [_NO_LABEL]:
        return read_segments(annotation, recordings, item=item, labels=names, alike=alike, reading=reading)
    rows = read_segments(annotation, recordings, item=item, labels=(), alike=alike, reading=reading)
    return [{**row, _NO_LABEL: "event"} for row in rows]


def _refuse_shared(clips: "pd.DataFrame", item: str) -> None:
    """Raise CorpusError if events of two items overlap: the overlap would be in training and test."""
    for path, events in clips.groupby("path"):
        reached_s, owner = 0.0, ""
        for start_s, end_s, name in zip(events["start_s"], events["end_s"], events["item"], strict=True):
            if start_s < reached_s and name != owner:
                raise CorpusError(
                    f"--item {item}: in {path} an event of '{name}' begins at {start_s:g} s, before one of '{owner}' ends at "
                    f"{reached_s:g} s. The overlap would be on both sides of a split. Give --item recording."
                )
            if end_s > reached_s:
                reached_s, owner = end_s, name


def _list_background(clips: "pd.DataFrame", recordings: Recordings, min_s: float, max_s: float) -> "pd.DataFrame":
    """Return a clip for every segment without events in the recordings that have events."""
    import pandas as pd

    rows: list[tuple[str, str, str, float, float]] = []
    for path, events in clips.groupby("path"):
        items = sorted(set(events["item"]))
        if len(items) > 1:
            raise CorpusError(
                f"--background true: {path} has events of the items {first_of(items, 3)}, so its background belongs to "
                "none of them. Give --item recording, or remove --background."
            )
        rows += [
            (str(path), items[0], BACKGROUND, start_s, end_s)
            for begin_s, stop_s in _gaps(events, recordings.header(str(path))[1])
            if stop_s - begin_s >= min_s
            for start_s, end_s in _cut(begin_s, stop_s, max_s)
        ]
    if not rows:
        raise CorpusError(f"--background true: no segment of {min_s:g} s or more is without events. Lower --min-background-s.")
    return pd.DataFrame(rows, columns=["path", "item", "label", "start_s", "end_s"])


def _gaps(events: "pd.DataFrame", duration_s: float) -> list[tuple[float, float]]:
    """Return the segments of a recording outside of its events, which are sorted by their start."""
    gaps, reached_s = [], 0.0
    for start_s, end_s in zip(events["start_s"], events["end_s"], strict=True):
        gaps.append((reached_s, start_s))
        reached_s = max(reached_s, end_s)
    return [*gaps, (reached_s, duration_s)]


def _cut(start_s: float, end_s: float, max_s: float) -> list[tuple[float, float]]:
    """Cut a segment into equal pieces, none longer than ``max_s``; times are rounded to microseconds."""
    n_pieces = math.ceil((end_s - start_s) / max_s)
    edges = [round(start_s + (end_s - start_s) * number / n_pieces, 6) for number in range(n_pieces)] + [end_s]
    return list(pairwise(edges))
