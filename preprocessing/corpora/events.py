"""Recordings with annotated events: a table tells where in which recording each begins and ends.

Layout: a csv file with a line per event, several of one recording, which may overlap. Columns: path, file or FileID (the
recording, with or without folder and ending); start_s and end_s (or onset and offset) in seconds, or ``Start sample`` and
``End sample`` counted from 0 at the recording's own rate; label, else every event has the label ``event``; any others. Each
event is a clip.
Source and licence: those of the recordings.
"""

import math
from collections.abc import Sequence
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from preprocessing.corpora._layout import clip_table, list_audio
from preprocessing.corpora._tables import NUMBER, read_table, refuse_faults, without_ending
from xval.errors import AudioError, CorpusError, SettingsError, suggestion

if TYPE_CHECKING:
    import pandas as pd

_ALIASES = {
    **dict.fromkeys(("file", "fileid", "file_id", "filename", "file_name", "recording"), "path"),
    **dict.fromkeys(("start", "onset"), "start_s"),
    **dict.fromkeys(("end", "offset"), "end_s"),
}
_EXPECTED = "path (or FileID), start_s and end_s (or Start sample and End sample), label"
# As in audio.py: a stretch may end this much behind its file, for annotations are rounded.
_END_TOLERANCE_S = 0.01
_BACKGROUND = "background"
_N_HINTS = 5


def list_clips(
    audio_folder: Path,
    *,
    annotation: Path,
    item: str = "recording",
    label: str = "label",
    background: bool = False,
    min_background_s: float = 1.0,
    max_background_s: float = 10.0,
) -> "pd.DataFrame":
    """List the annotated events, and what lies between them where asked.

    Args:
        audio_folder: Where the recordings are (default: the folder of the annotation).
        annotation: The csv file.
        item: What stays on one side of a split: recording, or a column of the annotation.
        label: The column of the class, or several with commas, which are joined.
        background: true: also take the stretches between events, labelled background, of the recordings that the annotation
            names. Beware: what nobody annotated is not always free of events.
        min_background_s: Shorter stretches between events are passed over.
        max_background_s: Longer ones are cut into equal pieces, none longer than this.

    Returns:
        path, item, label, start_s, end_s, sorted by path and begin.

    Raises:
        CorpusError: The annotation or the folder is missing or no such thing; events lie outside their recording, end before
            they begin, or belong to no recording: the first few with their lines.
        SettingsError: Lengths of background that cannot be.
    """
    import pandas as pd

    if not 0 < 2 * min_background_s <= max_background_s < math.inf:
        raise SettingsError(
            f"--min-background-s {min_background_s:g} --max-background-s {max_background_s:g}: above 0 is allowed, and a "
            "maximum of twice the minimum or more, so that no piece falls below the minimum."
        )
    columns, lines = _read_annotation(annotation)
    names = [_plain(name) for name in label.split(",")]
    item_column = _plain(item) if _plain(item) != "path" else "recording"
    needed = [name for name in (item_column, *names) if name not in ("recording", "label")]
    for name in needed:
        if name not in columns:
            raise CorpusError(f"{annotation} has no column '{name}' for --item or --label. {suggestion(name, columns)}")
    recordings = _Recordings(audio_folder)
    events: list[dict[str, str | float]] = []
    faults: list[str] = []
    seen: dict[tuple[str | float, ...], int] = {}
    for line, cells in lines:
        try:
            event = _read_event(columns, cells, (*needed, *names), recordings)
        except ValueError as error:
            faults.append(f"line {line}: {error}")
            continue
        first = seen.setdefault((event["path"], event["start_s"], event["end_s"]), line)
        if first != line:
            faults.append(f"line {line}: the same stretch of {event['path']} as in line {first}; each stands once")
        events.append(event)
    refuse_faults(annotation, faults, "wrong events")
    facts = pd.DataFrame(events)
    facts["recording"] = facts["path"]
    facts = facts[list(dict.fromkeys(["path", "start_s", "end_s", "recording", "label", *needed]))]
    facts = facts.sort_values(["path", "start_s", "end_s"], kind="stable", ignore_index=True)
    clips = clip_table(facts, item=item_column, label=",".join(names))
    _refuse_shared(clips, item)
    if background:
        between = _list_background(clips, recordings, min_background_s, max_background_s)
        clips = pd.concat([clips, between]).sort_values(["path", "start_s", "end_s"], kind="stable", ignore_index=True)
    return clips[["path", "item", "label", "start_s", "end_s"]]


