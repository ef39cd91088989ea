"""One fold of a feature store as batches: training, validation and test examples.

Comes in: an open store and a fold. Goes out: `FoldData`, with the statistics of the training items for normalisation. Examples
are held in memory or gathered from the memory-mapped files batch by batch; both give the same batches in the same order, on
every backend. Augmented examples only ever train. Next: training.py, evaluation.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from numpy.typing import NDArray

from preprocessing.store import FeatureStore
from xval.errors import FoldsError
from xval.folds import SIDES, Fold

if TYPE_CHECKING:
    import pandas as pd


class Examples:
    """The examples of one side, in the order of items and rows.

    Args:
        store: The feature store.
        items: The items of the side.
        augmented: Whether augmented examples belong to it.
        in_memory: Load everything now; otherwise gather from the memory-mapped files.

    Attributes:
        table: DataFrame, a row per example: item, row, clip, start_s, end_s, augmented.
        targets: int64 (n_examples,) or float32 (n_examples, n_outputs).
    """

    def __init__(self, store: FeatureStore, items: tuple[str, ...], *, augmented: bool, in_memory: bool) -> None:
        table: pd.DataFrame = store.examples[store.examples["item"].isin(items)]
        if not augmented:
            table = table[~table["augmented"]]
        self.table = table.sort_values(["item", "row"], kind="stable").reset_index(drop=True)
        self._items = sorted(self.table["item"].unique())
        self._files = [store.predictors(item) for item in self._items]
        self._item_of = np.searchsorted(np.array(self._items, dtype=object), self.table["item"].to_numpy(dtype=object))
        self._row_of = self.table["row"].to_numpy(dtype=np.int64)
        self.targets = self._gather([store.targets(item) for item in self._items], np.arange(len(self)))
        self._loaded = self._gather(self._files, np.arange(len(self))) if in_memory else None

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.table)

    def predictors(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the predictors of the examples at some positions, float32 (n_positions, ...)."""
        if self._loaded is not None:
            return self._loaded[positions]
        return self._gather(self._files, positions)

    def _gather(self, files: Sequence[NDArray[Any]], positions: NDArray[np.int64]) -> NDArray[Any]:
        """Return rows from the arrays of several items, in the order of `positions`."""
        if not files:
            return np.empty((0,), np.float32)
        gathered = np.empty((len(positions), *files[0].shape[1:]), files[0].dtype)
        items, rows = self._item_of[positions], self._row_of[positions]
        for item in np.unique(items):
            where = np.flatnonzero(items == item)
            gathered[where] = files[item][rows[where]]
        return gathered


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of examples for `fit` and `predict`.

    Args:
        examples: The examples.
        batch_size: Examples per batch; the last batch may be smaller.
        targets: Targets in the form that the loss wants; None for prediction.
        weights: float32 (n_examples,), weight of each example in the loss.
        shuffle_seed: Shuffle anew for each epoch with this seed; None: keep the order.
    """

    def __init__(
        self,
        examples: Examples,
        batch_size: int,
        *,
        targets: NDArray[Any] | None = None,
        weights: NDArray[np.float32] | None = None,
        shuffle_seed: int | None = None,
    ) -> None:
        super().__init__()
        self._examples = examples
        self._batch_size = batch_size
        self._targets = targets
        self._weights = weights
        self._shuffle_seed = shuffle_seed
        self._epoch = 0
        self._order = np.arange(len(examples))

    @property
    def num_batches(self) -> int:
        """Number of batches of an epoch."""
        return -(-len(self._examples) // self._batch_size)

    def on_epoch_begin(self) -> None:
        """Draw the order of the epoch; Keras calls this before it reads the first batch."""
        if self._shuffle_seed is not None:
            rng = np.random.default_rng([self._shuffle_seed, self._epoch])
            self._order = rng.permutation(len(self._examples))
            self._epoch += 1

    def __getitem__(self, index: int) -> tuple[NDArray[Any], ...]:
        """Return (predictors,), (predictors, targets) or (predictors, targets, weights) of a batch."""
        positions = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        parts = [self._examples.predictors(positions)]
        parts += [values[positions] for values in (self._targets, self._weights) if values is not None]
        return tuple(parts)


@dataclass(frozen=True)
class FoldData:
    """The examples of one fold.

    Attributes:
        store: The feature store.
        fold: Which items are on which side.
        training: What trains, augmented examples included.
        sides: For each side what is evaluated, augmented examples left out.
    """

    store: FeatureStore
    fold: Fold
    training: Examples
    sides: dict[str, Examples]

    @property
    def training_items(self) -> tuple[str, ...]:
        """The training items that have examples in the store."""
        return tuple(item for item in self.fold.training if item in set(self.store.items))

    def class_weights(self) -> NDArray[np.float32]:
        """Return a weight per training example, float32 (n_examples,): classes weigh inversely to their number of examples.

        The weights have the mean 1, as ``class_weight="balanced"`` of scikit-learn.
        """
        targets = self.training.targets
        counts = np.bincount(targets, minlength=len(self.store.class_names))
        weights = len(targets) / (np.count_nonzero(counts) * np.maximum(counts, 1))
        return np.asarray(weights[targets], np.float32)


def load_fold(store: FeatureStore, fold: Fold, *, in_memory: bool) -> FoldData:
    """Return the examples of one fold.

    Args:
        store: The feature store.
        fold: Which items are on which side.
        in_memory: Load the examples now; otherwise gather them from the memory-mapped files batch by batch.

    Returns:
        The fold.

    Raises:
        FoldsError: A side has no example, because all clips of its items were left out of the store.
    """
    known = set(store.items)
    sides = {}
    for side in SIDES:
        items = tuple(item for item in getattr(fold, side) if item in known)
        sides[side] = Examples(store, items, augmented=False, in_memory=in_memory)
        if not len(sides[side]):
            raise FoldsError(
                f"fold {fold.number}: no {side} example is left in {store.folder}; see left_out.csv there for the reasons."
            )
    training_items = tuple(item for item in fold.training if item in known)
    has_augmented = bool(store.examples["augmented"].any())
    training = Examples(store, training_items, augmented=True, in_memory=in_memory) if has_augmented else sides["training"]
    return FoldData(store, fold, training, sides)
