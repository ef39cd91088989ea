"""Confidence intervals of means and other scores over items and, if there are several, over training runs.

The unit is the item, not the clip: clips of one speaker are alike, and an interval over clips would be too narrow. The interval
uses Student's t with the standard error of the jackknife (Efron and Stein, Annals of Statistics 9, 1981), which is the usual
one for a mean, on a scale that stays within the bounds. Its degrees of freedom are those of the items that determine the score
(`xval.measures.statistics.effective_items`).

With a single training run an interval is about other items for the same models: it ignores that other repeats and seeds give
other models. With several, their variance is added (`xval.measures.statistics.crossed`), and the interval is about this way of
training. benchmarks/statistics_simulation.py measures both.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import SettingsError
from xval.measures.statistics.crossed import half_width, run_component
from xval.measures.statistics.effective_items import FEWEST_ITEMS as FEWEST_ITEMS
from xval.measures.statistics.effective_items import fewest_items, item_component, item_freedom

FEWEST_ITEMS_TO_RELY_ON = 6
MOST_LEFT_OUT = 500  # the jackknife leaves out groups of items if there are more items than this
MOST_VALUES_OF_INTERVAL = 20_000_000  # probabilities times sets with one item left out; more would take minutes
MOST_VALUES_OF_BOOTSTRAP = 1_000_000_000  # probabilities times resamples, of which a user asks for
N_RESAMPLES = 2000
_MOST_DRAWS = 10  # times the resamples that are wanted, where a score is undefined in most
_ROUNDING = 1e-9

Bootstrap = Literal["bootstrap", "bca"]
"""Percentiles of resamples, or bias-corrected and accelerated percentiles."""
Bounds = tuple[float, float]
_Items = NDArray[np.intp]
_Numbers = NDArray[np.float64]


class Interval(NamedTuple):
    """An interval over items, or over items and training runs.

    Attributes:
        low: Lower end.
        high: Upper end.
        method: ``t``, ``t on the logit scale``, ``t on the log scale``, ``Welch t``, ``exact limit``,
            ``percentile bootstrap`` or ``BCa bootstrap``.
        covers: ``models``: the interval is for the score of these trained models on other items; ``method``: for the score of
            this way of training.
    """

    low: float
    high: float
    n_items: int
    method: str
    covers: Literal["models", "method"] = "models"

    @property
    def caution(self) -> str:
        """The caution to show next to an interval over fewer than 6 items; empty otherwise."""
        if self.n_items >= FEWEST_ITEMS_TO_RELY_ON:
            return ""
        told = "1 item tells" if self.n_items == 1 else f"{self.n_items} items tell"
        return f"{told} little about others: one more item could change the score and interval considerably"


def mean_interval(
    values: NDArray[Any],
    *,
    bounds: Bounds | None = (0.0, 1.0),
    confidence: float = 0.95,
    runs: Sequence[float] | NDArray[Any] = (),
    bootstrap: Bootstrap | None = None,
) -> Interval | None:
    """Return the interval of a mean over items; see `score_interval`.

    Args:
        values: float (n_items,), averaged over training runs, within the bounds or equal to one of them.
        bounds: Least and largest possible value, with inf for none; None: any value is possible.
        confidence: Of the interval, between 0 and 1.
        runs: float (n_runs,), the mean of each training run.
        bootstrap: As for `score_interval`.
    """
    values = np.asarray(values, dtype=np.float64)
    if bounds is not None and ((values < bounds[0] - _ROUNDING) | (values > bounds[1] + _ROUNDING)).any():
        raise SettingsError(
            f"interval: received values from {values.min()} to {values.max()}; expected {bounds[0]} to {bounds[1]}."
        )

    def mean(items: _Items) -> float:
        return float(values[items].mean())

    return score_interval(len(values), mean, bounds=bounds, confidence=confidence, runs=runs, bootstrap=bootstrap)


def score_interval(
    n_items: int,
    compute: Callable[[_Items], float],
    *,
    bounds: Bounds | None = (0.0, 1.0),
    confidence: float = 0.95,
    runs: Sequence[float] | NDArray[Any] = (),
    weights: NDArray[Any] | None = None,
    bootstrap: Bootstrap | None = None,
) -> Interval | None:
    """Return the interval of a score, such as a macro F1 of all clips.

    It uses Student's t, with the degrees of freedom of `xval.measures.statistics.effective_items` or, with several training
    runs, those of Satterthwaite. It is computed on a scale that stays within the bounds: the logit scale of the score for
    finite bounds (delta method; between -1 and 1 this is Fisher's z), the log scale of the distance to the bound if only one is
    finite. Items may be at a bound, because only the score of all items is transformed.

    If no item varies and the score is at a bound (all items are 1), the other limit is the exact one, which ``tail ** (1 / n)``
    of the range lies away from the opposite bound: at a smaller mean, all of n items would be 1 with less probability than the
    tail, 2.5 %. n is one more than the degrees of freedom, which for equal weights is the number of items.

    The bootstrap draws items with replacement, all examples of each (Efron and Tibshirani, An Introduction to the Bootstrap,
    1993, chapters 13 and 14). Its coverage is lower with few items; it is meant for comparison with other authors' intervals.
    It is about these models, because training runs are not resampled.

    Args:
        n_items: Number of items.
        compute: Function from the numbers of some items, intp (n,), to the score, averaged over training runs.
        bounds: Least and largest possible score, with inf for none; None: any score is possible.
        confidence: Of the interval, between 0 and 1.
        runs: float (n_runs,), the score of all items in each training run; see `xval.measures.statistics.crossed`.
        weights: float (n_classes, n_items), number of examples of each item, as for `item_component`; None: the score weights
            items equally.
        bootstrap: Use this kind of bootstrap instead of t, with ``numpy.random.default_rng(0)``; None: t.

    Returns:
        The interval. None: there are fewer than 3 items, or fewer than 3 of a class of the score; the score, with or without
            some item, is NaN or infinite; or the score is not at a bound and does not depend on any item, so that its error
            cannot be estimated.
    """
    if not 0 < confidence < 1:
        raise SettingsError(f"confidence={confidence}; expected a number between 0 and 1, such as 0.95.")
    if n_items < FEWEST_ITEMS or (weights is not None and fewest_items(weights)[0] < FEWEST_ITEMS):
        return None
    estimate = compute(np.arange(n_items))
    if not math.isfinite(estimate):
        return None
    low, high = bounds or (-math.inf, math.inf)
    if not low - _ROUNDING <= estimate <= high + _ROUNDING:
        raise SettingsError(f"interval: received the value {estimate}; expected {low} to {high}.")
    without = leave_out(n_items, compute)
    if not np.isfinite(without).all():  # the item without which it is undefined would add most to the variance
        return None
    if bootstrap and np.ptp(without) > _ROUNDING * np.abs(without).max():
        return _bootstrap(estimate, n_items, compute, bootstrap, without, confidence)
    weights = None if weights is None else sum_left_out(weights)
    if np.ptp(without) <= _ROUNDING * np.abs(without).max():
        n_effective = n_items if weights is None else 1 + item_freedom(weights)
        share = ((1 - confidence) / 2) ** (1 / n_effective)
        if estimate >= high - _ROUNDING and math.isfinite(low):
            return Interval(low + share * (high - low), high, n_items, "exact limit")
        if estimate <= low + _ROUNDING and math.isfinite(high):
            return Interval(low, high - share * (high - low), n_items, "exact limit")
        return None
    item_part = item_component((len(without) - 1) / len(without) * (without - without.mean()) ** 2, weights)
    run_part = run_component(np.asarray(runs))
    ends, method = _t_limits(estimate, half_width(confidence, item_part, run_part=run_part), (low, high))
    return Interval(float(ends[0]), float(ends[1]), n_items, method, "method" if run_part else "models")


def _bootstrap(
    estimate: float, n_items: int, compute: Callable[[_Items], float], kind: Bootstrap, without: _Numbers, confidence: float
) -> Interval | None:
    """Return the interval of a score by the bootstrap; None: undefined in nearly all draws, or the same in all.

    A resample with an undefined score, such as AUC without an item of one class, is drawn again.
    """
    rng = np.random.default_rng(0)
    drawn = (compute(rng.integers(n_items, size=n_items)) for _ in range(_MOST_DRAWS * N_RESAMPLES))
    resampled = np.fromiter(islice(filter(math.isfinite, drawn), N_RESAMPLES), np.float64)
    if len(resampled) < N_RESAMPLES or np.ptp(resampled) <= _ROUNDING * np.abs(resampled).max():
        return None
    ends = bootstrap_ends(estimate, resampled, without if kind == "bca" else None, confidence)
    return Interval(float(ends[0]), float(ends[1]), n_items, "BCa bootstrap" if kind == "bca" else "percentile bootstrap")


def bootstrap_ends(estimate: float, resampled: _Numbers, without: _Numbers | None, confidence: float = 0.95) -> _Numbers:
    """Return both ends of the bootstrap interval.

    Args:
        estimate: The score of all items.
        resampled: float64 (n_resamples,), the scores of resampled items.
        without: float64 (n_items,), the score without each item, for the acceleration of BCa (Efron, JASA 82, 1987); None:
            percentiles.
        confidence: Of the interval.
    """
    from scipy import special

    tails = np.array([1 - confidence, 1 + confidence]) / 2
    if without is not None:
        below = (np.sum(resampled < estimate) + np.sum(resampled <= estimate)) / (2 * len(resampled))
        bias = special.ndtri(np.clip(below, 1 / len(resampled), 1 - 1 / len(resampled)))
        influence = without.mean() - without
        squares = float((influence**2).sum())
        acceleration = float((influence**3).sum()) / (6 * squares**1.5) if squares else 0.0
        shifted = bias + special.ndtri(tails)
        tails = special.ndtr(bias + shifted / (1 - acceleration * shifted))
    return np.quantile(resampled, tails)


def left_out(n_items: int) -> Iterable[NDArray[np.intp]]:
    """Return the numbers of the items that a jackknife leaves out in turn: each item, or groups of more than 500."""
    numbers = np.arange(n_items)
    is_grouped = n_items > MOST_LEFT_OUT
    return (
        np.array_split(np.random.default_rng(0).permutation(n_items), MOST_LEFT_OUT) if is_grouped else numbers[:, np.newaxis]
    )


def leave_out(n_items: int, compute: Callable[[_Items], float]) -> _Numbers:
    """Return the score without each item, or without each of 500 groups of items; NaN where it is undefined."""
    numbers = np.arange(n_items)
    return np.array([compute(np.delete(numbers, own)) for own in left_out(n_items)])


def sum_left_out(weights: NDArray[Any]) -> _Numbers:
    """Return weights of items, float (n_classes, n_items), summed over the groups of `left_out`."""
    table = np.asarray(weights, dtype=np.float64)
    return np.stack([table[:, own].sum(axis=1) for own in left_out(table.shape[1])], axis=1)


def _t_limits(estimate: float, half: float, bounds: Bounds) -> tuple[_Numbers, str]:
    """Return both limits and the method; `half` is half of the width on the scale of the score."""
    from scipy import special

    low, high = bounds
    halves = half * np.array([-1.0, 1.0])
    if -math.inf < low < estimate < high < math.inf:
        share = (estimate - low) / (high - low)
        logits = special.logit(share) + halves / ((high - low) * share * (1 - share))
        return low + (high - low) * special.expit(logits), "t on the logit scale"
    if -math.inf < low < estimate and high == math.inf:
        return low + (estimate - low) * np.exp(halves / (estimate - low)), "t on the log scale"
    if low == -math.inf and estimate < high < math.inf:
        return high - (high - estimate) * np.exp(-halves / (high - estimate)), "t on the log scale"
    return (estimate + halves).clip(low, high), "t"
