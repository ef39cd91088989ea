"""The mean and standard deviation of a regression's targets over the training items, by which predictions are scaled.

Augmented examples have the targets of their sources and are skipped.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from preprocessing.store import FeatureStore

_SMALLEST_DEVIATION = float(np.finfo(np.float32).eps)  # relative to the mean: a smaller one is rounding of float32


@dataclass(frozen=True)
class TargetScaling:
    """The scaling of targets to mean 0 and standard deviation 1.

    Attributes:
        mean: float32 (n_outputs,), the mean in the unit of each target.
        deviation: float32 (n_outputs,), the standard deviation over n, in the same unit; 1 for a constant target.
    """

    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]


def target_scaling(store: FeatureStore, items: Collection[str], clips: Collection[str] | None = None) -> TargetScaling:
    """Return mean and standard deviation of the targets of a regression over some items or clips (None: all)."""
    examples = store.examples[~store.examples["augmented"] & store.examples["item"].isin(items)]
    if clips is not None:
        examples = examples[examples["clip"].isin(clips)]
    targets = store.targets()[examples.index].astype(np.float64)
    mean, deviation = targets.mean(axis=0), targets.std(axis=0)
    varies = deviation > _SMALLEST_DEVIATION * np.abs(mean)
    return TargetScaling(mean.astype(np.float32), np.where(varies, deviation, 1).astype(np.float32))
