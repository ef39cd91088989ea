"""A few clips of each side of a fold, for a trial of what a job does with all of them."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from preprocessing.store import FeatureStore
from xval.folds.plan import Fold
from xval.folds.predefined import SIDES

_FEWEST, _MOST = 16, 128  # examples of a side that is predicted


def few_clips(
    store: FeatureStore, fold: Fold, clips: Mapping[str, Collection[str]], *, batch_size: int
) -> dict[str, frozenset[str]]:
    """Return some clips of each side: at least a batch of training examples, and every class twice where there are so many.

    Args:
        store: The feature store.
        fold: Which items are on which side.
        clips: Which clips count, by side; of a side that is missing all do.
        batch_size: Examples per batch.
    """
    examples = store.examples
    chosen = {}
    for side in SIDES:
        own = examples["item"].isin(getattr(fold, side)) & ~examples["augmented"]
        table = examples[own & examples["clip"].isin(clips[side])] if side in clips else examples[own]
        if table.empty:
            continue
        table = table.sample(frac=1, random_state=0)  # neighbours are of one item
        label = _labels(store, table)
        n_wanted = batch_size if side == "training" else min(max(2 * len(np.unique(label)), _FEWEST), _MOST)
        order = np.argsort(pd.Series(label).groupby(label).cumcount(), kind="stable")  # the first of each class, the second ...
        chosen[side] = frozenset(table["clip"].to_numpy()[order[:n_wanted]])
    return chosen


def _labels(store: FeatureStore, table: pd.DataFrame) -> NDArray[np.int64]:
    """Return a number for the class of each example, or for its first label; 0 for all where they have none."""
    if store.task_type in ("regression", "frame_classification"):
        return np.zeros(len(table), np.int64)
    targets = store.targets()[table.index]
    return np.array([np.argmax(row) if np.ndim(row) else row for row in targets], np.int64)
