"""Read tables with a line per annotated segment of a recording, find the recordings, and report impossible lines.

All times are converted to seconds. The result is the input of `preprocessing.annotations.labels`.
"""

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from preprocessing.annotations.labels import BACKGROUND, Annotations
from preprocessing.audio.read import decode, read_header
from preprocessing.clips.label_sets import plain_name as plain_text
from preprocessing.clips.listing import list_audio, without_ending
from preprocessing.clips.notation import composed
from preprocessing.corpora._columns import column_of_labels
from preprocessing.corpora._reading import Reading
from preprocessing.corpora._table_files import Quoting
from preprocessing.corpora._tables import NUMBER, Fault, Lines, read_table, refuse_faults
from preprocessing.corpora._usual_names import lower_name, usual_name
from xval.base.errors import AudioError, CorpusError, counted, first_of, suggestion
from xval.base.operating_system import quote

if TYPE_CHECKING:
    import pandas as pd


_ALIASES = {
    **dict.fromkeys(("file", "fileid", "file_id", "filename", "file_name", "recording", "audio_filepath"), "path"),
    **dict.fromkeys(("start", "onset"), "start_s"),
    **dict.fromkeys(("end", "offset"), "end_s"),
}
_EXPECTED = "path (or FileID), start_s and end_s (or Start sample and End sample), label"
FILE_INFO = Path("FileInfo.csv")
"""The usual name of a table with a line per recording: its number (FileID) and perhaps its calls."""
_VOICE = re.compile(r"voice_(start|end)_sample_\((\d+)\)")
_FILE_INFO_COLUMNS = "FileID or File name, then Voice start sample (1), Voice end sample (1), (2) and so on"
_NAMING = ("fileid", "file_name", "file_folder")
_STRETCH = ("path", "start_s", "end_s", "start_sample", "end_sample")
# As in audio/open.py: a segment may end this much after the end of its file, because annotations are rounded.
_END_TOLERANCE_S = 0.01
_N_HINTS = 5
_Value = TypeVar("_Value")

Row = dict[str, str | float]
"""The cells of a line by the plain names of their columns, with path, start_s and end_s (NaN: the recording has no event)."""


class FileLine(NamedTuple):
    """A line of a FileInfo.csv.

    Attributes:
        number: Number of the line, from 1.
        cells: Its cells by the names of their columns, in lower case.
        calls: Start and end of each call in samples, as text.
    """

    number: int
    cells: dict[str, str]
    calls: list[tuple[str, str]]


