"""Any dataset of the Hugging Face library ``datasets`` with an audio column, from a folder or from its cache.

Layout: a folder that ``save_to_disk`` wrote, a folder of parquet files, or the name of a dataset that was loaded before (for
folders of audio files use ``folders`` or ``table``). Nothing is downloaded. The encoded audio is written unchanged into the
audio folder, ``{split}/{row}.wav``, and decoded from there like any other audio. The splits train, validation and test become
phases. Rows, splits and the card may name only files in the dataset's own folder, after following links; for a dataset in the
cache, only files that the library downloaded and made for it. No code of a dataset is run.
Source and licence: those of the dataset; of the format https://huggingface.co/docs/datasets (Lhoest et al. 2021).
Needs the package datasets: pip install -e '.[huggingface]'
"""

from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from preprocessing.audio.formats import AUDIO_SUFFIXES
from preprocessing.clips.boundary import Boundary
from preprocessing.clips.label_sets import MULTI_LABEL, cell_of, read_cells, refuse_several, single_names
from preprocessing.corpora._huggingface_files import load_splits, offline
from preprocessing.corpora._layout import clip_table, refuse_unknown, split_names
from preprocessing.corpora._tables import refuse_measurements
from preprocessing.file_replacement import replace_file
from xval.base.errors import CorpusError, counted, verb_of

if TYPE_CHECKING:
    import pandas as pd

_PHASES = {"train": "training", "validation": "validation", "test": "test"}


def list_clips(
    audio_folder: Path,
    *,
    source: str,
    label: str = "label",
    item: str = "file",
    audio: str = "auto",
    config: str = "none",
    task_type: Literal["auto", "classification", "multilabel_classification", "regression"] = "auto",
) -> "pd.DataFrame":
    """Write the audio of a dataset into a folder, and list it.

    Args:
        audio_folder: Folder to write the audio into (default: DATA_FOLDER/<source>/audio).
        source: A folder, or the name of a dataset in the cache.
        label: A column, or several with commas: names are joined, numbers become several targets.
        item: The column that folds keep together, such as the speaker; file: each clip is an item, a random split.
        audio: The column of the audio; auto: the only one.
        config: The configuration of a dataset that has several; none: the only one.
        task_type: classification or regression; multilabel_classification: a cell is a list of names, or a text that separates
            them by ; or | or , ; auto: classification, but xval asks about numbers and about cells with several labels.

    Returns:
        path, item, label (or several), phase, in the order of splits and rows. ``attrs["note"]`` lists the other columns.
    """
    import pandas as pd

    parts, boundary = load_splits(source, config)
    features = next(iter(parts.values())).features
    column = _find_audio(features, audio)
    known = [name for name in features if name != column]
    names = split_names(label)
    for option, chosen in (("label", names), ("item", [] if item == "file" else [item])):
        refuse_unknown(option, chosen, known, "the dataset has no such column.")
    if task_type == "auto" and all(str(getattr(features[name], "dtype", "")).startswith("float") for name in names):
        raise CorpusError(f"--label {label}: the labels are numbers. To predict them, give --task-type regression.")
    kept = dict.fromkeys([*names, *([] if item == "file" else [item])])
    for split, part in parts.items():
        _refuse_decoded(part.features, [column, *kept], f"{source}, split {split}", lists=names)
    with offline():
        rows = [
            {"path": path, "file": path, **values, **({"phase": _PHASES.get(split)} if len(parts) > 1 else {})}
            for split, part in parts.items()
            for path, values in _write_audio(
                part.select_columns([column, *kept]), split, column, audio_folder, source, boundary
            )
        ]
    facts = pd.DataFrame(rows, dtype=object)  # otherwise whole numbers would become floats next to missing values
    labelled = facts[facts[[*kept]].notna().all(axis=1)].reset_index(drop=True)
    if labelled.empty:
        raise CorpusError(f"{source}: none of its {counted(len(facts), 'row')} has a value for {', '.join(kept)}.")
    numbers = names if task_type == "regression" else ()
    clips = clip_table(labelled, item=item, label=label, numbers=numbers, keeps_others=False)
    if task_type != "regression":
        clips["label"] = _read_labels(clips["label"].tolist(), task_type, f"--label {label}")
    if task_type == "auto":
        refuse_measurements(clips["label"].astype(str).tolist(), f"--label {label}")
    others = [name for name in known if name not in kept]
    n_lacking = len(facts) - len(labelled)
    missing = f"{n_lacking} of {len(facts)} rows {verb_of(n_lacking, 'lack')} label or item; " if n_lacking else ""
    clips.attrs["note"] = f"{missing}other columns: {', '.join(others)}" if others else missing.rstrip("; ")
    return clips


