"""Read labelled clips from a folder of class folders, a table, or a prepared dataset, one row per clip."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from preprocessing.audio.read import describe_audio
from preprocessing.clips.facts import list_segments
from preprocessing.clips.index_file import INDEX_NAME, word_of_item
from preprocessing.clips.listing import ITEM_NAME, shorten
from preprocessing.clips.table import NAMED, check_clips, label_columns
from preprocessing.corpora import recognise, row_options
from preprocessing.corpora._reading import AS_IT_STANDS, RowOptions
from preprocessing.corpora.folders import audio_folder_of, list_labelled
from preprocessing.corpora.table import read_clips
from preprocessing.corpus import CUSTOM, Corpus, open_corpus
from preprocessing.corpus_folder import names_of
from preprocessing.parallel import Progress, map_in_processes
from preprocessing.store import open_store
from xval.base.errors import AudioError, CorpusError, SettingsError, suggestion
from xval.base.item_word import ITEM
from xval.base.operating_system import quote
from xval.data.item_scaling import enrolment_of
from xval.measures.task import find_task
from xval.reuse.inference import Segment

TABLE_SUFFIXES = (".csv", ".tsv", ".xlsx", ".parquet", ".json", ".jsonl")
_LONGEST_NAME = 80
_WANTED = (
    f"a folder whose folders are the classes, the folder of each class, a table ({', '.join(TABLE_SUFFIXES)}) with the "
    "columns path and label, or a prepared dataset: data/<dataset> or its name"
)


@dataclass(frozen=True)
class ReadOptions:
    """Options for reading labelled data.

    Attributes:
        data_folder: Folder of all prepared corpora.
        audio_folder: The folder that paths of a table or corpus are relative to; None: the folder of the table or corpus.
        item_pattern: Pattern that finds the item in the paths of a folder; see preprocessing/corpora/folders.py.
        label_pattern: Pattern that finds the label in these paths.
        items: Keep only these items; empty: all.
        labels: The class of each folder in a list of folders; see preprocessing/corpora/folders.py.
        rows: Options for reading rows of a table.
        names: Texts that are never missing values, regardless of `rows`: the classes of the model.
    """

    data_folder: Path = Path("data")
    audio_folder: Path | None = None
    item_pattern: str = "none"
    label_pattern: str = "none"
    items: tuple[str, ...] = ()
    labels: str = "none"
    rows: RowOptions = AS_IT_STANDS
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelledClips:
    """Clips with their labels.

    Attributes:
        name: Name in messages and of the folder of the report.
        corpus_names: Present and former names of a prepared corpus; empty: a folder or table.
        audio_folder: The folder that the paths are relative to.
        table: A row per clip: clip, path, item (str), start_s, end_s (float64; NaN: begin and end of the file), label (str, or
            float64 for a regression; several targets are ``label:<name>``), audio_hash (str; empty: not known yet), duration_s
            (float64; NaN: not known yet).
        features: float32, the example of each clip, for a corpus that a script made.
        annotations: clip, start_s, end_s, label, annotator, for recordings with events.
        item_word: The word for an item.
        note: A note for the user on how they were read; empty: none.
    """

    name: str
    corpus_names: tuple[str, ...]
    audio_folder: Path
    table: pd.DataFrame
    features: tuple[NDArray[np.float32], ...] | None = None
    annotations: pd.DataFrame | None = None
    item_word: str = ITEM
    note: str = ""

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.table)

    @property
    def target_columns(self) -> dict[str, str]:
        """The columns of the targets by name; ``{"label": "label"}`` for a single one."""
        return {column.removeprefix(NAMED): column for column in label_columns(self.table.columns)}

    def keep(self, kept: "NDArray[np.bool_] | pd.Series[bool]") -> "LabelledClips":
        """Return some of the clips: bool (n_clips,)."""
        chosen = np.asarray(kept, dtype=bool)
        features = None
        if self.features is not None:
            features = tuple(self.features[number] for number in np.flatnonzero(chosen))
        return replace(self, table=self.table[chosen].reset_index(drop=True), features=features)

    def enrolment(self, enrolment_s: float) -> NDArray[np.bool_]:
        """Return the first clips of each item, which scale it and are not tested: bool (n_clips,), see `enrolment_of`.

        Raises:
            CorpusError: No other clip of an item is left.
        """
        enrolled = enrolment_of(self.table["item"], self.table["duration_s"], enrolment_s)
        if short := sorted(set(self.table["item"]) - set(self.table["item"][~enrolled])):
            raise CorpusError(
                f"{self.name}: no clip of {shorten(short, 5)} is left to test. With the model's enrolment_s={enrolment_s:g} "
                "the first clips of a speaker, up to so many seconds, scale it, and only the others are tested. Give more "
                "clips of such speakers, or remove them."
            )
        return enrolled

    def audio(self, number: int) -> Path | Segment | NDArray[np.float32]:
        """Return a clip in a form that `SavedModel.predict` accepts."""
        if self.features is not None:
            return self.features[number]
        row = self.table.iloc[number]
        path = self.audio_folder / str(row["path"])
        if math.isnan(row["start_s"]) and math.isnan(row["end_s"]):
            return path
        return Segment(path, row["start_s"], row["end_s"])


def read_labelled_clips(data: str | Sequence[str], task_type: str, options: ReadOptions) -> LabelledClips:
    """Read the clips of a folder, a table or a prepared corpus, given by path or name; the task is that of the model.

    Each of several folders is a class with the folder's name.
    """
    given = [data] if isinstance(data, str) else list(data)
    if len(given) > 1 or options.labels != "none":
        clips = _read_folder([Path(folder) for folder in given], task_type, options)
    else:
        clips = _read(given[0], task_type, options)
    unknown = [item for item in options.items if item not in set(clips.table["item"])]
    if unknown:
        raise CorpusError(
            f"--items: {', '.join(given)} has no item '{unknown[0]}'. {suggestion(unknown[0], set(clips.table['item']))}"
        )
    return clips.keep(clips.table["item"].isin(options.items)) if options.items else clips


@contextmanager
def naming_reader(data: str, data_folder: Path) -> Iterator[None]:
    """Add the suitable corpus reader to errors about a folder that has no class folders."""
    try:
        yield
    except CorpusError as error:
        folder = Path(data)
        readers = recognise(folder) if folder.is_dir() and not (folder / INDEX_NAME).is_file() else []
        if not readers:
            raise
        reader = readers[0]
        place = "" if data_folder == Path("data") else f" --data-folder {quote(str(data_folder))}"
        raise CorpusError(
            f"{error} It has the layout of the corpus {' or '.join(readers)}. Prepare it with xval prepare "
            f"{reader} {quote(data)}{place}, and give {reader} instead of the folder."
        ) from error


def add_hashes(clips: LabelledClips, *, n_processes: int, progress: Progress | None) -> tuple[LabelledClips, pd.DataFrame]:
    """Add missing audio hashes and lengths, and skip clips that cannot be decoded or are silent, as preprocessing does.

    Returns:
        The clips with their hashes; path, item, reason of the skipped ones.
    """
    table = clips.table
    if (table["audio_hash"] != "").all():
        return clips, table.loc[[], ["path", "item"]].assign(reason="")
    file_segments = list_segments(table, clips.audio_folder)
    described = map_in_processes(
        _describe_clip, file_segments, n_processes=n_processes, progress=progress, is_first_reading=True
    )
    hashes, durations_s, reasons = map(list, zip(*described, strict=True))
    usable = np.array([not reason for reason in reasons])
    left_out = table[["path", "item"]].assign(reason=reasons)[~usable].reset_index(drop=True)
    return replace(clips, table=table.assign(audio_hash=hashes, duration_s=durations_s)).keep(usable), left_out


def _read(data: str, task_type: str, options: ReadOptions) -> LabelledClips:
    path = Path(data)
    folder = path.parent if path.name == INDEX_NAME else path
    if (folder / INDEX_NAME).is_file():
        return _read_corpus(open_corpus(folder.resolve().name, folder.resolve().parent), task_type, options)
    if path.is_dir():
        try:
            return _read_folder([path], task_type, options)
        except CorpusError as error:
            prepared = options.data_folder / data
            if (prepared / INDEX_NAME).is_file():
                raise CorpusError(f"{error} For the prepared dataset give {prepared}.") from error
            raise
    if path.is_file():
        return _read_table(path, task_type, options)
    available = [name for index in options.data_folder.glob(f"*/{INDEX_NAME}") for name in names_of(index.parent)]
    if data not in available:
        listed = suggestion(data, available).removeprefix("Available: ")
        corpora = f" Available in {options.data_folder}: {listed}" if available else ""
        raise CorpusError(f"{data}: there is no such folder, file or dataset. Expected {_WANTED}.{corpora}")
    return _read_corpus(open_corpus(data, options.data_folder), task_type, options)


def _read_folder(folders: Sequence[Path], task_type: str, options: ReadOptions) -> LabelledClips:
    task = find_task(task_type)
    if task.why_no_folder:
        raise CorpusError(f"{folders[0]}: {task.why_no_folder}")
    if options.audio_folder is not None:
        raise SettingsError("--audio-folder is only for tables and prepared datasets. Remove it.")
    _refuse_rows(options)
    patterns = (options.item_pattern, options.label_pattern)
    listed = list_labelled(folders, *patterns, options.labels, has_classes=task.needs_labels)
    reading = {"labels": options.labels, "label_pattern": options.label_pattern}
    kind = "classification" if task.needs_labels else "representation"
    audio_folder = audio_folder_of(folders, **reading, task_type=kind)
    return _complete("_".join(folder.resolve().name for folder in folders)[:_LONGEST_NAME], audio_folder, listed, task_type)


def _read_table(path: Path, task_type: str, options: ReadOptions) -> LabelledClips:
    if path.suffix.lower() not in TABLE_SUFFIXES:
        raise CorpusError(f"{path}: not a table. Expected {_WANTED}. Audio without labels: xval predict MODEL {path}")
    if why_not := find_task(task_type).why_no_table:
        raise CorpusError(f"{path}: {why_not}")
    _refuse_pattern(options)
    audio_folder = options.audio_folder or path.parent
    reading = options.rows.reading(options.names)
    listed = read_clips(path, audio_folder, find_task(task_type).corpus_type, reading=reading)
    if "augmented" in listed:
        listed = listed[~listed["augmented"]]
    if listed.empty:
        raise CorpusError(f"{path}: every clip is an augmented copy, and copies are never tested.")
    try:
        return replace(_complete(path.stem, audio_folder, listed, task_type), note=reading.note)
    except CorpusError as error:
        raise CorpusError(f"{path}: {error}") from error


def _complete(name: str, audio_folder: Path, listed: pd.DataFrame, task_type: str) -> LabelledClips:
    """Check a list of clips in the same way as preprocessing."""
    checked = check_clips(listed.reset_index(drop=True), audio_folder, task_type=find_task(task_type).corpus_type)
    columns = ["clip", "path", "item", *label_columns(checked.columns), "start_s", "end_s"]
    word = word_of_item(str(listed.attrs.get(ITEM_NAME, ""))) or ITEM
    return LabelledClips(name, (), audio_folder, checked[columns].assign(audio_hash="", duration_s=math.nan), item_word=word)


def _read_corpus(corpus: Corpus, task_type: str, options: ReadOptions) -> LabelledClips:
    _refuse_pattern(options)
    _refuse_rows(options)
    task = find_task(task_type)
    if corpus.task_type != task.corpus_type and task.needs_labels:
        raise CorpusError(
            f"{corpus.folder}: prepared for {corpus.task_type}, but this model is for {task_type}. Prepare it with other "
            f"options and another --dataset. {task.corpus_wanted}".rstrip()
        )
    index = corpus.index[~corpus.index["augmented"].astype(bool)].reset_index(drop=True)
    columns = ["clip", "path", "item", *label_columns(index.columns), "start_s", "end_s", "duration_s"]
    table = index[columns].assign(audio_hash=index["audio_hash"].fillna(""))
    word = corpus.item_name or ITEM
    if corpus.is_custom:
        return replace(_read_arrays(corpus, table), item_word=word)
    audio_folder = options.audio_folder or corpus.audio_folder
    if not audio_folder.is_dir():
        raise CorpusError(f"{corpus.folder}: its audio is no longer in {audio_folder}. Give the folder with --audio-folder.")
    annotations = corpus.annotations() if find_task(corpus.task_type).target == "frame" else None
    names = names_of(corpus.folder)
    return LabelledClips(corpus.dataset, names, audio_folder, table, annotations=annotations, item_word=word)


def _read_arrays(corpus: Corpus, table: pd.DataFrame) -> LabelledClips:
    """Return the examples of a corpus that a script made, one per clip."""
    store = open_store(corpus.folder / "features" / CUSTOM)
    examples = store.examples.set_index("clip").loc[table["clip"]]
    if store.is_waveform:
        samples, size = store.predictors(), store.description.frame_samples or 1
        segments = zip(examples["first_row"], examples["stop_row"], strict=True)
        frames = tuple(samples[first:stop].reshape(-1, size) for first, stop in segments)
        return LabelledClips(
            corpus.dataset, names_of(corpus.folder), corpus.folder, table, annotations=corpus.annotations(), features=frames
        )
    arrays, places = store.predictors(), examples["first_row"].to_numpy()
    features = tuple(arrays[place] for place in places)
    if len(store.target_names) > 1:
        rows = store.targets()[places]
        if rows.ndim != 2:
            raise CorpusError(f"{corpus.folder}: its targets have the shape {rows.shape[1:]}; expected numbers (n_outputs,).")
        columns = {f"{NAMED}{name}": rows[:, number] for number, name in enumerate(store.target_names)}
        table = table.drop(columns="label").assign(**columns)
    return LabelledClips(corpus.dataset, names_of(corpus.folder), corpus.folder, table, features=features)


def _refuse_pattern(options: ReadOptions) -> None:
    for what, pattern in (("item", options.item_pattern), ("label", options.label_pattern)):
        if pattern != "none":
            raise SettingsError(
                f"--{what}-pattern is only for folders; tables and prepared datasets have a column {what}. Remove it."
            )


def _refuse_rows(options: ReadOptions) -> None:
    for option in row_options():
        if (value := getattr(options.rows, option.name)) != option.default:
            raise SettingsError(f"{option.flag} {value}: is only for tables. Remove it.")


def _describe_clip(segment: tuple[Path, float | None, float | None]) -> tuple[str, float, str]:
    """Return the audio hash of a clip, its length (s) and an empty reason, or the reason why it cannot be used."""
    try:
        facts = describe_audio(*segment)
    except AudioError as error:
        return "", math.nan, str(error).removeprefix(f"{segment[0]}: ")
    return facts.audio_hash, facts.duration_s, ""
