"""One fold of a feature store as batches: training, validation and test examples.

`FoldData` also has the statistics of the training items for normalisation. Examples are rows of the store in memory or read
from its files batch by batch; both give the same batches in the same order, on every backend. Augmented examples, random crops
and mixing are used only in training.
"""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from preprocessing.annotations.annotation_settings import FrameSettings
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.store import FeatureStore
from xval.base.errors import FoldsError
from xval.data import store_memory
from xval.data.class_weights import BALANCED, example_weights
from xval.data.examples import StoredExamples, WaveformExamples
from xval.data.frames import FrameExamples, frame_class_names
from xval.data.item_scaling import scale_items
from xval.data.target_scaling import target_scaling
from xval.folds.plan import Fold
from xval.folds.predefined import SIDES

Examples: TypeAlias = StoredExamples | WaveformExamples | FrameExamples


@dataclass(frozen=True)
class FoldData:
    """The examples of one fold.

    Attributes:
        store: The feature store.
        fold: The items of each side.
        class_names: Names of the classes 0, 1, ...; empty without classes.
        training: The training examples, including augmented ones.
        sides: The examples to evaluate of each side with items, without augmented ones.
        clips: The clips to use, by side; all clips of a side that is missing.
    """

    store: FeatureStore
    fold: Fold
    class_names: tuple[str, ...]
    training: Examples
    sides: dict[str, Examples]
    clips: Mapping[str, Collection[str]] = field(default_factory=dict)

    @property
    def training_items(self) -> tuple[str, ...]:
        """The training items that have examples in the store."""
        known = set(self.store.items)
        return tuple(item for item in self.fold.training if item in known)

    @cached_property
    def target_deviation(self) -> NDArray[np.float32]:
        """For a regression, the standard deviation of the training items' targets: float32 (n_outputs,)."""
        return target_scaling(self.store, self.training_items, self.clips.get("training")).deviation

    def class_weights(self, setting: str = BALANCED) -> NDArray[np.float32] | None:
        """Return a weight per training example by the setting class_weights, float32 (n_examples,); None: equal weights."""
        return example_weights(setting, self.training.targets, self.class_names)


def load_fold(
    store: FeatureStore,
    fold: Fold,
    settings: FeatureSettings | None = None,
    *,
    in_memory: bool,
    in_memory_mb: float = math.inf,
    frames: FrameSettings | None = None,
    random_excerpts: bool = False,
    clips: Mapping[str, Collection[str]] | None = None,
    scaled_by_item: bool = False,
    enrolment: Mapping[str, Collection[str]] | None = None,
) -> FoldData:
    """Return the examples of one fold.

    Args:
        store: The feature store.
        fold: The items of each side; validation and test items may be missing.
        settings: The settings for making and cutting waveforms; not needed for stored features.
        in_memory: Keep the store in the memory of this process, for this fold and the next ones; otherwise read the files batch
            by batch.
        in_memory_mb: Largest size of a store to keep in memory (MB); a larger one is read from its files.
        frames: The settings for cutting recordings into frames with labels; None: clips have labels.
        random_excerpts: Train on sequences of frames from random places.
        clips: The clips to use, by side; all clips of a side that is missing.
        scaled_by_item: Whether the features of each item are scaled by its own clips, see `scale_items`.
        enrolment: The clips that scale the items of a side, if they differ from ``clips``.

    Raises:
        FoldsError: A side has no example, or no frame that can be used.
    """
    clips = clips or {}
    scaling = scale_items(store, fold, clips, enrolment, settings=settings) if scaled_by_item else None
    held = store_memory.hold(store, in_memory_mb if in_memory else 0, scaling)
    if held is not None:
        store = held.store
    known = set(store.items)
    items = {side: tuple(item for item in getattr(fold, side) if item in known) for side in SIDES if getattr(fold, side)}
    read: Callable[..., Examples] = partial(StoredExamples, store, held=held, scaling=scaling, settings=settings)
    crop = {}
    if store.is_waveform and settings is None:
        raise ValueError("a store of waveforms needs the feature settings that define how clips are cut")
    if frames is not None and settings is not None:
        read = partial(_read_frames, store, frames, settings.sample_rate_hz, held=held)
        crop = {"random": True} if random_excerpts else {}
    elif store.is_waveform and settings is not None:
        read = partial(WaveformExamples, store, settings=settings, held=held)
        crop = {} if settings.crop_s is None else {"crop": True}
    sides = {side: read(items=side_items, augmented=False, clips=clips.get(side)) for side, side_items in items.items()}
    for side, examples in sides.items():
        if isinstance(examples, FrameExamples) and not examples.weights.any():
            raise FoldsError(
                f"fold {fold.number}: no frame of the {side} items can be used: their recordings are missing from "
                f"{store.folder} (see left_out.csv there), not annotated by the annotator in annotation_policy, or disputed "
                "throughout."
            )
        if not len(examples):
            raise FoldsError(
                f"fold {fold.number}: no {side} example is left in {store.folder}. See left_out.csv there for the reasons."
            )
    has_copies = bool(store.examples["augmented"].any())
    training = sides["training"]
    if crop or has_copies:
        training = read(items=items["training"], augmented=True, clips=clips.get("training"), **crop)
    class_names = store.class_names if frames is None else frame_class_names(store, frames.label_form)
    return FoldData(store, fold, class_names, training, sides, clips)


def _read_frames(
    store: FeatureStore,
    settings: FrameSettings,
    sample_rate_hz: int,
    items: tuple[str, ...],
    *,
    augmented: bool,  # noqa: ARG001 - recordings have no augmented copies, whose annotations would not fit
    **options: Any,
) -> FrameExamples:
    return FrameExamples(store, items, settings, sample_rate_hz, **options)


def measured(examples: Examples, predictions: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Return the targets and predictions for metrics: for frames, a row for each frame with a weight."""
    if isinstance(examples, FrameExamples):
        counted = examples.weights > 0
        return examples.targets[counted], predictions[counted]
    return examples.targets, predictions
