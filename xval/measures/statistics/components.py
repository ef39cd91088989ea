"""Variance components of a score: the variance between folds and the variance between seeds."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import ResultsError


class Components(NamedTuple):
    """Variances of a score, or of a difference of scores.

    Attributes:
        mean: Mean over folds of the means over seeds.
        fold: Variance between folds without that between seeds, at least 0; with one seed everywhere it includes both; NaN with
            one fold.
        seed: Variance between the seeds of a fold; NaN with one seed everywhere.
        n_folds: Number of folds with a score.
        n_repeats: Mean number of seeds in them.
    """

    mean: float
    fold: float
    seed: float
    n_folds: int
    n_repeats: float


def variance_components(scores: NDArray[Any]) -> Components:
    """Return the variance components of a score, by analysis of variance with random effects.

    Seeds are nested in folds: seed = MS_within, fold = (MS_between - MS_within) / n_repeats. Unequal numbers of seeds are
    allowed, with n_repeats replaced by its usual correction (Searle, Casella and McCulloch, Variance Components, 1992, section
    3.6).

    Args:
        scores: float (n_folds, n_repeats), at least one defined; NaN: missing.
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 2 or np.isnan(values).all():
        raise ResultsError(
            f"variance components: received {values.shape} values; expected (folds, repeats), at least one defined."
        )
    rows = [row[~np.isnan(row)] for row in values if not np.isnan(row).all()]
    counts = np.array([len(row) for row in rows])
    means = np.array([row.mean() for row in rows])
    n_folds, n_scores = len(rows), int(counts.sum())
    within = between = math.nan
    if n_scores > n_folds:
        within = float(sum(((row - row.mean()) ** 2).sum() for row in rows)) / (n_scores - n_folds)
    if n_folds > 1:
        overall = (counts * means).sum() / n_scores
        corrected = (n_scores - (counts**2).sum() / n_scores) / (n_folds - 1)
        mean_square = (counts * (means - overall) ** 2).sum() / (n_folds - 1)
        between = max(0.0, float(mean_square - (0.0 if math.isnan(within) else within)) / corrected)
    return Components(float(means.mean()), between, within, n_folds, n_scores / n_folds)
