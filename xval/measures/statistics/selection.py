"""Nested selection: the test score of choosing an instance by validation scores.

The mean validation score over folds uses items that other folds test, so the test score of the instance that it selects is
optimistically biased. Choosing in each fold only by that fold's own validation items estimates the whole procedure without this
bias (Varma and Simon, BMC Bioinformatics 7:91, 2006; Cawley and Talbot, JMLR 11, 2010).
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import ResultsError

_ROUNDING = 1e-12  # scores that differ by less, as shares of the largest, are equal


class NestedSelection(NamedTuple):
    """The result of choosing in each fold by its own validation scores.

    Attributes:
        test_mean: Mean of `test_scores` over the folds that have one; NaN without any.
        test_scores: float64 (n_folds,), the test score of the instance that the fold chooses, averaged over ties; NaN if the
            fold chooses none, or one without a test score.
        is_chosen: bool (n_instances, n_folds), whether the fold chooses the instance; several in a fold if they tie.
    """

    test_mean: float
    test_scores: NDArray[np.float64]
    is_chosen: NDArray[np.bool_]


def select_nested(
    validation: NDArray[Any], test: NDArray[Any], *, higher_is_better: bool, losses: NDArray[Any] | None = None
) -> NestedSelection:
    """Choose an instance in each fold by that fold's own validation scores.

    An instance without a validation score in a fold (NaN) cannot be chosen there; test scores have no influence. Instances that
    tie share the fold, which is the mean over all ways to choose among them and does not depend on their order.

    Args:
        validation: float (n_instances, n_folds), averaged over seeds.
        test: float (n_instances, n_folds), averaged over seeds.
        higher_is_better: Whether a higher validation score is better; False for a loss.
        losses: float (n_instances, n_folds), the smaller one breaks ties; None: ties remain.
    """
    validation, test = np.asarray(validation, dtype=np.float64), np.asarray(test, dtype=np.float64)
    if validation.shape != test.shape or validation.ndim != 2:
        raise ResultsError(
            f"nested selection: received {validation.shape} validation and {test.shape} test values; "
            "expected (instances, folds) of both."
        )
    is_there = ~np.isnan(validation)
    scores = np.where(is_there, validation if higher_is_better else -validation, -np.inf)
    is_chosen = is_there & _is_highest(scores)
    if losses is not None:
        decides = np.where(is_chosen & np.isfinite(losses), -np.asarray(losses, dtype=np.float64), -np.inf)
        is_chosen &= _is_highest(decides) | ~np.isfinite(decides).any(axis=0)
    n_chosen = is_chosen.sum(axis=0)
    sums = np.where(is_chosen, test, 0).sum(axis=0)
    means = np.divide(sums, n_chosen, out=np.full(len(sums), math.nan), where=n_chosen > 0)
    has_score = ~np.isnan(means)
    return NestedSelection(
        test_mean=float(means[has_score].mean()) if has_score.any() else math.nan,
        test_scores=means,
        is_chosen=is_chosen,
    )


def _is_highest(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return whether a score is the highest of its column, up to rounding; -inf never is."""
    best = scores.max(axis=0, initial=-np.inf)
    return np.asarray(scores >= best - _ROUNDING * np.abs(best, where=np.isfinite(best), out=np.zeros_like(best)), bool)
