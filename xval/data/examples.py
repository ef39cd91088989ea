"""The examples of one side of a fold, read from a feature store in any order.

Each has a table of the examples, their targets, and their predictors batch by batch, from the store in memory or from its
files.
"""

from collections.abc import Collection
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.features.windows import count_unpadded, few_lengths, mark_padding
from preprocessing.store import FeatureStore
from preprocessing.store.waveforms import Lengths, cut_clip, example_lengths, fill_example, whole_length
from xval.data.indexed import Indexed, index_segments, segment_places
from xval.data.item_scaling import ItemScaling
from xval.data.store_memory import HeldStore, StoreFiles


class StoredExamples:
    """The examples of one side, in the order of items and rows.

    Args:
        augmented: Whether to include augmented examples.
        held: The store in memory, whose rows are the examples; None: read them from its files.
        clips: The clips whose examples to include; None: all.
        scaling: The scaling by item of features that are read from the files; None: none.
        settings: The feature settings of the instance; with ``padding = masked``, NaN follows the ends of clips.

    Attributes:
        table: A row per example: item, row, clip, start_s, end_s, augmented.
        targets: int64 (n_examples,) or float32 (n_examples, n_outputs).
        masked_lengths: int64 (n_examples,), the length to which each example can be cut because only NaN follows, one of a few
            values; None: they cannot be cut.
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
        self.table, positions = _rows(store, items, augmented=augmented, clips=clips)
        self.targets: NDArray[Any] = (store.targets() if held is None else held.targets)[positions]
        self._settings = settings
        self._bounds = self.table["start_s"].to_numpy(np.float64), self.table["end_s"].to_numpy(np.float64)
        self._rows = self.table["first_row"].to_numpy(np.int64)
        self._items = self.table["item"].tolist()
        self._scaling = scaling
        self._source = StoreFiles(store) if held is None else held
        self._shape = store.example_shape
        n_frames = None if settings is None else count_unpadded(*self._bounds, settings)
        self.masked_lengths = None if n_frames is None else few_lengths(n_frames, self._shape[0])

    def __len__(self) -> int:
        return len(self.table)

    @property
    def lengths(self) -> NDArray[np.int64] | None:
        """Length of each example, int64 (n_examples,); None: all examples have one shape."""
        return None

    @property
    def is_streamed(self) -> bool:
        """Whether predictors are read from files."""
        return isinstance(self._source, StoreFiles)

    @property
    def indexed(self) -> Indexed | None:
        """The rows of the examples in the store in memory; None: they are streamed."""
        if isinstance(self._source, StoreFiles) or self._is_masked:
            return None
        rows = self._rows.astype(np.int32)
        return Indexed(self._source.everything, rows.__getitem__)

    def begin_epoch(self, rng: np.random.Generator) -> None:
        """Do nothing, because stored examples have no randomness."""

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
        rows = self._rows[positions]
        if isinstance(self._source, HeldStore):
            rows_in_memory: NDArray[np.float32] = self._source.everything[rows]
            return rows_in_memory
        gathered = np.empty((len(positions), *self._shape), np.float32)
        # Neighbours in the batch that are neighbours in the file are read at once.
        begins = np.flatnonzero(np.diff(rows, prepend=-2) != 1).tolist()
        for begin, end in zip(begins, [*begins[1:], len(positions)], strict=True):
            self._source.fill(int(rows[begin]), gathered[begin:end])
        if self._scaling is not None:
            end = 0
            for item, alike in groupby(self._items[position] for position in positions):
                begin, end = end, end + len(list(alike))
                self._scaling.apply(item, gathered[begin:end])
        return gathered


class WaveformExamples:
    """The samples of one side's clips, cut when they are read: whole clips, their windows, or a random crop of each.

    Args:
        store: A store of waveforms.
        settings: The feature settings of the instance.
        augmented: Whether to include augmented clips.
        held: The store in memory, whose segments are the examples; None: read them from its files.
        crop: Whether to return a crop of each clip, at a position that `begin_epoch` draws.
        clips: The clips to include; None: all.

    Attributes:
        table: A row per example: item, row (number among the examples of the item), clip, start_s, end_s (of the window, if
            clips are cut into windows), augmented.
        targets: int64 (n_examples,) or float32 (n_examples, n_outputs).
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
        whole, positions = _rows(store, items, augmented=augmented, clips=clips)
        self._lengths: Lengths = example_lengths(store, settings)
        self._crop = crop
        first, stop = whole["first_row"].to_numpy(np.int64), whole["stop_row"].to_numpy(np.int64)
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
        self._source = StoreFiles(store) if held is None else held
        self.targets: NDArray[Any] = (store.targets() if held is None else held.targets)[positions[clip_of]]

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
        """The length to which each example can be cut because only NaN follows, int64 (n_examples,); None: cannot be cut."""
        if self._length is None or not self._lengths.is_masked:
            return None
        return few_lengths(np.minimum(self._end - self._begin, self._length), self._length)

    def begin_epoch(self, rng: np.random.Generator) -> None:
        """Draw the positions of the crops of an epoch."""
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
        for row, (begin, end) in enumerate(zip(begins.tolist(), ends.tolist(), strict=True)):
            samples = self._source.piece(begin, end)
            gathered[row] = samples if len(samples) == length else fill_example(samples, length, self._lengths)
        return gathered

    @property
    def indexed(self) -> Indexed | None:
        """The places of the examples in the store in memory; None: they are streamed, masked, or of different lengths."""
        length, held = self._length, self._source
        if length is None or isinstance(held, StoreFiles) or self._lengths.is_masked:
            return None

        def places(positions: NDArray[np.int64]) -> NDArray[np.int32]:
            begins, ends = self._bounds(positions, length)
            is_continued = self._lengths.n_shortest > 1  # as in `fill_example`
            return segment_places(begins, ends - begins, length, continued=is_continued)

        return index_segments(held, places, (length,))

    @property
    def _length(self) -> int | None:
        """Samples of an example; None: they differ."""
        return self._lengths.training if self._crop else self._lengths.tested

    def _bounds(self, positions: NDArray[np.int64], length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return start and end of the examples at some positions among all samples."""
        begins = self._begin[positions] + self._offset[positions]
        return begins, np.minimum(self._end[positions], begins + length)


def _rows(
    store: FeatureStore, items: tuple[str, ...], *, augmented: bool, clips: Collection[str] | None
) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Return the examples of some items, and of some clips of them, and their rows in the table of the store."""
    table: pd.DataFrame = store.examples[store.examples["item"].isin(items)]
    if clips is not None:
        table = table[table["clip"].isin(clips)]
    if not augmented:
        table = table[~table["augmented"]]
    return table.reset_index(drop=True), table.index.to_numpy(np.int64)
