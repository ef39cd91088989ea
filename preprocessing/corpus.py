"""The index of a dataset, data/<dataset>/corpus.parquet, with a row per usable clip; left_out.csv has the others."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

from preprocessing.audio.lost_sound import summarise
from preprocessing.clips.augmented_copies import add_copies
from preprocessing.clips.columns import collect_columns, write_columns
from preprocessing.clips.corrections import Corrections, check_place, correct
from preprocessing.clips.facts import describe_clips
from preprocessing.clips.index_file import (
    ANNOTATIONS_NAME,
    CORRECTIONS,
    FORMAT_VERSION,
    LOST_SOUND,
    events_of,
    hash_index,
    read_annotations,
    read_index,
    word_of_item,
    write_index_files,
)
from preprocessing.clips.listing import ASK, ITEM_NAME, SHARED_FILES, SIMILAR_NAMES
from preprocessing.clips.same_files import first_paths
from preprocessing.clips.table import (
    NAMED,
    check_clips,
    check_names,
    class_names_of,
    label_columns,
    plain_path,
    refuse_shared_files,
)
from preprocessing.corpus_folder import command_to_make, corpus_folder, index_path
from preprocessing.file_replacement import replace_file
from xval.base.csv_text import guarded
from xval.base.errors import CorpusError, counted
from xval.base.operating_system import open_regular

if TYPE_CHECKING:
    import pandas as pd

    from preprocessing.parallel import Progress

LEFT_OUT_NAME = "left_out.csv"
CUSTOM = "custom"
"""The corpus name of an index that preprocessing.store.write made: its examples have no audio."""


@dataclass(frozen=True)
class Corpus:
    """The index of a dataset, and the folder of its audio.

    Attributes:
        folder: data/<dataset>.
        dataset: Name of the corpus in experiments.
        corpus: The file of corpora/ that listed it, or ``custom``.
        index: One row per usable clip, sorted by item and clip. Columns: clip, path (posix, relative to audio_folder; where
            clips are segments, the first path of those with the same content),
            item, label (str for classification, all labels of a clip with ``;`` between them where it may have several; float64
            for regression; a regression with several targets has float64
            columns ``label:<name>`` instead), start_s, end_s (float64; NaN: the file's begin, the file's end),
            duration_s, sample_rate_hz, phase (training, validation, test or null), fold (Int64), source_clip (str or
            null), augmented (bool), audio_hash.
        audio_folder: What the paths are relative to.
        task_type: The task of the labels, one of `clips.table.TASK_TYPES`.
        class_names: The single labels in natural order; for frame classification the classes of events; else empty.
        item_name: The word for an item, such as ``actor``; empty: not known.
        index_hash: Hash of the index, the class names and the events; it does not depend on the folder of the audio.
        corrections: For a corpus with labels that reviewers have corrected, the facts from `clips.corrections.correct`; else
            empty.
        lost_sound: The sound that settings may discard, as from `preprocessing.audio.lost_sound.summarise`; None: not measured,
            because an earlier version made the index.
    """

    folder: Path
    dataset: str
    corpus: str
    index: "pd.DataFrame"
    audio_folder: Path
    task_type: str
    class_names: tuple[str, ...]
    index_hash: str
    item_name: str = ""
    corrections: Mapping[str, Any] = field(default_factory=dict)
    lost_sound: Mapping[str, Any] | None = None

    @property
    def is_custom(self) -> bool:
        """Whether the user passed the examples as arrays, so that there is no audio for feature extraction."""
        return self.corpus == CUSTOM

    def annotations(self) -> "pd.DataFrame":
        """Return the events of recordings for frame classification: clip, start_s, end_s (in the clip), label, annotator."""
        path = self.folder / ANNOTATIONS_NAME
        try:
            return read_annotations(path)
        except (OSError, ValueError) as error:
            raise CorpusError(f"{path} cannot be read: {error}. Prepare it again: {command_to_make(self.dataset)}") from error

    def compute_hash(self) -> str:
        """Return the hash of the present index, which differs from `index_hash` if the files have been edited.

        Raises:
            CorpusError: annotations.parquet is missing or damaged.
        """
        is_annotated = self.task_type == "frame_classification" and (self.folder / ANNOTATIONS_NAME).exists()
        annotations = self.annotations() if is_annotated else None
        return hash_index(self.index, task_type=self.task_type, class_names=self.class_names, annotations=annotations)

    @property
    def target_columns(self) -> dict[str, str]:
        """The columns of the index that are targets, by name: ``{"label": "label"}`` for a single one."""
        return {column.removeprefix(NAMED): column for column in label_columns(self.index.columns)}

    @property
    def target_names(self) -> tuple[str, ...]:
        """The names of the targets of a regression; empty without names."""
        return tuple(name for name, column in self.target_columns.items() if column.startswith(NAMED))


def make_corpus(
    clips: "pd.DataFrame",
    audio_folder: Path,
    *,
    dataset: str,
    data_folder: Path,
    corpus: str,
    task_type: str = "classification",
    annotations: "pd.DataFrame | None" = None,
    corrections: Corrections | None = None,
    n_processes: int = 1,
    progress: "Progress | None" = None,
) -> tuple[Corpus, "pd.DataFrame"]:
    """Read every clip once, skip clips that cannot be used, and write the index.

    Args:
        clips: The result of `list_clips` of a corpus; see corpora/__init__.py for its columns.
        audio_folder: What the paths are relative to.
        dataset: Name of the corpus in experiments; the index is written to data_folder/dataset.
        data_folder: Folder of all corpora.
        corpus: The file of corpora/ that listed the clips.
        task_type: ``classification`` (labels become text), ``multilabel_classification`` (a clip has any number of labels),
            ``regression`` (labels are numbers), ``representation`` (clips need no label) or ``frame_classification`` (clips are
            recordings; what is labelled are their events).
        annotations: For frame classification, a row per event: path, start_s, end_s, label, annotator.
        corrections: Corrections on which reviewers agree, applied to the labels; requires a dataset name that has no corpus
            without corrections.
        n_processes: Number of processes that decode audio, which does not affect the result.
        progress: Receives the number of clips that have been read.

    Returns:
        The corpus, and the clips left out (path, item, reason), which are in left_out.csv too; ``attrs["lost_classes"]`` of
        these are the classes of which no usable clip.
    """
    folder = corpus_folder(dataset, data_folder)
    if corrections is not None:
        check_place(folder, task_type)
    answer = clips.attrs.get(SIMILAR_NAMES, "")
    listed = check_clips(clips, audio_folder, task_type=task_type)
    further = collect_columns(clips, listed["clip"])
    if annotations is None:
        listed = add_copies(listed, audio_folder)
    else:
        annotations = _listed_annotations(annotations, listed["path"], audio_folder)
        check_names(_with_events(annotations)["label"], "classes", answer)
        check_names(filter(None, annotations["annotator"]), "annotators", answer)
    described = describe_clips(listed, audio_folder, n_processes=n_processes, progress=progress)
    described, applied = (described, {}) if corrections is None else correct(described, corrections, answer)
    usable = described["reason"].isna()
    left_out = described.loc[~usable, ["path", "item", "reason"]].reset_index(drop=True)
    replace_file(folder / LEFT_OUT_NAME, lambda temporary: guarded(left_out).to_csv(temporary, index=False, encoding="utf-8"))
    if not usable.any():
        are_gone = not any(Path(audio_folder, path).exists() for path in left_out["path"])
        place = Path(audio_folder).resolve()
        advice = f" Paths are relative to {place}. Give another folder with --audio-folder." * are_gone
        given = str(clips["path"].iloc[0])
        if are_gone and (Path(given).is_absolute() or PureWindowsPath(given).is_absolute()):
            relative = f"'{PureWindowsPath(given).name}', which is relative to {place}"  # of either system
            advice = f" '{given}' is an absolute path, perhaps from another computer. Write it as {relative}."
        raise CorpusError(
            f"None of the {counted(len(left_out), 'clip')} of {corpus} in {audio_folder} can be used; {folder / LEFT_OUT_NAME} "
            f"has the reasons. The first: {left_out['path'][0]}: {left_out['reason'][0]}{advice}"
        )
    index = described[usable]
    if index["augmented"].all():
        raise CorpusError(
            f"Every clip of {corpus} in {audio_folder} that can be used is an augmented copy, and copies are never tested. "
            f"List the originals too; {folder / LEFT_OUT_NAME} says what is wrong with other clips."
        )
    index = index.assign(path=first_paths(index, audio_folder))
    if clips.attrs.get(SHARED_FILES) == ASK:
        refuse_shared_files(index)  # also of files with the same content, now that they have one path
    events = None if annotations is None else events_of(annotations, index)
    classes, listed_classes = (
        class_names_of(labelled["label"], task_type) if "label" in labelled else ()
        for labelled in (
            (index, described) if events is None or annotations is None else (_with_events(events), _with_events(annotations))
        )
    )
    left_out.attrs["lost_classes"] = tuple(name for name in listed_classes if name not in classes)
    opened = write_index(
        index,
        folder=folder,
        corpus=corpus,
        audio_folder=audio_folder,
        task_type=task_type,
        class_names=classes,
        annotations=events,
        further=further,
        item_name=word_of_item(str(clips.attrs.get(ITEM_NAME, ""))),
        corrections=applied,
        lost_sound=summarise(index[~index["augmented"]]),
    )
    return opened, left_out


def _listed_annotations(annotations: "pd.DataFrame", listed: Iterable[str], audio_folder: Path) -> "pd.DataFrame":
    """Return annotations with the paths of the listed recordings in one form; raise an error for other recordings."""
    names = {path: plain_path(path, audio_folder) for path in annotations["path"].unique()}
    if unknown := sorted(set(names.values()) - set(listed)):
        raise CorpusError(
            f"Events of {counted(len(unknown), 'recording')} that the dataset does not list: {', '.join(unknown[:3])}."
        )
    return annotations.assign(path=annotations["path"].map(names))


def _with_events(annotations: "pd.DataFrame") -> "pd.DataFrame":
    """Return the events without the rows of recordings without events."""
    return annotations.dropna(subset=["start_s"])


def open_corpus(dataset: str, data_folder: Path) -> Corpus:
    """Open the index that preprocessing made.

    Raises:
        CorpusError: There is no index, or it is damaged or of a newer version.
    """
    path = index_path(dataset, data_folder)
    try:
        index, facts = read_index(path)
    except CorpusError as error:
        raise CorpusError(f"{error} Prepare it again: {command_to_make(dataset)}") from error
    if facts["format_version"] > FORMAT_VERSION:
        raise CorpusError(
            f"{path} has format version {facts['format_version']}; expected at most {FORMAT_VERSION}. Update xval, or "
            f"prepare it again: {command_to_make(dataset)}"
        )
    return Corpus(
        folder=path.parent,
        dataset=dataset,
        corpus=facts["corpus"],
        index=index,
        audio_folder=Path(facts["audio_folder"]),
        task_type=facts["task_type"],
        class_names=tuple(facts["class_names"]),
        index_hash=facts["index_hash"],
        item_name=str(facts.get(ITEM_NAME, "")),  # made by an earlier version: not known
        corrections=facts.get(CORRECTIONS, {}),
        lost_sound=facts.get(LOST_SOUND),
    )


def fingerprint(dataset: str, data_folder: Path) -> str:
    """Return the SHA-256 of corpus.parquet, which changes when the index is made again with different content."""
    path = index_path(dataset, data_folder)
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}.") from error


def write_index(
    index: "pd.DataFrame",
    *,
    folder: Path,
    corpus: str,
    audio_folder: Path,
    task_type: str,
    class_names: Iterable[str],
    annotations: "pd.DataFrame | None" = None,
    further: "pd.DataFrame | None" = None,
    item_name: str = "",
    corrections: Mapping[str, Any] | None = None,
    lost_sound: Mapping[str, Any] | None = None,
) -> Corpus:
    """Write corpus.parquet, completely or not at all, and open it; annotations.parquet and columns.parquet are written first.

    Args:
        index: The columns of `Corpus.index`; others are dropped.
        folder: data/<dataset>, made if missing.
        corpus: The file of corpora/ that listed the clips, or ``custom``.
        audio_folder: What the paths are relative to.
        task_type: One of `clips.table.TASK_TYPES`.
        class_names: The labels in their order; empty where there are no classes.
        annotations: As of `Corpus.annotations`; None: there are none.
        further: Further columns, as of `clips.columns.collect_columns`; None: there are none.
        item_name: As of `Corpus`.
        corrections: As of `Corpus`; None: there are none.
        lost_sound: As of `Corpus`; None: it was not measured.

    Returns:
        The corpus, as from `open_corpus`.
    """
    write_columns(folder, index, further)
    write_index_files(
        folder, index, corpus=corpus, audio_folder=audio_folder, task_type=task_type, class_names=class_names,
        annotations=annotations, item_name=item_name, corrections=corrections or {}, lost_sound=lost_sound,
    )  # fmt: skip
    return open_corpus(folder.name, folder.parent)
