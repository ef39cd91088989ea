"""What a feature store looks like on disk: the names of its files, and what store.json says (`StoreDescription`).

writer.py writes a store by it, and `open_store` reads it.
"""

from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from preprocessing.clips.table import TaskType
from preprocessing.corpus import CUSTOM
from preprocessing.embeddings.embedder import EmbedderFacts

FORMAT_VERSION = 3

DESCRIPTION_NAME = "store.json"
PREDICTORS_NAME = "predictors.npy"
TARGETS_NAME = "targets.npy"
EXAMPLES_NAME = "examples.parquet"
MOMENTS_NAME = "moments.npz"
ANNOTATIONS_NAME = "annotations.parquet"
LEFT_OUT_NAME = "left_out.csv"
LEFT_OUT_COLUMNS = ("path", "item", "reason")

PREDICTORS_DTYPE = "<f4"
TARGETS_DTYPES = {
    "classification": "<i8",
    "multilabel_classification": "<f4",
    "regression": "<f4",
    "representation": "<i8",
    "frame_classification": "<i8",
}


class StoreDescription(BaseModel):
    """The content of store.json.

    Attributes:
        format_version: Of the store; a reader refuses a newer one than its own.
        task_type: What the examples are labelled for. For ``representation`` they are not, and all targets are 0; so they are
            for ``frame_classification``, whose labels are the events of annotations.parquet.
        class_names: What the targets 0, 1, ... mean, or the columns of several labels, or the classes of events; else empty.
        target_names: What the targets of a regression are, where its columns say so (``label:<name>``); else empty.
        index_hash: The index of which the examples were made.
        feature_settings: The settings that made the features; None for arrays that a script handed in.
        sample_rate_hz: Of the audio behind the features, or of the values of a script's frames; else None as above.
        clip_samples: Length that every clip was padded or cut to at that rate; None: each has its own. Of a store of waveforms:
            the length of the longest clip of the corpus before it was trimmed.
        example_shape: Shape of one example; of a store of waveforms (the longest clip,).
        target_shape: Shape of one target; () for classification, (n_classes,), 0 or 1, where a clip has several labels.
        item_counts: Examples of each item, sorted by item.
        embedder: What made the embeddings that it holds; None: it holds none.
        item_rows: Rows of each item in predictors.npy, where items follow each other in this order. A row is an example; of a
            store of waveforms a sample.
        is_waveform: A row is a sample, and examples have their own lengths.
        frame_samples: Values of a frame that a script handed in; None: there are none.
    """

    model_config = ConfigDict(frozen=True)

    format_version: int
    task_type: TaskType
    class_names: tuple[str, ...]
    target_names: tuple[str, ...] = ()
    index_hash: str
    feature_settings: dict[str, Any] | None
    sample_rate_hz: int | None
    clip_samples: int | None
    example_shape: tuple[PositiveInt, ...] = Field(min_length=1)
    target_shape: tuple[PositiveInt, ...]
    item_counts: dict[str, PositiveInt] = Field(min_length=1)
    item_rows: dict[str, PositiveInt]
    is_waveform: bool = False
    embedder: EmbedderFacts | None = None
    frame_samples: int | None = None

    @model_validator(mode="after")
    def _check_items(self) -> Self:
        if [*self.item_rows] != [*self.item_counts]:
            raise ValueError("item_rows and item_counts have other items")
        return self


def is_outdated(folder: Path) -> bool:
    """Return whether a store was made by an earlier version of xval, which wrote a file for each item."""
    return (folder / "predictors").is_dir()


def how_to_rebuild(folder: Path) -> str:
    """Return the last sentence of an error about a store."""
    if folder.name == CUSTOM:
        return "Run the script that writes it with preprocessing.store.write again."
    return f"Delete the folder {folder}; the next run makes it again."
