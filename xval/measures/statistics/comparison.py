"""Compare two instances on the same folds, and several with one.

Comes in: differences of a figure, the instance less the baseline, per fold or per item, averaged over repeats first. Goes out:
difference, interval, p values and probabilities.

The main test is `corrected_t`. It and `bayesian_t` allow for training sets that overlap; both estimate the deviation from the
folds, so that with folds that do not differ at all there is no p value, rather than one of 0. `sign_flip` is secondary: it is
liberal where several items share a model. Clips of one item are not independent: no test takes them as units.
"""

import math
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import SettingsError

N_DRAWS = 99_999
MOST_ITEMS_OF_EXACT_TEST = 14
_MOST_DRAWN_AT_ONCE = 100_000  # signs
_ROUNDING = 1e-9
_Numbers = NDArray[np.float64]


class CorrectedT(NamedTuple):
    """A corrected resampled t test.

    Attributes:
        difference: Mean of the differences.
        low: Lower end of its interval.
        high: Upper end of its interval.
        p: Two-sided.
        standard_error: Of the difference.
        n_folds: Number of folds; one more than there are degrees of freedom.
    """

    difference: float
    low: float
    high: float
    p: float
    standard_error: float
    n_folds: int


class SignFlip(NamedTuple):
    """A sign flip test.

    Attributes:
        p: Two-sided.
        least_p: The least p that so many items can reach, ``2 ** (1 - n_items)``; with drawn signs at least 1 / (1 + n_draws).
        n_items: Number of items.
    """

    p: float
    least_p: float
    n_items: int


class Posterior(NamedTuple):
    """The probabilities of three answers; their sum is 1.

    Attributes:
        better: The instance is better than the baseline by more than the ROPE.
        equal: They are practically equal: the difference is within the ROPE.
        worse: The baseline is better by more than the ROPE.
    """

    better: float
    equal: float
    worse: float


def corrected_t(differences: NDArray[Any], ratio: float, *, confidence: float = 0.95) -> CorrectedT:
    """Return the corrected resampled t test (Nadeau and Bengio, Machine Learning 52, 2003).

    The standard error is ``sqrt(variance * (1 / n_folds + ratio))``, with n_folds - 1 degrees of freedom. Of several deals
    all folds count, as Bouckaert and Frank (PAKDD 2004) have it for repeated cross-validation. The ratio stays, so that more
    deals alone never make the error small.

    Args:
        differences: float (n_folds,), averaged over repeats: repeats are no further folds.
        ratio: Number of test items over that of the items that really trained, without those that validated; mean of the
            folds, more than 0.
        confidence: Of the interval, between 0 and 1.

    Returns:
        The test. All differences 0: p is 1 and the interval [0, 0]. All equal but not 0, or one fold: interval, p and standard
        error are NaN, because the deviation cannot be estimated. Any NaN, or no fold: all of it is NaN.
    """
    from scipy import special  # here, because it takes a while, and `quick_intervals` does without

    if not 0 < confidence < 1:
        raise SettingsError(f"confidence={confidence}: allowed: between 0 and 1, such as 0.95.")
    difference, error, n_folds = _estimate(differences, ratio)
    if error == 0:
        return CorrectedT(0.0, 0.0, 0.0, 1.0, 0.0, n_folds)
    if math.isnan(error):
        return CorrectedT(difference, math.nan, math.nan, math.nan, math.nan, n_folds)
    half = float(special.stdtrit(n_folds - 1, (1 + confidence) / 2)) * error
    p = 2 * float(special.stdtr(n_folds - 1, -abs(difference) / error))
    return CorrectedT(difference, difference - half, difference + half, p, error, n_folds)


def quick_intervals(differences: NDArray[np.float64], ratio: float) -> NDArray[np.float64]:
    """Return the 95 % intervals of `corrected_t` of several comparisons without scipy, for what has to be quick.

    Args:
        differences: float64 (n_comparisons, n_folds), finite, of two folds or more.
        ratio: As of `corrected_t`.

    Returns:
        float64 (n_comparisons, 3): the lower end, the mean difference and the upper end; as of `corrected_t` all of them 0
        where all differences are 0, and ends of NaN where they are equal otherwise.
    """
    n_folds = differences.shape[1]
    largest = np.abs(differences).max(axis=1)
    half = _critical_t(n_folds - 1) * np.sqrt(differences.var(axis=1, ddof=1) * (1 / n_folds + ratio))
    half = np.where((largest == 0) | (np.ptp(differences, axis=1) > _ROUNDING * largest), half, np.nan)
    means = differences.mean(axis=1)
    return np.stack([means - half, means, means + half], axis=1)


@cache
def _critical_t(df: int) -> float:
    """Return the 97.5 % quantile of Student t, by bisection of `_within`."""
    low, high = 0.0, 13.0  # 12.7 of one degree of freedom is the largest
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, df) < 0.95 else (low, middle)
    return low


def _within(t: float, df: int) -> float:
    """Return P(|T| < t) of Student t with a whole number of degrees of freedom (Abramowitz and Stegun 1964, 26.7.3 and 4)."""
    angle = math.atan(t / math.sqrt(df))
    term = math.cos(angle) if df % 2 else 1.0
    total = 0.0
    for step in range(df % 2 + 1, df, 2):
        total += term
        term *= math.cos(angle) ** 2 * step / (step + 1)
    if df % 2:
        return 2 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total


