"""Metrics of regression: how near predicted numbers are to the true ones.

Comes in: targets and predictions, both float32 (n_examples, n_outputs), in the unit of the targets. Goes out: one float per
metric, computed in float64, the plain mean over outputs; NaN as soon as one output has no value.
"""

import math

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import JobError
from xval.measures.metrics import Chance, metric

Numbers = NDArray[np.float32]


def _variances(targets: Numbers, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the variance of each output, the squared error of always answering its mean: float64 (n_outputs,)."""
    wide = targets.astype(np.float64)
    return np.asarray(weights @ (wide - weights @ wide) ** 2)


def _chance_mse(targets: Numbers, weights: NDArray[np.float64]) -> Chance:
    return Chance(float(np.mean(_variances(targets, weights))), "always the mean target")


def _chance_rmse(targets: Numbers, weights: NDArray[np.float64]) -> Chance:
    return Chance(float(np.mean(np.sqrt(_variances(targets, weights)))), "always the mean target", weights @ targets)


def _chance_r2(targets: Numbers, weights: NDArray[np.float64]) -> Chance:
    return Chance(0.0, "always the mean target", weights @ targets)


def _chance_mae(targets: Numbers, weights: NDArray[np.float64]) -> Chance:
    wide = targets.astype(np.float64)
    order = np.argsort(wide, axis=0)
    below = np.cumsum(weights[order], axis=0)
    middle = np.argmax(below >= 0.5 - 1e-12, axis=0)
    median = np.take_along_axis(wide, np.take_along_axis(order, middle[np.newaxis], axis=0), axis=0)
    return Chance(float(np.mean(weights @ np.abs(wide - median))), "always the median target")


def _zero(targets: Numbers, weights: NDArray[np.float64]) -> Chance:  # noqa: ARG001 - every chance level takes both
    return Chance(0.0, "always the mean target, or guessing")


@metric(higher_is_better=False, bounds=(0, math.inf), is_mean=True, chance=_chance_mse)
def mse(targets: Numbers, predictions: Numbers) -> float:
    """Return the mean squared error, in the squared unit of the targets."""
    return float(np.mean(_errors(targets, predictions) ** 2))


@metric(higher_is_better=False, bounds=(0, math.inf), chance=_chance_rmse)
def rmse(targets: Numbers, predictions: Numbers) -> float:
    """Return the root of the mean squared error of each output, averaged over outputs, in the unit of the targets."""
    return float(np.mean(np.sqrt(np.mean(_errors(targets, predictions) ** 2, axis=0))))


@metric(higher_is_better=False, bounds=(0, math.inf), is_mean=True, chance=_chance_mae)
def mae(targets: Numbers, predictions: Numbers) -> float:
    """Return the mean absolute error, in the unit of the targets."""
    return float(np.mean(np.abs(_errors(targets, predictions))))


@metric(higher_is_better=True, bounds=(-math.inf, 1), chance=_chance_r2)
def r2(targets: Numbers, predictions: Numbers) -> float:
    """Return the coefficient of determination, 1 less error over variance of the targets; NaN for constant targets."""
    variance = np.mean(_centred(targets) ** 2, axis=0)
    if np.any(variance == 0):
        return float("nan")
    return float(np.mean(1 - np.mean(_errors(targets, predictions) ** 2, axis=0) / variance))


@metric(higher_is_better=True, bounds=(-1, 1), chance=_zero)
def pearson(targets: Numbers, predictions: Numbers) -> float:
    """Return the correlation coefficient (Pearson 1895); NaN when targets or predictions are constant."""
    true, predicted = _centred(targets), _centred(predictions)
    scale = np.linalg.norm(true, axis=0) * np.linalg.norm(predicted, axis=0)
    if np.any(scale == 0):
        return float("nan")
    return float(np.mean(np.clip(np.sum(true * predicted, axis=0) / scale, -1, 1)))


@metric(higher_is_better=True, bounds=(-1, 1), chance=_zero)
def ccc(targets: Numbers, predictions: Numbers) -> float:
    """Return the concordance correlation coefficient, with variances over n (Lin 1989).

    It is 0 when one side alone is constant, and NaN when both are the same constant.
    """
    true, predicted = _centred(targets), _centred(predictions)
    distance = np.mean(_errors(targets, predictions), axis=0)
    scale = np.mean(true**2, axis=0) + np.mean(predicted**2, axis=0) + distance**2
    if np.any(scale == 0):
        return float("nan")
    return float(np.mean(np.clip(2 * np.mean(true * predicted, axis=0) / scale, -1, 1)))


def check(targets: Numbers, predictions: Numbers) -> None:
    """Refuse arrays that are no targets and predictions of one regression.

    Raises:
        JobError: A wrong shape, or a target that is NaN or infinite.
    """
    if targets.ndim != 2 or targets.shape != predictions.shape:
        raise JobError(
            f"metrics of regression: received targets {targets.shape} and predictions {predictions.shape}; "
            f"(n_examples, n_outputs) is wanted of both."
        )
    if not np.isfinite(targets).all():
        raise JobError("metrics of regression: received targets that are NaN or infinite; mend the labels of the corpus.")


def _errors(targets: Numbers, predictions: Numbers) -> NDArray[np.float64]:
    return predictions.astype(np.float64) - targets.astype(np.float64)


def _centred(values: Numbers) -> NDArray[np.float64]:
    """Return the values less their mean over examples: exactly 0 for constant float32 values, whose sum float64 holds."""
    wide = values.astype(np.float64)
    return np.asarray(wide - np.mean(wide, axis=0))