def default_audio_folder(data_folder: Path, *, annotation: Path, **_: object) -> Path:  # noqa: ARG001 - same for all corpora
    """Return the folder of the annotation."""
    return annotation.parent


def default_dataset(*, annotation: Path, **_: object) -> str:
    """Return the name of the annotation's file without its ending."""
    return annotation.stem


class _Recordings:
    """The audio files of a folder: found by what an annotation calls them, each opened once for its header."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths: dict[str, list[str]] = {}
        self._headers: dict[str, tuple[int, float]] = {}
        self._n_unknown = 0
        for path in list_audio(folder, "recordings, as the annotation names them"):
            whole = PurePosixPath(path)
            # By path or name, with or without ending; a set, for these are the same for a file at the top without an ending.
            for name in {path, whole.with_suffix("").as_posix(), whole.name, whole.stem}:
                self._paths.setdefault(name, []).append(path)

    def find(self, name: str) -> str:
        """Return the path of a recording, relative to the folder.

        Raises:
            ValueError: There is none of that name, or several.
        """
        plain = PurePosixPath(name.replace("\\", "/")).as_posix()
        # A table of wav files fits the same recordings in another format.
        found = self._paths.get(plain) or self._paths.get(without_ending(plain), [])
        found = [path for path in found if path == plain] or found
        if not found:
            # Only the first faults are shown, and comparing thousands of names with thousands takes minutes.
            close = get_close_matches(name, self._paths, n=1) if self._n_unknown < _N_HINTS else []
            self._n_unknown += 1
            raise ValueError(f"no recording '{name}' in {self._folder}." + (f" Did you mean '{close[0]}'?" if close else ""))
        if len(found) > 1:
            raise ValueError(f"'{name}' may be {found[0]} or {found[1]}; give the folder and the ending")
        return found[0]

    def header(self, path: str) -> tuple[int, float]:
        """Return the sample rate (Hz) and the duration (s) of a recording.

        Raises:
            ValueError: It is no audio.
        """
        from preprocessing.audio import read_header

        if path not in self._headers:
            try:
                header = read_header(self._folder / path)
            except AudioError as error:
                raise ValueError(str(error)) from error
            self._headers[path] = header.sample_rate_hz, header.duration_s
        return self._headers[path]


def _plain(column: str) -> str:
    """Return the name of a column as it is compared: ``Start sample`` is start_sample, FileID is path."""
    plain = column.strip().lower().replace(" ", "_")
    return _ALIASES.get(plain, plain)


def _read_annotation(annotation: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the columns by their plain names, and the lines with their numbers."""
    header, lines = read_table(annotation, _EXPECTED)
    columns = [_plain(column) for column in header]
    in_seconds = {"start_s", "end_s"} <= set(columns)
    if "path" not in columns or not (in_seconds or {"start_sample", "end_sample"} <= set(columns)):
        raise CorpusError(f"{annotation}, line 1: expected the columns {_EXPECTED}. Found: {', '.join(header)}.")
    if in_seconds and {"start_sample", "end_sample"} & set(columns):
        raise CorpusError(f"{annotation}, line 1: events in seconds and in samples: {', '.join(header)}. Keep one of the two.")
    for column in columns:
        if columns.count(column) > 1:
            twice = ", ".join(name for name in header if _plain(name) == column)
            raise CorpusError(f"{annotation}, line 1: several columns of one meaning: {twice}. Keep one of them.")
    if not lines:
        raise CorpusError(f"{annotation} has a header but no events below it.")
    return columns, lines


