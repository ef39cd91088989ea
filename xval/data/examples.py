"""The examples of one side of a fold, read from a feature store in any order.

They are a table of the examples, their targets, and their predictors a batch at a time, from the store in memory or from its
files.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.features.windows import count_unpadded, few_lengths, mark_padding
from preprocessing.store import FeatureStore
from preprocessing.store.waveforms import Lengths, cut_clip, example_lengths, fill_example, whole_length
from xval.data.indexed import Indexed, in_stretches, stretches
from xval.data.item_scaling import ItemScaling
from xval.data.store_files import StoreFiles
from xval.data.store_memory import HeldStore

if TYPE_CHECKING:
    import pandas as pd


class StoredExamples:
    """The examples of one side, in the order of items and rows.

    Args:
        augmented: Whether augmented examples belong to it.
        held: The store in memory, of which examples are rows; None: read them from its files.
        clips: Only the examples of these clips belong to it; None: those of all.
        scaling: How features that are read from the files are scaled, item by item; None: not at all.
        settings: The feature settings of the instance: where ``padding = masked``, NaN stands behind the ends of clips.

    Attributes:
        table: DataFrame, a row per example: item, row, clip, start_s, end_s, augmented.
        targets: int64 (n_examples,) or float32 (n_examples, n_outputs).
        masked_lengths: Length to which each example can be cut, because NaN alone follows, one of few, int64 (n_examples,);
            None: to no other.
    """

    def __init__(
        self,
        store: FeatureStore,
        items: tuple[str, ...],
        *,
        augmented: bool,
        held: HeldStore | None = None,
        clips: Collection[str] | None = None,
        scaling: ItemScaling | None = None,
        settings: FeatureSettings | None = None,
    ) -> None:
        self.table = _rows(store, items, augmented=augmented, clips=clips)
        self._settings = settings
        self._bounds = self.table["start_s"].to_numpy(np.float64), self.table["end_s"].to_numpy(np.float64)
        self._items = sorted(self.table["item"].unique())
        self._held = held
        self._files = StoreFiles(store, scaling)
        self._shape = store.example_shape
        n_frames = None if settings is None else count_unpadded(*self._bounds, settings)
        self.masked_lengths = None if n_frames is None else few_lengths(n_frames, self._shape[0])
        self._item_of = np.searchsorted(np.array(self._items, dtype=object), self.table["item"].to_numpy(dtype=object))
        self._row_of = self.table["row"].to_numpy(dtype=np.int64)
        self.targets = self._gather_targets(store if held is None else held)
        if held is not None:
            self._row_in_memory = np.array([held.first[item] for item in self._items], np.int64)[self._item_of] + self._row_of

    def __len__(self) -> int:
        return len(self.table)

    @property
    def lengths(self) -> NDArray[np.int64] | None:
        """Length of each example, int64 (n_examples,); None: all examples have one shape."""
        return None

    @property
    def is_streamed(self) -> bool:
        """Whether predictors are read from files."""
        return self._held is None

    @property
    def indexed(self) -> Indexed | None:
        """Which rows of the store in memory the examples are; None: they are streamed."""
        if self._held is None or self._is_masked:
            return None
        rows = self._row_in_memory.astype(np.int32)
        return Indexed(self._held.everything, rows.__getitem__)

    def begin_epoch(self, rng: np.random.Generator) -> None:
        """Draw what is random about the examples of an epoch: nothing."""

    def predictors(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the predictors of the examples at some positions, float32 (n_positions, ...)."""
        gathered = self._gathered(positions)
        if self._settings is not None and self._is_masked:
            start_s, end_s = (bound[positions] for bound in self._bounds)
            mark_padding(gathered, start_s, end_s, self._settings)
        return gathered

    @property
    def _is_masked(self) -> bool:
        return self._settings is not None and self._settings.padding == "masked"

    def _gathered(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        if self._held is not None:
            rows_in_memory: NDArray[np.float32] = self._held.everything[self._row_in_memory[positions]]
            return rows_in_memory
        gathered = np.empty((len(positions), *self._shape), np.float32)
        items, rows = self._item_of[positions], self._row_of[positions]
        # Neighbours in the batch that are neighbours in a file are read at once.
        begins = np.flatnonzero(np.diff(items, prepend=-1) | (np.diff(rows, prepend=-1) - 1)).tolist()
        for begin, end in zip(begins, [*begins[1:], len(positions)], strict=True):
            self._files.fill(self._items[items[begin]], int(rows[begin]), gathered[begin:end])
        return gathered

    def _gather_targets(self, source: FeatureStore | HeldStore) -> NDArray[Any]:
        """Return the targets of all examples in their order."""
        if not self._items:
            return np.empty(0, np.float32)
        targets: list[NDArray[Any]] = [np.array(source.targets(item)) for item in self._items]
        first = np.cumsum([0, *(len(item_targets) for item_targets in targets[:-1])])
        in_order: NDArray[Any] = np.concatenate(targets)[first[self._item_of] + self._row_of]
        return in_order


class WaveformExamples:
    """The samples of one side's clips, cut as they are read: whole clips, windows of them, or a random crop of each.

    Args:
        store: A store of waveforms.
        settings: The feature settings of the instance.
        augmented: Whether augmented clips belong to it.
        held: The store in memory, of which examples are segments; None: read them from its files.
        crop: Give a crop of each clip, from where `begin_epoch` draws.
        clips: As of `StoredExamples`.

    Attributes:
        table: As of `StoredExamples`; start_s and end_s of windows are theirs, row counts the examples of an item.
        targets: As of `StoredExamples`.
    """

    def __init__(
        self,
        store: FeatureStore,
        items: tuple[str, ...],
        settings: FeatureSettings,
        *,
        augmented: bool,
        held: HeldStore | None = None,
        crop: bool = False,
        clips: Collection[str] | None = None,
    ) -> None:
        whole = _rows(store, items, augmented=augmented, clips=clips)
        self._lengths: Lengths = example_lengths(store, settings)
        self._crop = crop
        first, stop = whole["first"].to_numpy(np.int64), whole["stop"].to_numpy(np.int64)
        if crop or settings.example_length_s is None:
            clip_of, begin, end = np.arange(len(whole)), first, stop
            if self._lengths.n_longest is not None:
                end = np.minimum(stop, first + self._lengths.n_longest)
        else:
            bounds = [cut_clip(int(n), settings, self._lengths) for n in stop - first]
            clip_of = np.repeat(np.arange(len(whole)), [len(starts) for starts, _ in bounds])
            none = np.empty(0, np.int64)
            begin = first[clip_of] + np.concatenate([none, *(starts for starts, _ in bounds)])
            end = first[clip_of] + np.concatenate([none, *(ends for _, ends in bounds)])
        rate_hz = settings.sample_rate_hz
        self.table = whole.iloc[clip_of].reset_index(drop=True)
        self.table["end_s"] = self.table["start_s"] + (end - first[clip_of]) / rate_hz
        self.table["start_s"] += (begin - first[clip_of]) / rate_hz
        self.table["row"] = self.table.groupby("item").cumcount()
        self._begin, self._end = begin, end
        self._offset = np.zeros(len(begin), np.int64)
        self._item_of: list[str] = self.table["item"].tolist()
        items_here = sorted(set(self._item_of))
        self._source = StoreFiles(store) if held is None else held
        targets = {item: np.array((store if held is None else held).targets(item)) for item in items_here}
        rows = zip(whole["item"], whole["row"], strict=True)
        self.targets: NDArray[Any] = np.array([targets[item][row] for item, row in rows])[clip_of]

    def __len__(self) -> int:
        return len(self.table)

    @property
    def is_streamed(self) -> bool:
        """Whether samples are read from files."""
        return isinstance(self._source, StoreFiles)

    @property
    def lengths(self) -> NDArray[np.int64] | None:
        """Samples of each example, int64 (n_examples,); None: all have the same."""
        if self._length is not None:
            return None
        return np.array([whole_length(int(n), self._lengths.n_shortest) for n in self._end - self._begin], np.int64)

    @property
    def masked_lengths(self) -> NDArray[np.int64] | None:
        """As of `StoredExamples`."""
        if self._length is None or not self._lengths.is_masked:
            return None
        return few_lengths(np.minimum(self._end - self._begin, self._length), self._length)

    def begin_epoch(self, rng: np.random.Generator) -> None:
        """Draw where each crop of an epoch begins."""
        if self._crop:
            spare = np.maximum(self._end - self._begin - self._lengths.training, 0)
            self._offset = (rng.random(len(self)) * (spare + 1)).astype(np.int64)

    def predictors(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the samples of the examples at some positions, all of one length, float32 (n_positions, n_samples)."""
        length = self._length
        if length is None:
            (length,) = {whole_length(int(n), self._lengths.n_shortest) for n in (self._end - self._begin)[positions]}
        gathered = np.empty((len(positions), length), np.float32)
        begins, ends = self._bounds(positions, length)
        for row, (position, begin, end) in enumerate(zip(positions, begins.tolist(), ends.tolist(), strict=True)):
            samples = self._source.piece(self._item_of[position], begin, end)
            gathered[row] = samples if len(samples) == length else fill_example(samples, length, self._lengths)
        return gathered

    @property
    def indexed(self) -> Indexed | None:
        """Where in the store in memory the examples lie; None: they are streamed, masked, or of different lengths."""
        length, held = self._length, self._source
        if length is None or isinstance(held, StoreFiles) or self._lengths.is_masked:
            return None
        item_starts = np.array([held.first[item] for item in self._item_of], np.int64)

        def places(positions: NDArray[np.int64]) -> NDArray[np.int32]:
            begins, ends = self._bounds(positions, length)
            is_continued = self._lengths.n_shortest > 1  # as `fill_example` has it
            return stretches(item_starts[positions] + begins, ends - begins, length, continued=is_continued)

        return in_stretches(held, places, (length,))

    @property
    def _length(self) -> int | None:
        """Samples of an example; None: they differ."""
        return self._lengths.training if self._crop else self._lengths.tested

    def _bounds(self, positions: NDArray[np.int64], length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where the examples at some positions begin and end among the samples of their items."""
        begins = self._begin[positions] + self._offset[positions]
        return begins, np.minimum(self._end[positions], begins + length)


def _rows(store: FeatureStore, items: tuple[str, ...], *, augmented: bool, clips: Collection[str] | None) -> "pd.DataFrame":
    """Return the examples of some items, and of some clips of them, in the order of items and rows."""
    table: pd.DataFrame = store.examples[store.examples["item"].isin(items)]
    if clips is not None:
        table = table[table["clip"].isin(clips)]
    if not augmented:
        table = table[~table["augmented"]]
    return table.sort_values(["item", "row"], kind="stable").reset_index(drop=True)
