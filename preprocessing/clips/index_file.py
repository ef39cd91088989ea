"""Read and write the files of an index, corpus.parquet and annotations.parquet, completely or not at all.

corpus.parquet has a row per clip, and facts about the dataset in its metadata.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from preprocessing.clips import parquet_files
from preprocessing.clips.listing import ITEM_NAME
from preprocessing.clips.table import PHASES, label_columns
from preprocessing.file_replacement import replace_file
from xval.base.errors import CorpusError, counted
from xval.base.item_word import written_out

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow

FORMAT_VERSION = 1
INDEX_NAME = "corpus.parquet"
ANNOTATIONS_NAME = "annotations.parquet"
CORRECTIONS = "corrections"
"""Key of the fact about the corrections of labels (`preprocessing.clips.corrections`); missing: they are not corrected."""
LOST_SOUND = "lost_sound"
"""Key of the fact about parts of the sound that settings may discard (`preprocessing.audio.lost_sound`)."""

_METADATA_KEY = b"xval"
_ANNOTATION_COLUMNS: dict[str, parquet_files.Kind] = {
    "clip": "text", "start_s": "number", "end_s": "number", "label": "text or nothing", "annotator": "text or nothing",
}  # fmt: skip


def write_index_files(
    folder: Path,
    index: "pd.DataFrame",
    *,
    corpus: str,
    audio_folder: Path,
    task_type: str,
    class_names: Iterable[str],
    annotations: "pd.DataFrame | None",
    item_name: str = "",
    corrections: Mapping[str, Any] = MappingProxyType({}),
    lost_sound: Mapping[str, Any] | None = None,
) -> None:
    """Write annotations.parquet, if there are annotations, and then corpus.parquet.

    Args:
        folder: data/<dataset>.
        index: One row per clip, with the columns of an index; written in the order of item and clip.
        corpus: Name of the reader of the corpus.
        audio_folder: The folder to which paths are relative.
        task_type: Task of the dataset.
        class_names: Classes in their order; none for regression.
        annotations: One row per event: clip, start_s, end_s, label, annotator; None: clips have labels.
        item_name: Name of the column from which the items were read; empty: not known.
        corrections: Facts about corrected labels; empty: they are not corrected.
        lost_sound: Facts about parts of the sound that settings may discard; None: not measured.
    """
    import pyarrow

    schema = _schema(task_type, label_columns(index.columns))
    index = index[schema.names].sort_values(["item", "clip"], kind="stable", ignore_index=True)
    index = index.astype({"sample_rate_hz": "int64", "fold": "Int64"})
    if annotations is not None:
        replace_file(folder / ANNOTATIONS_NAME, lambda temporary: parquet_files.write_table(temporary, annotations))
    facts = {
        "format_version": FORMAT_VERSION,
        "corpus": corpus,
        "audio_folder": str(Path(audio_folder).resolve()),
        "task_type": task_type,
        "class_names": list(class_names),
        "item_column": "item",
        ITEM_NAME: item_name,
        "index_hash": hash_index(index, task_type=task_type, class_names=class_names, annotations=annotations),
        **({CORRECTIONS: dict(corrections)} if corrections else {}),
        **({LOST_SOUND: dict(lost_sound)} if lost_sound is not None else {}),
    }
    table = pyarrow.Table.from_pandas(index, schema=schema, preserve_index=False)
    table = table.replace_schema_metadata({**table.schema.metadata, _METADATA_KEY: json.dumps(facts)})
    replace_file(folder / INDEX_NAME, lambda temporary: parquet_files.write_table(temporary, table))


def word_of_item(column: str) -> str:
    """Return a word for an item from the name of its column, such as ``speaker`` from ``Speaker_ID``; empty: there is none."""
    column = {"path": "file"}.get(column, column)
    word = re.sub(r"[\W_]*(ids?|names?)$", "", column.lower()).replace("_", " ").strip()
    return written_out(word) if re.fullmatch(r"[a-z][a-z ]{1,19}", word) else ""


def read_index(path: Path) -> "tuple[pd.DataFrame, dict[str, Any]]":
    """Return the clips of corpus.parquet, one row each, and the facts about the dataset.

    Raises:
        CorpusError: The file is missing or damaged, or is not as preprocessing writes it: for example, a clip is listed twice,
            or has no item, length or label.
    """
    try:
        table = parquet_files.read_table(path)
        facts: dict[str, Any] = json.loads(table.schema.metadata[_METADATA_KEY])
        is_newer = facts["format_version"] > FORMAT_VERSION  # written by a newer version, whose columns are not known here
        index = parquet_files.to_frame(table)
        if not is_newer:
            index = index.astype({"fold": "Int64"})
            _check(index, facts)
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise _not_an_index(path, reason) from error
    return index, facts


def _check(index: "pd.DataFrame", facts: dict[str, Any]) -> None:
    """Raise ValueError for an index that preprocessing would not have written.

    Examples that a script provides (corpus custom) have no audio, and so no length and no sample rate.
    """
    targets, names = label_columns(index.columns), facts["class_names"]
    is_text = all(isinstance(facts[name], str) for name in ("corpus", "audio_folder", "task_type", "index_hash"))
    schema = _schema(facts["task_type"], targets)
    if not is_text or not targets or set(schema.names) - set(index.columns):
        raise ValueError(f"columns {', '.join(sorted(set(schema.names) - set(index.columns))) or 'label'} are missing")
    seconds = index["duration_s"]
    is_wrong = {
        "appears twice": index["clip"].duplicated(),
        "has no name": index["clip"].fillna("") == "",
        "has no item": index["item"].fillna("") == "",
        f"has no phase of {', '.join(PHASES)}": index["phase"].notna() & ~index["phase"].isin(PHASES),
    }
    if facts["corpus"] != "custom":
        is_wrong["has no length"] = ~(np.isfinite(seconds) & (seconds > 0))
        is_wrong["has no sample rate"] = ~(index["sample_rate_hz"] > 0)
    for column in targets:
        if facts["task_type"] == "regression":
            is_wrong[f"has no number as {column}"] = ~np.isfinite(index[column])
        elif facts["task_type"] == "classification":
            is_wrong["is of no class"] = ~index[column].isin(names)
    for fault, rows in is_wrong.items():
        if rows.any():
            raise ValueError(f"the clip {index['clip'][rows].iloc[0]!a} {fault} ({counted(int(rows.sum()), 'such clip')})")


def move_audio(path: Path, before: Path, after: Path) -> None:
    """Update the audio folder in corpus.parquet after a folder that contains it was renamed.

    Args:
        path: Path of corpus.parquet.
        before: The folder before it was renamed, as an absolute path.
        after: The folder now.
    """
    table = parquet_files.read_table(path)
    facts = json.loads(table.schema.metadata[_METADATA_KEY])
    audio_folder = Path(facts["audio_folder"])
    if audio_folder.is_relative_to(before):
        facts["audio_folder"] = str(after / audio_folder.relative_to(before))
        table = table.replace_schema_metadata({**table.schema.metadata, _METADATA_KEY: json.dumps(facts)})
        replace_file(path, lambda temporary: parquet_files.write_table(temporary, table))


def read_clip_hashes(folder: Path) -> "pd.DataFrame | None":
    """Return the audio hashes of the clips of a dataset, without reading the rest of its index.

    Args:
        folder: data/<dataset>.

    Returns:
        One row per clip, including augmented copies: item, clip and audio_hash. None: there is no index, or a clip has no hash.

    Raises:
        CorpusError: The index is damaged.
    """
    path = folder / INDEX_NAME
    if not path.is_file():
        return None
    try:
        table = parquet_files.read_frame(path, {"item": "text", "clip": "text", "audio_hash": "text or nothing"}, columns=())
    except (OSError, ValueError) as error:
        raise _not_an_index(path, error) from error
    return table if table["audio_hash"].fillna("").ne("").all() else None


def events_of(annotations: "pd.DataFrame", index: "pd.DataFrame") -> "pd.DataFrame":
    """Return the events of the recordings in an index, with the clip of each instead of its path.

    Args:
        annotations: One row per event: path, start_s, end_s, label, annotator.
        index: One row per recording: path, clip.

    Returns:
        clip, start_s, end_s, label, annotator; sorted in this order.

    Raises:
        CorpusError: No recording has an event.
    """
    events = annotations.merge(index[["path", "clip"]], on="path")[["clip", "start_s", "end_s", "label", "annotator"]]
    if events.empty:
        raise CorpusError(
            f"None of the {counted(len(index), 'usable recording')} has an annotated event. Check that the table of events "
            "belongs to these recordings."
        )
    return events.sort_values(["clip", "start_s", "end_s", "label", "annotator"], kind="stable", ignore_index=True)


def hash_index(
    index: "pd.DataFrame", *, task_type: str, class_names: Iterable[str], annotations: "pd.DataFrame | None" = None
) -> str:
    """Return the hash of the content of an index, thirty-two hex digits.

    Args:
        index: One row per clip, in the order in which they are written.
        task_type: Task of the dataset.
        class_names: Classes in their order.
        annotations: One row per event; None: clips have labels.
    """
    content = json.dumps([task_type, list(class_names)]) + index.to_csv(index=False, lineterminator="\n")
    if annotations is not None:
        content += annotations.to_csv(index=False, lineterminator="\n")
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()


def read_annotations(path: Path) -> "pd.DataFrame":
    """Return the events in annotations.parquet: clip, start_s, end_s (seconds in the recording), label, annotator.

    Raises:
        OSError, ValueError: It is missing, damaged, or lacks a column.
    """
    return parquet_files.read_frame(path, _ANNOTATION_COLUMNS)


def _not_an_index(path: Path, error: object) -> CorpusError:
    return CorpusError(f"{path} cannot be read as the index of a dataset: {error}.")


def _schema(task_type: str, targets: Iterable[str]) -> "pyarrow.Schema":
    import pyarrow

    text, number = pyarrow.string(), pyarrow.float64()
    return pyarrow.schema(
        {
            "clip": text,
            "path": text,
            "item": text,
            **dict.fromkeys(targets, number if task_type == "regression" else text),
            "start_s": number,
            "end_s": number,
            "duration_s": number,
            "sample_rate_hz": pyarrow.int64(),
            "phase": text,
            "fold": pyarrow.int64(),
            "source_clip": text,
            "augmented": pyarrow.bool_(),
            "audio_hash": text,
        }
    )