def bayesian_t(differences: NDArray[Any], ratio: float, rope: float, *, higher_is_better: bool = True) -> Posterior:
    """Return the Bayesian correlated t test (Benavoli, Corani, Demsar and Zaffalon, JMLR 18(77), 2017).

    The posterior of the difference is Student t with the mean, standard error and degrees of freedom of `corrected_t`.

    Args:
        differences: float (n_folds,), averaged over repeats.
        ratio: As for `corrected_t`.
        rope: Half of the region of practical equivalence, in the unit of the figure, 0 or more; 0: no difference is too small.
        higher_is_better: False for errors.

    Returns:
        The probabilities. All differences 0: equal is 1. All equal but not 0, one fold, or any NaN: NaN.
    """
    from scipy import special

    if not 0 <= rope < math.inf:
        raise SettingsError(f"rope={rope}: allowed: 0 or more, in the unit of the metric, such as 0.01.")
    difference, error, n_folds = _estimate(differences, ratio)
    if error == 0:
        return Posterior(0.0, 1.0, 0.0)
    below, above = (float(special.stdtr(n_folds - 1, (sign * difference - rope) / error)) for sign in (-1, 1))
    better, worse = (above, below) if higher_is_better else (below, above)
    return Posterior(better, max(1 - better - worse, 0.0), worse)  # NaN stays


def _estimate(differences: NDArray[Any], ratio: float) -> tuple[float, float, int]:
    """Return mean, standard error and number of folds; the error is 0 if all are 0, NaN if it cannot be estimated."""
    if not 0 < ratio < math.inf:
        raise SettingsError(f"ratio={ratio} of test to training items: allowed: more than 0, such as 0.25.")
    values = np.asarray(differences, dtype=np.float64)
    n_folds = len(values)
    if n_folds == 0 or not np.isfinite(values).all():
        return math.nan, math.nan, n_folds
    if not values.any():
        return 0.0, 0.0, n_folds
    mean = float(values.mean())
    if n_folds == 1 or np.ptp(values) <= _ROUNDING * np.abs(values).max():
        return mean, math.nan, n_folds
    return mean, math.sqrt(values.var(ddof=1) * (1 / n_folds + ratio)), n_folds


def sign_flip(differences: NDArray[Any], *, n_draws: int = N_DRAWS, seed: int = 0) -> SignFlip:
    """Return the exact sign flip test over items: the share of all sign vectors with a sum at least as far from 0.

    Above 14 items signs are drawn, and p is ``(1 + n_as_far) / (1 + n_draws)`` (Phipson and Smyth, Statistical Applications in
    Genetics and Molecular Biology 9, 2010), never 0.

    Args:
        differences: float (n_items,), averaged over repeats.
        n_draws: Number of drawn sign vectors, above 14 items.
        seed: Of the draws.

    Returns:
        The test. All differences 0, or one item: p is 1. Any NaN, or no item: p is NaN.
    """
    values = np.asarray(differences, dtype=np.float64)
    n_items = len(values)
    is_exact = n_items <= MOST_ITEMS_OF_EXACT_TEST
    least_p = min(1.0, 2.0 ** (1 - n_items))
    if not is_exact:
        least_p = max(least_p, 1 / (1 + n_draws))
    if n_items == 0 or not np.isfinite(values).all():
        return SignFlip(math.nan, least_p, n_items)
    # The first sign may stay +: a vector and its opposite are equally far from 0.
    least_sum = abs(values.sum()) - _ROUNDING * np.abs(values).sum()
    if is_exact:
        is_minus = np.arange(2 ** (n_items - 1))[:, np.newaxis] >> np.arange(n_items) & 1
        return SignFlip(float(np.mean(_is_as_far(is_minus, values, least_sum))), least_p, n_items)
    rng, n_far = np.random.default_rng(seed), 0
    at_once = max(4, _MOST_DRAWN_AT_ONCE // n_items // 4 * 4)  # whole words of random bits: as if all were drawn at once
    for first in range(0, n_draws, at_once):
        drawn = rng.integers(2, size=(min(at_once, n_draws - first), n_items), dtype=np.int8)
        n_far += int(_is_as_far(drawn, values, least_sum).sum())
    return SignFlip((1 + n_far) / (1 + n_draws), least_p, n_items)


def _is_as_far(is_minus: NDArray[Any], values: _Numbers, least_sum: float) -> NDArray[np.bool_]:
    return np.asarray(np.abs(values.sum() - 2 * (is_minus @ values)) >= least_sum)


def holm(p_values: NDArray[Any]) -> _Numbers:
    """Return p values adjusted for a family of tests by Holm's step-down method (Scandinavian Journal of Statistics 6, 1979).

    Args:
        p_values: float (n_tests,).

    Returns:
        float64 (n_tests,): significant at a level if at most the level. What is NaN stays NaN and does not count as a test.
    """
    adjusted = np.array(p_values, dtype=np.float64)
    order = np.argsort(adjusted)[: np.sum(~np.isnan(adjusted))]  # NaN come last
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(adjusted[order] * factors), 1)
    return adjusted
