"""Functions for the metrics of several tasks: quotients, means, ROC areas and equal error rates, a check of targets."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import JobError


def divide(numerator: Any, denominator: Any) -> NDArray[np.float64]:
    """Return the quotient, and NaN where the denominator is 0; the numerator is 0 there, too."""
    with np.errstate(invalid="ignore"):
        return np.asarray(numerator, dtype=np.float64) / np.asarray(denominator, dtype=np.float64)


def mean_of_defined(values: NDArray[np.float64]) -> float:
    """Return the mean of the values that are not NaN; NaN if there are none."""
    defined = values[~np.isnan(values)]
    return float(np.mean(defined)) if len(defined) else float("nan")


def area_under_roc(scores: NDArray[np.floating[Any]], is_positive: NDArray[np.bool_]) -> float:
    """Return the share of pairs of a positive and a negative example that the scores put in the right order; ties count half.

    This is the area under the ROC curve (Hanley & McNeil 1982). NaN if all examples are positive, or none is.
    """
    positives, negatives = scores[is_positive], np.sort(scores[~is_positive])
    n_below = negatives.searchsorted(positives, "left").sum()
    n_not_above = negatives.searchsorted(positives, "right").sum()
    return float(divide(n_below + n_not_above, 2 * len(positives) * len(negatives)))


def equal_error_rate(is_target: NDArray[np.bool_], scores: NDArray[Any]) -> float:
    """Return the equal error rate: the error rate at the threshold where false negative and false positive rate are equal.

    It is interpolated linearly between the points of the ROC curve.

    Args:
        is_target: bool (n,), some True and some False.
        scores: float (n,), larger for targets.
    """
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # of those that share a score
    n_found = np.cumsum(is_target[order])[last]
    accepted_targets = np.append(0, n_found) / n_found[-1]
    accepted_others = np.append(0, last + 1 - n_found) / (len(scores) - n_found[-1])
    return float(np.interp(0.0, accepted_others - (1 - accepted_targets), accepted_others))


def check_zeros_and_ones(targets: NDArray[Any], task_type: str) -> None:
    """Raise an error if a target of a label is neither 0 nor 1."""
    if not np.isin(targets, (0, 1)).all():
        raise JobError(
            f"metrics of {task_type}: received targets from {targets.min():g} to {targets.max():g}; expected 0 and 1."
        )