def _read_event(columns: list[str], cells: list[str], needed: Sequence[str], recordings: _Recordings) -> dict[str, str | float]:
    """Return an event: its cells by column, with path, start_s, end_s and label.

    Raises:
        ValueError: It cannot be, or a needed cell is empty.
    """
    if len(cells) != len(columns):
        raise ValueError(f"{len(cells)} cells, but the header has {len(columns)}")
    row = {"label": "event"} | dict(zip(columns, map(str.strip, cells), strict=True))
    empty = [name for name in needed if not row[name]]
    if empty:
        raise ValueError(f"column {empty[0]} is empty")
    path = recordings.find(row["path"])
    rate_hz, duration_s = recordings.header(path)
    unit = "s" if "start_s" in row else "sample"
    start, end = (_read_number(row, f"{side}_{unit}") for side in ("start", "end"))
    start_s, end_s = (start, end) if unit == "s" else (start / rate_hz, end / rate_hz)
    if end_s <= start_s:
        raise ValueError(f"the event begins at {start:g} and ends at {end:g}; allowed: an end after the begin")
    if start_s >= duration_s or end_s > duration_s + _END_TOLERANCE_S:
        length = f"{duration_s:.2f} s" if unit == "s" else f"{round(duration_s * rate_hz)} samples"
        raise ValueError(f"the event from {start:g} to {end:g} does not lie in {path}, which has {length}")
    return {**row, "path": path, "start_s": start_s, "end_s": end_s}


def _read_number(row: dict[str, str], column: str) -> float:
    """Return a number from 0; samples are whole."""
    text = row[column]
    whole = column.endswith("sample")
    if not NUMBER.fullmatch(text) or not 0 <= float(text) < math.inf or (whole and float(text) % 1):
        raise ValueError(f"column {column}: received '{text}'; allowed: {'a whole number' if whole else 'seconds'}, 0 or more")
    return float(text)


def _refuse_shared(clips: "pd.DataFrame", item: str) -> None:
    """Refuse events of two items that overlap: what they share would be trained and tested."""
    for path, events in clips.groupby("path"):
        reached_s, owner = 0.0, ""
        for start_s, end_s, name in zip(events["start_s"], events["end_s"], events["item"], strict=True):
            if start_s < reached_s and name != owner:
                raise CorpusError(
                    f"--item {item}: in {path} an event of '{name}' begins at {start_s:g} s, before one of '{owner}' ends at "
                    f"{reached_s:g} s. What they share would be on both sides of a split; give --item recording."
                )
            if end_s > reached_s:
                reached_s, owner = end_s, name


def _list_background(clips: "pd.DataFrame", recordings: _Recordings, min_s: float, max_s: float) -> "pd.DataFrame":
    """Return a clip for every stretch without events, of the recordings that have events."""
    import pandas as pd

    rows: list[tuple[str, str, str, float, float]] = []
    for path, events in clips.groupby("path"):
        items = sorted(set(events["item"]))
        if len(items) > 1:
            raise CorpusError(
                f"--background true: {path} has events of the items {', '.join(items[:3])}, so that its background belongs to "
                "none of them. Give --item recording, or leave the background out."
            )
        rows += [
            (str(path), items[0], _BACKGROUND, start_s, end_s)
            for begin_s, stop_s in _gaps(events, recordings.header(str(path))[1])
            if stop_s - begin_s >= min_s
            for start_s, end_s in _cut(begin_s, stop_s, max_s)
        ]
    if not rows:
        raise CorpusError(f"--background true: no stretch of {min_s:g} s or more is without events. Lower --min-background-s.")
    return pd.DataFrame(rows, columns=["path", "item", "label", "start_s", "end_s"])


def _gaps(events: "pd.DataFrame", duration_s: float) -> list[tuple[float, float]]:
    """Return the stretches of a recording that no event covers; its events are sorted by their begin."""
    gaps, reached_s = [], 0.0
    for start_s, end_s in zip(events["start_s"], events["end_s"], strict=True):
        gaps.append((reached_s, start_s))
        reached_s = max(reached_s, end_s)
    return [*gaps, (reached_s, duration_s)]


def _cut(start_s: float, end_s: float, max_s: float) -> list[tuple[float, float]]:
    """Cut a stretch into equal pieces, none longer than the maximum; times to the microsecond."""
    n_pieces = math.ceil((end_s - start_s) / max_s)
    edges = [round(start_s + (end_s - start_s) * number / n_pieces, 6) for number in range(n_pieces)] + [end_s]
    return list(pairwise(edges))
