"""Open a feature store, whose arrays stay on disk until they are used, or write one from the arrays of a custom script.

store/writer.py writes the files of a store.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from pydantic import ValidationError

from preprocessing.clips.index_file import read_annotations
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.store import layout as layout
from preprocessing.store.arrays import check_arrays, check_task, write_arrays
from preprocessing.store.examples import read_examples
from preprocessing.store.frame_arrays import write_frame_arrays
from preprocessing.store.moments import DAMAGE, ItemSums, Moments, read_moments, read_moments_by_item
from xval.base.errors import CorpusError, suggestion
from xval.base.operating_system import read_regular

if TYPE_CHECKING:
    import pandas as pd

Mapped: TypeAlias = "np.memmap[Any, np.dtype[Any]]"


@dataclass(frozen=True)
class FeatureStore:
    """The predictors and targets of a corpus on disk, keyed by item.

    Attributes:
        folder: data/<dataset>/features/<key>.
        description: The content of store.json.
    """

    folder: Path
    description: layout.StoreDescription

    @property
    def key(self) -> str:
        """Return the hash of settings and index that names the folder, or ``custom``."""
        return self.folder.name

    @property
    def task_type(self) -> str:
        """Return the task of the labels; see `layout.StoreDescription`."""
        return self.description.task_type

    @property
    def class_names(self) -> tuple[str, ...]:
        """Return the names of the classes 0, 1, ..., or the classes of events; else empty."""
        return self.description.class_names

    @property
    def target_names(self) -> tuple[str, ...]:
        """Return the names of the targets of a regression (``0``, ``1`` ... if they have no names); else empty."""
        if self.task_type != "regression":
            return ()
        return self.description.target_names or tuple(map(str, range(self.target_shape[0])))

    @property
    def example_shape(self) -> tuple[int, ...]:
        """Return the shape of one example: (n_frames, n_bins) for audio; for waveforms (samples of the longest clip,)."""
        return self.description.example_shape

    @property
    def is_waveform(self) -> bool:
        """Whether it has the consecutive samples of clips with different lengths."""
        return self.description.is_waveform

    @property
    def target_shape(self) -> tuple[int, ...]:
        """Return the shape of one target: (n_outputs,) for regression, (n_classes,) for several labels, else ()."""
        return self.description.target_shape

    @property
    def items(self) -> tuple[str, ...]:
        """Return the items, sorted."""
        return tuple(self.description.item_counts)

    @property
    def counts(self) -> dict[str, int]:
        """Return the number of examples of each item."""
        return dict(self.description.item_counts)

    def __getitem__(self, item: str | int) -> tuple[Mapped, Mapped]:
        """Return the examples of an item and their targets; see `predictors` and `targets`."""
        return self.predictors(item), self.targets(item)

    def predictors(self, item: str | int | None = None) -> Mapped:
        """Return the examples of an item (None: of all): float32 (n_examples, *example_shape), memory-mapped and read-only.

        For waveforms, the samples of all clips, float32 (n_samples,), one clip after the other; see `examples`.
        """
        shape = () if self.is_waveform else self.example_shape
        rows = self._array(layout.PREDICTORS_NAME, (sum(self.description.item_rows.values()), *shape), layout.PREDICTORS_DTYPE)
        return rows if item is None else rows[self._find(str(item), self.item_slices)]  # type: ignore[return-value] # mapped

    def targets(self, item: str | int | None = None) -> Mapped:
        """Return the targets of an item (None: of all): int64 (n_examples,) or float32 (n_examples, *target_shape).

        The targets of all items are in the order of `examples`.
        """
        shape = (sum(self.description.item_counts.values()), *self.target_shape)
        rows = self._array(layout.TARGETS_NAME, shape, layout.TARGETS_DTYPES[self.task_type])
        if item is not None:
            rows = rows[self._find(str(item), self._target_slices)]  # type: ignore[assignment] # mapped
        return rows

    @cached_property
    def item_slices(self) -> dict[str, slice]:
        """Return the slice of each item in the predictors of all items."""
        return _slices(self.description.item_rows)

    @cached_property
    def _target_slices(self) -> dict[str, slice]:
        return _slices(self.description.item_counts)

    @cached_property
    def examples(self) -> "pd.DataFrame":
        """Return the table of examples, sorted by item and row, like the targets of all items.

        Its columns are item, row (among those of the item), clip, start_s, end_s (in the clip's file), augmented, first_row and
        stop_row, which are the range of the example (its row, or its samples) in the predictors of all items.

        Raises:
            CorpusError: examples.parquet is missing or damaged.
        """
        return self._table(layout.EXAMPLES_NAME, partial(read_examples, description=self.description))

    @cached_property
    def annotations(self) -> "pd.DataFrame":
        """Return the events of a store for frame classification: clip, start_s, end_s (in the clip), label, annotator."""
        return self._table(layout.ANNOTATIONS_NAME, read_annotations)

    def moments(
        self, items: Iterable[str], clips: Collection[str] | None = None, *, settings: FeatureSettings | None = None
    ) -> Moments:
        """Return the sums over all examples of some items, original and augmented, added in sorted order of the items.

        Args:
            items: The items.
            clips: Use only the examples of these clips, which are read for this; None: all.
            settings: With ``padding = masked``, frames after the ends of clips do not count, and examples are read for this.

        Raises:
            CorpusError: There are no items, an item is not in the store, or moments.npz is missing or damaged.
        """
        n_bins = 1 if self.is_waveform else self.example_shape[-1]
        is_masked = settings is not None and settings.padding == "masked"
        if clips is not None or is_masked:
            is_chosen = self.examples["item"].isin(list(items))
            chosen = self.examples[is_chosen if clips is None else is_chosen & self.examples["clip"].isin(clips)]
            sums = ItemSums(n_bins)
            for item, clips_of_item in chosen.groupby("item"):
                values = self.predictors(str(item))[clips_of_item["row"].to_numpy()]
                if settings is not None and is_masked:
                    from preprocessing.features.windows import mark_padding  # here, because it loads scipy

                    mark_padding(values, clips_of_item["start_s"].to_numpy(), clips_of_item["end_s"].to_numpy(), settings)
                    values = values[np.isfinite(values[..., 0])]
                sums.add(values)
            return sums.moments()
        return read_moments(self.folder / layout.MOMENTS_NAME, self.items, items, n_bins=n_bins)

    def moments_by_item(self) -> dict[str, Moments]:
        """Return the sums over all examples of each item, original and augmented, for stored features (not for samples).

        Raises:
            CorpusError: moments.npz is missing or damaged.
        """
        return read_moments_by_item(self.folder / layout.MOMENTS_NAME, self.items, n_bins=self.example_shape[-1])

    def _table(self, name: str, read: "Callable[[Path], pd.DataFrame]") -> "pd.DataFrame":
        try:
            return read(self.folder / name)
        except (OSError, ValueError) as error:
            raise _damaged(self.folder / name, self.folder, str(error)) from error

    def _find(self, item: str, slices: Mapping[str, slice]) -> slice:
        if item not in slices:
            raise CorpusError(f"{self.folder}: the feature store has no item '{item}'. {suggestion(item, self.items)}")
        return slices[item]

    def _array(self, name: str, shape: tuple[int, ...], dtype: str) -> Mapped:
        path = self.folder / name
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            n_bytes = path.stat().st_size
        except DAMAGE as error:
            raise _damaged(path, self.folder, str(error)) from error
        if not isinstance(array, np.memmap) or array.shape != shape or array.dtype != np.dtype(dtype):
            raise _damaged(path, self.folder, f"it does not have {dtype} {shape} as store.json says")
        if array.offset + array.nbytes != n_bytes:
            raise _damaged(path, self.folder, "its header does not fit its length")
        return array


def open_store(folder: str | Path) -> FeatureStore:
    """Open a feature store; its arrays stay on disk.

    Args:
        folder: data/<dataset>/features/<key>.

    Raises:
        CorpusError: There is no store, it has a newer format version, or one of its files is missing or cut short.
    """
    folder = Path(folder)
    path = folder / layout.DESCRIPTION_NAME
    if not folder.is_dir():
        raise CorpusError(f"{folder}: there is no feature store. {layout.how_to_rebuild(folder)}")
    if layout.is_outdated(folder):
        from preprocessing.store.earlier_version import convert_outdated  # here, because it is seldom needed

        convert_outdated(folder)
    try:
        content = json.loads(read_regular(path))
        version = content["format_version"]
        if isinstance(version, int) and version > layout.FORMAT_VERSION:
            raise CorpusError(
                f"{path}: format version {version} is newer than this version of xval reads ({layout.FORMAT_VERSION}). Update "
                f"xval, or: {layout.how_to_rebuild(folder)}"
            )
        store = FeatureStore(folder, layout.StoreDescription(**content))
    except (OSError, ValidationError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(path, folder, str(error)) from error
    store.predictors()
    store.targets()
    return store


def write(
    dataset: str,
    predictors: Mapping[str, ArrayLike],
    targets: Mapping[str, ArrayLike] | None = None,
    *,
    data_folder: str | Path = "data",
    task_type: str = "classification",
    class_names: Sequence[str] | None = None,
    frame_s: float = 1.0,
) -> FeatureStore:
    """Write a corpus and its feature store from arrays that a script has computed; an existing one is replaced.

    Args:
        dataset: Name of the corpus in experiments.
        predictors: For each item (a text; the number 1 is the item ``1``), numbers (n_examples, ...) with at least one axis
            after the first; the last axis has the feature bins. Stored as float32. For frame_classification, sequences of
            frames, each (n_frames, n_values); if they differ in n_frames, an item has a list of them.
        targets: For each item, for classification text or integers (n_examples,); for multilabel_classification text such as
            ``dog;rain`` (n_examples,), a list of names for each example, or 0 and 1 (n_examples, n_classes); for regression
            numbers (n_examples,) or (n_examples, n_outputs); for frame_classification the labels of the frames of each
            sequence, text or integers (n_frames,), where the text ``background`` means no event, or 0 and 1 (n_frames,
            n_classes); for representation None.
        data_folder: Folder of all corpora.
        task_type: ``classification``, ``multilabel_classification``, ``regression``, ``representation`` or
            ``frame_classification``.
        class_names: The classes in their order; integer targets are then indices into it. None: the targets that occur, in
            natural order; required for targets of 0 and 1.
        frame_s: For frame_classification, the length of a frame, seconds.

    Returns:
        The store, at data_folder/dataset/features/custom.

    Raises:
        CorpusError: Items or lengths of predictors and targets differ, shapes differ between items, an item is empty, a value
            is NaN or infinite, a target is not a class; or the folder cannot be written.
    """
    check_task(task_type, has_targets=targets is not None)
    if task_type == "frame_classification":
        frames: Any = (predictors, targets)
        place: dict[str, Any] = {"dataset": dataset, "data_folder": Path(data_folder)}
        return open_store(write_frame_arrays(*frames, frame_s=frame_s, class_names=class_names, **place))
    if frame_s != 1.0:
        raise CorpusError(f"frame_s={frame_s:g}: examples of {task_type} have no labelled frames. Remove frame_s.")
    arrays = check_arrays(predictors, targets, task_type=task_type, class_names=class_names)
    return open_store(write_arrays(arrays, dataset=dataset, data_folder=Path(data_folder)))


def _slices(sizes: Mapping[str, int]) -> dict[str, slice]:
    """Return the slices of consecutive parts."""
    stops = np.cumsum(list(sizes.values())).tolist()
    return dict(zip(sizes, map(slice, [0, *stops[:-1]], stops), strict=True))


def _damaged(path: Path, folder: Path, reason: str) -> CorpusError:
    return CorpusError(f"{path}: missing or damaged ({' '.join(reason.split())}). {layout.how_to_rebuild(folder)}")
