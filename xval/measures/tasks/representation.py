"""Metrics of representation learning: how much of the features a model rebuilds.

Comes in: for each example the mean squared error of the mean (targets) and of the reconstruction (predictions), both float32
(n_examples,), in squared units of the normalised features. Goes out: one float per metric.
"""

import math

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import JobError
from xval.measures.metrics import Chance, metric

Errors = NDArray[np.float32]


def _chance_mse(targets: Errors, weights: NDArray[np.float64]) -> Chance:
    return Chance(float(weights @ targets.astype(np.float64)), "always the mean of the training features")


def _zero(targets: Errors, weights: NDArray[np.float64]) -> Chance:  # noqa: ARG001 - every chance level takes both
    return Chance(0.0, "always the mean of the training features")


@metric(higher_is_better=False, bounds=(0, math.inf), is_mean=True, chance=_chance_mse)
def mse(targets: Errors, predictions: Errors) -> float:  # noqa: ARG001 - every metric takes both
    """Return the mean squared error of the reconstruction; features that are normalised per bin have the variance 1."""
    return float(np.mean(predictions, dtype=np.float64))


@metric(higher_is_better=True, bounds=(-math.inf, 1), chance=_zero)
def explained_variance(targets: Errors, predictions: Errors) -> float:
    """Return 1 less the error of the reconstruction over that of the mean of the training features: 1 perfect, 0 no better.

    NaN where the features are that mean everywhere.
    """
    of_mean = float(np.sum(targets, dtype=np.float64))
    return 1 - float(np.sum(predictions, dtype=np.float64)) / of_mean if of_mean else float("nan")


def check(targets: Errors, predictions: Errors) -> None:
    """Refuse arrays that are no squared errors of the same examples.

    Raises:
        JobError: A wrong shape, or a negative error.
    """
    if targets.ndim != 1 or targets.shape != predictions.shape:
        raise JobError(
            f"metrics of representation: received errors {targets.shape} of the mean and {predictions.shape} of the "
            "reconstruction; (n_examples,) is wanted of both."
        )
    if (targets < 0).any() or (predictions < 0).any():
        raise JobError("metrics of representation: received negative squared errors.")