def default_audio_folder(data_folder: Path, *, source: str, **_: object) -> Path:
    """Return a folder named after the dataset."""
    return data_folder / default_dataset(source=source) / "audio"


def default_dataset(*, source: str, **_: object) -> str:
    """Return the last part of the dataset's name or folder."""
    return PurePosixPath(source.rstrip("/")).name


def _find_audio(features: Any, audio: str) -> str:
    import datasets

    columns = [str(name) for name, feature in features.items() if isinstance(feature, datasets.Audio)]
    if audio == "auto" and len(columns) == 1:
        return columns[0]
    if audio not in columns:
        what = "choose the column of the audio." if audio == "auto" else "this is not a column of audio."
        raise CorpusError(
            f"--audio {audio}: {what} Columns of audio: {', '.join(columns) or 'none'}; all: {', '.join(features)}."
        )
    return audio


def _read_labels(labels: list[Any], task_type: str, where: str) -> list[Any]:
    """Return labels, each of which may be a list; raise CorpusError for lists if the user has not chosen a task."""
    if task_type == MULTI_LABEL:
        return read_cells([str(cell_of(label)) for label in labels])[0]
    if any(isinstance(label, list) for label in labels):
        labels = single_names([str(cell_of(label)) for label in labels])
    if task_type == "auto":
        refuse_several([*map(str, labels)], where)
    return labels


def _refuse_decoded(features: Any, columns: list[str], where: str, *, lists: Collection[str]) -> None:
    """Raise CorpusError for labels and items that the library would decode, because it opens files and addresses in cells.

    The first of the columns is that of the audio; those in ``lists`` may have lists.
    """
    import datasets

    for name in columns:
        if name not in features:
            raise CorpusError(f"{where}: there is no column {name}, which another split has. Available: {', '.join(features)}.")
    for name in columns[1:]:
        inner, n_lists = features[name], 0
        while isinstance(inner, (datasets.List, datasets.LargeList)):
            inner, n_lists = inner.feature, n_lists + 1
        if not isinstance(inner, (datasets.Value, datasets.ClassLabel)) or n_lists > (name in lists):
            held = f"{'lists of ' * n_lists}{type(inner).__name__}"
            raise CorpusError(
                f"{where}: the column {name} has {held}; expected Value or ClassLabel, or for labels lists of these. "
                "Name another column (--label, --item)."
            )


def _write_audio(
    part: Any, split: str, column: str, folder: Path, source: str, boundary: Boundary
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Write the encoded audio of each row of a split; yield its path and the other values, classes by their names."""
    import datasets

    inner = {name: getattr(feature, "feature", feature) for name, feature in part.features.items()}  # elements of lists
    classes = {name: feature for name, feature in inner.items() if isinstance(feature, datasets.ClassLabel)}
    for number, row in enumerate(part.cast_column(column, datasets.Audio(decode=False))):
        cell = row.pop(column) or {}
        place = cell.get("path") or ""
        content = cell.get("bytes") or _read_named(place, boundary, f"{source}, row {number} of split {split}", source)
        if not content:
            raise CorpusError(f"Row {number} of split {split} has no audio in column {column} ({place or 'empty'}).")
        suffix = PurePosixPath(place).suffix.lower()
        path = f"{split}/{number:06}{suffix if suffix in AUDIO_SUFFIXES else '.wav'}"
        if not (folder / path).is_file() or (folder / path).read_bytes() != content:
            replace_file(folder / path, partial(Path.write_bytes, data=content), among_many=True)
        for name, feature in classes.items():
            row_labels = row[name] if isinstance(row[name], list) else [row[name]]
            named = [feature.int2str(value) for value in row_labels if value is not None and value >= 0]
            row[name] = named if isinstance(row[name], list) else next(iter(named), None)
        yield path, row


def _read_named(place: str, boundary: Boundary, where: str, source: str) -> bytes:
    """Return the content of a file that a row names instead of containing audio; empty: there is no such file.

    The content becomes a file of the corpus, so a dataset of somebody else must not be able to name any file of this machine.
    """
    if not place:
        return b""
    file = boundary.find(place)
    if file is None:
        own = source if Path(source).is_dir() else f"the cache of {source}"
        raise CorpusError(
            f"{where}: its audio {place!r} is outside {own} once links are followed, so it is not read. If it is wanted, "
            "save the dataset with its audio: dataset.save_to_disk(folder)."
        )
    return file.read_bytes() if file.is_file() else b""