class Recordings:
    """The `n_files` audio files of a folder, found by their names in a table; each header is read only once.

    Args:
        folder: The folder.
        expected: What the folder should contain, for errors.
        called: Another path, which a table may use, for each file; None: all files in the folder and below it, by their own
            paths.
    """

    def __init__(
        self,
        folder: Path,
        expected: str = "recordings as named in the annotation",
        called: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self._paths: dict[str, list[str]] = {}
        self._headers: dict[str, tuple[int, float]] = {}
        self._located: dict[str, str] = {}
        self._n_unknown = 0
        paths = {path: path for path in list_audio(folder, expected)} if called is None else called
        self.n_files = len(paths)
        for path, other in paths.items():
            whole, told = PurePosixPath(path), PurePosixPath(other)
            # By path or name, with or without ending; a set, because these are equal for a file at the top without an ending.
            paths_of_file = {path, whole.with_suffix("").as_posix(), other, told.with_suffix("").as_posix()}
            for name in {composed(name) for name in paths_of_file | {whole.name, whole.stem}}:
                self._paths.setdefault(name, []).append(path)

    def find(self, name: str) -> str:
        """Return the path of a recording, relative to the folder.

        Raises:
            ValueError: There is no recording of that name, or there are several.
        """
        if name in self._located:
            return self._located[name]
        return self._only(name, self.candidates(name))

    def locate(self, cells: Mapping[str, str]) -> str:
        """Return the path of the recording of a line, and store it for `find`; empty: there is no such recording.

        The recording is looked for by its name in its folder, then by its name only, then by its number (FileID).

        Args:
            cells: The cells of the line by the plain names of their columns.

        Raises:
            ValueError: Several recordings have this name.
        """
        key, name, folder = naming(cells), cells.get("file_name", ""), cells.get("file_folder", "")
        if key in self._located:
            return self._located[key]
        for called in (f"{folder}/{name}" if folder and name else "", name, cells.get("fileid", "")):
            if called and (paths := self.candidates(called)):
                self._located[key] = self._only(called, paths)
                return self._located[key]
        return ""

    def _only(self, name: str, paths: list[str]) -> str:
        if not paths:
            # Only for the first faults, which are shown: comparing thousands of names with thousands takes minutes.
            close = get_close_matches(name, self._paths, n=1) if self._n_unknown < _N_HINTS else []
            self._n_unknown += 1
            raise ValueError(
                f"there is no recording '{name}' in {self.folder}."
                + (f" Did you mean '{close[0]}'?" if close else "")
                + (
                    f" {FILE_INFO} next to it must list the recording (File name) of each number (FileID)."
                    if name.isdecimal()
                    else ""
                )
            )
        if len(paths) > 1:
            raise ValueError(f"'{name}' may be {paths[0]} or {paths[1]}. Give the folder and the ending")
        return paths[0]

    def candidates(self, name: str) -> list[str]:
        """Return the paths of the recordings to which a name may refer."""
        written = PurePosixPath(name.replace("\\", "/")).as_posix()
        plain = composed(written)
        # A table of wav files can be used for the same recordings in another format.
        paths = self._paths.get(plain) or self._paths.get(without_ending(plain), [])
        return [path for path in paths if path == written] or [path for path in paths if composed(path) == plain] or paths

    def header(self, path: str) -> tuple[int, float]:
        """Return the sample rate (Hz) and the duration (s) of a recording.

        Raises:
            ValueError: It cannot be read as audio.
        """
        if path not in self._headers:
            try:
                header = read_header(self.folder / path)
                rate_hz, duration_s = header.sample_rate_hz, header.duration_s
                if math.isnan(duration_s):
                    duration_s = decode(self.folder / path).samples.size / rate_hz
            except AudioError as error:
                raise ValueError(str(error)) from error
            self._headers[path] = rate_hz, duration_s
        return self._headers[path]


def naming(cells: Mapping[str, str]) -> str:
    """Return the name of a line's recording: its number, or its name in its folder."""
    folder, name = cells.get("file_folder", ""), cells.get("file_name", "")
    return cells.get("fileid", "") or (f"{folder}/{name}" if folder and name else name)


def plain_name(column: str) -> str:
    """Return the plain name of a column, by which columns are compared: start_sample for ``Start sample``, path for FileID."""
    plain = lower_name(column)
    return _ALIASES.get(plain, plain)


def read_header_line(
    annotation: Path, further: Collection[str] = (), reading: Reading | None = None, *, labels: Collection[str] = ()
) -> tuple[list[str], Lines]:
    """Return the plain names of the columns of a table of segments, and its lines with their numbers.

    Args:
        annotation: The table.
        further: The plain names of the columns to read in addition to path, start and end; cells of other columns are empty.
        reading: How its rows are read.
        labels: The plain names of the columns of the label.

    Raises:
        CorpusError: The file cannot be read as a table, or lacks a column.
    """
    needed, reading = {*_STRETCH, *further}, reading or Reading()
    header, lines = read_table(
        annotation,
        _EXPECTED,
        needed=lambda column: not needed.isdisjoint((plain_name(column), usual_name(column))),
        others=bool(reading.where),
        quoting=reading.quoting,
        notes=reading.notes,
    )
    if _is_file_info(header):
        columns, lines = _by_call(annotation, reading)
        return columns, reading.choose_rows([(column,) for column in columns], lines)
    columns = [plain_name(column) for column in header]
    if {"start_s", "end_s", "offset", "duration"} <= set(map(lower_name, header)):  # a json of NeMo, whose offset is a begin
        columns = [
            lower_name(name) if lower_name(name) == "offset" else column for name, column in zip(header, columns, strict=True)
        ]
    if "fileid" in map(lower_name, header):  # the number names a recording, and its other names say which that is
        columns = [
            column if lower_name(name) not in _NAMING[1:] else lower_name(name)
            for name, column in zip(header, columns, strict=True)
        ]
    for side in () if "start_sample" in columns else ("start_s", "end_s"):
        if side not in columns:
            columns = [side if usual_name(name) == side else column for name, column in zip(header, columns, strict=True)]
    in_seconds = {"start_s", "end_s"} <= set(columns)
    if "path" not in columns or not (in_seconds or {"start_sample", "end_sample"} <= set(columns)):
        said = f"{_EXPECTED}; or the columns of {FILE_INFO}: {_FILE_INFO_COLUMNS}. Found: {', '.join(header)}."
        raise CorpusError(" ".join([f"{annotation}, line 1: expected the columns {said}", *reading.notes]))
    if in_seconds and {"start_sample", "end_sample"} & set(columns):
        raise CorpusError(
            f"{annotation}, line 1: has times both in seconds and in samples: {', '.join(header)}. Keep one of the two."
        )
    for column in columns:
        if columns.count(column) > 1:
            twice = ", ".join(name for name in header if plain_name(name) == column)
            raise CorpusError(f"{annotation}, line 1: several columns mean the same: {twice}. Keep one of them.")
    if not lines:
        raise CorpusError(f"{annotation} has a header but no events.")
    lines = reading.blank_missing(columns, lines, labels=labels if len(labels) == 1 else ())
    return columns, reading.choose_rows(list(zip(header, columns, strict=True)), lines)


def read_file_info(path: Path, reading: Reading) -> tuple[list[str], list[FileLine]]:
    """Return the lower column names of a table of recordings and its lines, which may be longer or shorter than its header."""
    expected = "FileID, File name, Voice start sample (1), Voice end sample (1), ..."
    header, lines = read_table(
        path, expected, needed=lambda column: bool(_VOICE.fullmatch(lower_name(column))), quoting=reading.quoting
    )
    lines = reading.blank_missing(header, lines)
    columns = [lower_name(column) for column in header]
    voices = [place for place, column in enumerate(columns) if _VOICE.fullmatch(column)]
    sides = [column.partition("_sample")[0] for column in columns if _VOICE.fullmatch(column)]
    if not {"fileid", "file_name"} & set(columns) or not sides or sides != ["voice_start", "voice_end"] * (len(sides) // 2):
        raise CorpusError(f"{path}, line 1: expected {_FILE_INFO_COLUMNS}. Found: {', '.join(header[:12])}.")
    read = []
    for number, cells in lines:
        texts = [cell.strip() for cell in cells]
        padded = texts + [""] * (len(columns) - len(texts))
        edges = [padded[place] for place in voices] + padded[len(columns) :]
        edges += [""] * (len(edges) % 2)
        calls = [(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if start or end]
        read.append(FileLine(number, dict(zip(columns, padded, strict=False)), calls))
    return columns, read


def _is_file_info(header: Sequence[str]) -> bool:
    return any(_VOICE.fullmatch(lower_name(column)) for column in header)


def _by_call(file_info: Path, reading: Reading) -> tuple[list[str], Lines]:
    """Return a table of recordings as one of segments: a line per call, and one for a recording without calls."""
    columns, lines = read_file_info(file_info, reading)
    others = [column for column in columns if column not in _NAMING and not _VOICE.fullmatch(column)]
    rows = [
        (line.number, [naming(line.cells), start, end, *(line.cells.get(column, "") for column in others)])
        for line in lines
        for start, end in line.calls or [("", "")]
    ]
    return ["path", "start_sample", "end_sample", *others], rows


def _locate_numbers(annotation: Path, recordings: Recordings, quoting: Quoting | None) -> None:
    """Let recordings be found by their numbers (FileID), where a table says which file each is: its own, or FileInfo.csv."""
    header, _ = read_table(annotation, _EXPECTED, others=False, quoting=quoting)
    columns = list(map(lower_name, header))
    info_files = (folder / FILE_INFO for folder in (annotation.parent, recordings.folder, recordings.folder.absolute().parent))
    table = annotation if _is_file_info(header) else next((path for path in info_files if path.exists()), None)
    if {"fileid", "file_name"} <= set(columns):
        table = annotation
    elif "fileid" not in columns and table != annotation:
        return
    if table is None:
        return
    faults: list[Fault] = []
    for number, cells in _cells_of_recordings(table, quoting):
        try:
            recordings.locate(cells)
        except ValueError as error:
            faults.append(Fault(number, str(error)))
    refuse_faults(table, faults, "wrong recordings")


def _cells_of_recordings(table: Path, quoting: Quoting | None) -> list[tuple[int, dict[str, str]]]:
    """Return the number of each line of a table and its cells by lower column names."""
    header, lines = read_table(table, "FileID, File name", needed=lambda column: lower_name(column) in _NAMING, quoting=quoting)
    columns = list(map(lower_name, header))
    if not {"fileid", "file_name"} & set(columns):
        raise CorpusError(f"{table}, line 1: expected {_FILE_INFO_COLUMNS}. Found: {', '.join(header[:12])}.")
    return [(number, dict(zip(columns, map(str.strip, cells), strict=False))) for number, cells in lines]


def read_segments(
    annotation: Path,
    recordings: Recordings,
    *,
    item: str,
    labels: Sequence[str],
    alike: Sequence[str] = (),
    reading: Reading | None = None,
) -> list[Row]:
    """Read a table of segments.

    Args:
        annotation: The table.
        recordings: The recordings that it names.
        item: The plain name of the column of the item; ``recording`` if every recording is an item.
        labels: The plain names of the columns of the label, which must not be empty for an event. The column ``label`` may be
            missing if no other column looks like the label; then every event is labelled ``event``.
        alike: The plain names of columns in which two lines about the same segment must differ; none: every segment may be
            listed only once.
        reading: How the rows are read.

    Returns:
        The rows in the order of the file. A line without start and end means that its recording has no event.

    Raises:
        CorpusError: A column is missing, or lines have faults.
    """
    reading = reading or Reading()
    columns, lines = read_header_line(annotation, (item, "label", "annotator", *labels, *alike), reading, labels=labels)
    _locate_numbers(annotation, recordings, reading.quoting)
    needed = [name for name in (item, *labels) if name not in ("recording", "label")]
    for name in needed:
        if name not in columns:
            raise CorpusError(f"{annotation} has no column '{name}' for --item or --label. {suggestion(name, columns)}")
    if "label" in labels and "label" not in columns:
        meant = column_of_labels(name for name in columns if name not in (*_STRETCH, "annotator", item))
        if meant:
            raise CorpusError(
                f"{annotation}, line 1: no column 'label'. If it is '{meant}', give --label {quote(meant)}; if every event is "
                "of one class, --label none."
            )
    rows: list[tuple[int, Row]] = []
    faults: list[Fault] = []
    seen: dict[tuple[str | float, ...], tuple[int, Row]] = {}
    for line, cells in lines:
        row, wrong = _read_row(columns, cells, recordings)
        is_event = not has_no_event(row)
        wrong += [f"column {name} is empty" for name in (item, *labels) if row.get(name) == "" and (name == item or is_event)]
        faults += [Fault(line, what) for what in wrong]
        if wrong:
            continue
        rows.append((line, row))
        if has_no_event(row):
            continue
        key = (row["path"], row["start_s"], row["end_s"], *(row.get(name, "") for name in alike))
        first, other = seen.setdefault(key, (line, row))
        if first != line:
            faults.append(Fault(line, f"the same segment of {row['path']} as in line {first}. List each once"))
            if any(row.get(name) != other.get(name) for name in (item, *labels)):  # either of them may be right
                faults.append(Fault(first, f"the same segment as in line {line}, but with another label or item"))
    faults += _contradicted(rows)
    reading.refuse_faults(annotation, faults, len({line for line, _ in lines}), "wrong events")
    are_wrong = {fault.line for fault in faults}
    return [row for line, row in rows if line not in are_wrong]


def _contradicted(rows: Sequence[tuple[int, Row]]) -> list[Fault]:
    """Return a fault for each line without an event for a recording in which the same annotator has an event."""
    events = {(row["path"], row.get("annotator")): line for line, row in rows if not has_no_event(row)}
    told = ((line, row["path"], (row["path"], row.get("annotator"))) for line, row in rows if has_no_event(row))
    return [
        Fault(line, f"has no start and end, so {path} has no event, but line {events[key]} has one. Keep one of the two lines")
        for line, path, key in told
        if key in events
    ]


def has_no_event(row: Mapping[str, str | float]) -> bool:
    """Return whether a row only states that its recording has no event: its start is NaN."""
    return isinstance(row["start_s"], float) and math.isnan(row["start_s"])


def check_segment(start: float, end: float, unit: str, path: str, header: tuple[int, float]) -> tuple[float, float]:
    """Return start and end of a segment in seconds.

    Args:
        start: Start, in the unit.
        end: End, in the unit.
        unit: ``s`` or ``sample``.
        path: The recording, for errors.
        header: Its sample rate (Hz) and duration (s).

    Raises:
        ValueError: The segment ends before it starts, or is not inside the recording.
    """
    rate_hz, duration_s = header
    start_s, end_s = (start, end) if unit == "s" else (start / rate_hz, end / rate_hz)
    if end_s <= start_s:
        raise ValueError(f"the event starts at {start:g} and ends at {end:g}; expected an end after the start")
    if start_s >= duration_s or end_s > duration_s + _END_TOLERANCE_S:
        length = f"{duration_s:.2f} s" if unit == "s" else f"{counted(round(duration_s * rate_hz), 'sample')}"
        raise ValueError(f"the event from {start:g} to {end:g} is not inside {path}, which has {length}")
    return start_s, end_s


def read_number(text: str, column: str) -> float:
    """Return the number in a cell, 0 or more; a whole number if the name of the column ends with sample.

    Raises:
        ValueError: The cell has no such number.
    """
    whole = column.endswith("sample")
    if not NUMBER.fullmatch(text) or not 0 <= float(text) < math.inf or (whole and float(text) % 1):
        raise ValueError(f"column {column}: received '{text}'; expected {'a whole number' if whole else 'seconds'}, 0 or more")
    return float(text)


def recording_tables(segments: "pd.DataFrame", item: str) -> "tuple[pd.DataFrame, Annotations]":
    """Return the recordings and their annotations, from the segments of all annotators.

    Args:
        segments: One row per segment: path, start_s, end_s, item, label, annotator. A row without start and end, or with the
            label background, is no event, but states that the annotator listened to the recording.
        item: Value of the option item, for errors.

    Returns:
        One row per recording: path, item, label (all labels in it, sorted and joined with ``+``; background if there is none);
        and `Annotations` with the column path, in which every annotator of a recording has at least one row.

    Raises:
        CorpusError: A recording belongs to several items.
    """
    import pandas as pd

    recordings = []
    for path, rows in segments.groupby("path", sort=True):
        items = sorted(set(rows["item"]))
        if len(items) > 1:
            raise CorpusError(
                f"--item {item}: {path} belongs to the items {first_of(items, 3)}, but a whole recording is on one side of "
                "a fold. Give --item recording, or split the recording."
            )
        is_event = rows["start_s"].notna() & (rows["label"] != BACKGROUND)
        recordings.append((path, items[0], "+".join(sorted(set(rows.loc[is_event, "label"]))) or BACKGROUND))
    sounding = segments[segments["start_s"].notna() & (segments["label"] != BACKGROUND)]
    pairs = ["path", "annotator"]
    silent = segments[pairs].drop_duplicates().merge(sounding[pairs].drop_duplicates(), how="left", indicator=True)
    silent = silent.loc[silent["_merge"] == "left_only", pairs].assign(start_s=math.nan, end_s=math.nan, label="")
    columns = ["path", "start_s", "end_s", "label", "annotator"]
    annotations = pd.concat([rows[columns] for rows in (sounding, silent) if len(rows)], ignore_index=True)
    annotations = annotations.sort_values(["path", "start_s", "end_s", "annotator"], kind="stable", ignore_index=True)
    return pd.DataFrame(recordings, columns=["path", "item", "label"]), annotations


def _read_row(columns: Sequence[str], cells: Sequence[str], recordings: Recordings) -> tuple[Row, list[str]]:
    """Return the row of a line, and all its faults.

    An event with wrong times gets the start 0, so that it still counts as an event.
    """
    if len(cells) != len(columns):
        return {"start_s": math.nan}, [f"{len(cells)} cells, but the header has {len(columns)}"]
    row = {"label": "event"} | dict(zip(columns, map(plain_text, cells), strict=True))
    wrong: list[str] = []

    def checked(read: Callable[..., _Value], *arguments: Any) -> _Value | None:
        try:
            return read(*arguments)
        except ValueError as error:
            wrong.append(str(error))
            return None

    path = checked(recordings.find, row["path"])
    header = None if path is None else checked(recordings.header, path)
    unit = "s" if "start_s" in row else "sample"
    sides = [f"{side}_{unit}" for side in ("start", "end")]
    segment: tuple[float, float] | None = (math.nan, math.nan)
    if any(row[side] for side in sides):
        numbers = [checked(read_number, row[side], side) for side in sides]
        # Without a header, it can still be checked that the end is after the start.
        segment = None if None in numbers else checked(check_segment, *numbers, unit, path, header or (1, math.inf))
    times = {"start_s": 0.0} if segment is None else dict(zip(("start_s", "end_s"), segment, strict=True))
    return {**row, "path": path or "", **times}, wrong
