"""Intervals of means and of figures that are no means, over items and, where there are several, over training runs.

Comes in: the value of each item, or a figure as a function of items; and its value by each training run. Goes out: an
`Interval`.

Items are the unit, not clips: clips of one speaker are alike, and an interval over clips would be too narrow. It is Student
t with the standard error of the jackknife (Efron and Stein, Annals of Statistics 9, 1981), for a mean the usual one. From 12
items on its limits are corrected for the skewness of the items (Hall, JRSS B 54, 1992), as of accuracies near 1 of which a few
are low.

With a single training run an interval is about other items for the same models: it does not know that other deals and seeds
give other models. With several, their variance is added (`xval.measures.statistics.crossed`), and it is about what training in
this way reaches. benchmarks/statistics_simulation.py measures both.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import SettingsError
from xval.measures.statistics.crossed import Component, half_width, run_component

FEWEST_ITEMS = 3  # for an interval at all
FEWEST_ITEMS_TO_RELY_ON = 6
FEWEST_ITEMS_OF_SKEWNESS = 12  # fewer do not tell it
MOST_LEFT_OUT = 500  # the jackknife leaves out groups of items if there are more items than this
MOST_VALUES_OF_INTERVAL = 20_000_000  # probabilities times sets with one item left out; more would take minutes
_ROUNDING = 1e-9

Bounds = tuple[float, float]
_Items = NDArray[np.intp]
_Numbers = NDArray[np.float64]


class Interval(NamedTuple):
    """An interval over items, or over items and training runs.

    Attributes:
        low: Its lower end.
        high: Its upper end.
        method: ``t``, ``t on the logit scale``, ``t on the log scale``, ``t corrected for skewness``, ``Welch t``, ``Wilson``
            or ``exact limit``.
        n_undefined: Number of sets with one item left out in which the figure is NaN; they are left out.
        covers: ``models``: what these trained models reach on other items; ``method``: what training in this way reaches.
    """

    low: float
    high: float
    n_items: int
    method: str
    n_undefined: int = 0
    covers: Literal["models", "method"] = "models"

    @property
    def caution(self) -> str:
        """What to say beside an interval over fewer than 6 items; empty otherwise."""
        if self.n_items >= FEWEST_ITEMS_TO_RELY_ON:
            return ""
        told = "1 item tells" if self.n_items == 1 else f"{self.n_items} items tell"
        return f"{told} little about others: a further item may change the value and the interval a lot"


def mean_interval(
    values: NDArray[Any],
    *,
    bounds: Bounds | None = (0.0, 1.0),
    confidence: float = 0.95,
    runs: Sequence[float] | NDArray[Any] = (),
) -> Interval | None:
    """Return the interval of a mean over items; see `figure_interval`.

    Where each item is right or wrong, as with one decision for each, the mean is a share, whose interval is Wilson's (JASA 22,
    1927): it holds its confidence with few items and near 0 and 1 (Brown, Cai and DasGupta, Statistical Science 16, 2001).

    Args:
        values: float (n_items,), averaged over training runs; each may be any value within the bounds, both ends included.
        bounds: Least and largest possible value, with inf for none; None: any value is possible.
        confidence: Of the interval, between 0 and 1.
        runs: float (n_runs,), the mean by each training run.
    """
    values = np.asarray(values, dtype=np.float64)
    if bounds == (0.0, 1.0) and len(values) >= FEWEST_ITEMS and _is_share(values) and not run_component(np.asarray(runs)):
        return _wilson(float(values.mean()), len(values), confidence)
    if bounds is not None and ((values < bounds[0] - _ROUNDING) | (values > bounds[1] + _ROUNDING)).any():
        raise SettingsError(
            f"interval: received values from {values.min()} to {values.max()}; allowed: {bounds[0]} to {bounds[1]}."
        )
    return figure_interval(
        len(values), lambda items: float(values[items].mean()), bounds=bounds, confidence=confidence, runs=runs
    )


def figure_interval(
    n_items: int,
    compute: Callable[[_Items], float],
    *,
    bounds: Bounds | None = (0.0, 1.0),
    confidence: float = 0.95,
    runs: Sequence[float] | NDArray[Any] = (),
) -> Interval | None:
    """Return the interval of a figure, such as a macro F1 of all clips.

    It is Student t with n_items - 1 degrees of freedom; with several training runs, those of Satterthwaite. From 12 items on it
    is corrected for the skewness of the items, and cut at the bounds. With fewer, or with several training runs, whose skewness
    is not known, t is taken on a scale that keeps within the bounds: within finite ones the logit scale of the figure (delta
    method; between -1 and 1 this is Fisher's z), with one finite bound the log scale of the distance to it. Items may be at a
    bound: it is the figure of all items that is transformed.

    If no item varies and the figure is at a bound (all items are 1), the other limit is the exact one, which
    ``tail ** (1 / n_items)`` of the range lies away from the opposite bound: at a smaller mean, all items would be 1 with less
    probability than the tail, 2.5 %.

    Args:
        n_items: Number of items.
        compute: From the numbers of some items, intp (n,), to the figure, averaged over training runs.
        bounds: Least and largest possible figure, with inf for none; None: any figure is possible.
        confidence: Of the interval, between 0 and 1.
        runs: float (n_runs,), the figure of all items by each training run; see `xval.measures.statistics.crossed`.

    Returns:
        The interval. None: there are fewer than 3 items; the figure is NaN or infinite, or defined in fewer than 3 of the sets
        with one item left out; no item changes a figure that is at no bound, so that its error cannot be estimated.
    """
    if not 0 < confidence < 1:
        raise SettingsError(f"confidence={confidence}: allowed: between 0 and 1, such as 0.95.")
    if n_items < FEWEST_ITEMS:
        return None
    estimate = compute(np.arange(n_items))
    if not math.isfinite(estimate):
        return None
    low, high = bounds or (-math.inf, math.inf)
    if not low - _ROUNDING <= estimate <= high + _ROUNDING:
        raise SettingsError(f"interval: received the value {estimate}; allowed: {low} to {high}.")
    without, n_undefined = _leave_out(n_items, compute)
    if len(without) < FEWEST_ITEMS:
        return None
    tail = (1 - confidence) / 2
    if np.ptp(without) <= _ROUNDING * np.abs(without).max():
        share = tail ** (1 / n_items)
        if estimate >= high - _ROUNDING and math.isfinite(low):
            return Interval(low + share * (high - low), high, n_items, "exact limit", n_undefined)
        if estimate <= low + _ROUNDING and math.isfinite(high):
            return Interval(low, high - share * (high - low), n_items, "exact limit", n_undefined)
        return None
    n_sets = len(without) + n_undefined
    of_items = Component((n_sets - 1) * float(np.var(without)), n_sets - 1)
    of_runs = run_component(np.asarray(runs))
    half = half_width(confidence, of_items, of_runs=of_runs)
    if of_runs or n_sets < FEWEST_ITEMS_OF_SKEWNESS:
        ends, method = _t_limits(estimate, half, (low, high))
    else:
        error = math.sqrt(of_items.variance)
        ends, method = _skewed_limits(estimate, without, error, half / error).clip(low, high), "t corrected for skewness"
    return Interval(float(ends[0]), float(ends[1]), n_items, method, n_undefined, "method" if of_runs else "models")


def _is_share(values: _Numbers) -> bool:
    """Return whether each value is 0 or 1, and both occur."""
    return bool(np.isin(values, (0.0, 1.0)).all()) and 0 < values.mean() < 1


def _wilson(share: float, n_items: int, confidence: float) -> Interval:
    from scipy import special

    quantile = float(special.ndtri((1 + confidence) / 2))
    shrunk = quantile**2 / n_items
    middle = (share + shrunk / 2) / (1 + shrunk)
    half = quantile * math.sqrt(share * (1 - share) / n_items + shrunk / (4 * n_items)) / (1 + shrunk)
    return Interval(middle - half, middle + half, n_items, "Wilson")


def left_out(n_items: int) -> Iterable[NDArray[np.intp]]:
    """Return the numbers of the items that a jackknife leaves out in turn: each, or of more than 500 each group."""
    numbers = np.arange(n_items)
    is_grouped = n_items > MOST_LEFT_OUT
    return (
        np.array_split(np.random.default_rng(0).permutation(n_items), MOST_LEFT_OUT) if is_grouped else numbers[:, np.newaxis]
    )


def _leave_out(n_items: int, compute: Callable[[_Items], float]) -> tuple[_Numbers, int]:
    """Return the figure without each item, or without each of 500 groups of items, and how often it is undefined."""
    numbers = np.arange(n_items)
    figures = np.array([compute(np.delete(numbers, own)) for own in left_out(n_items)])
    is_undefined = np.isnan(figures)
    return figures[~is_undefined], int(is_undefined.sum())


def _skewed_limits(estimate: float, without: _Numbers, error: float, quantile: float) -> _Numbers:
    """Return both limits by the inverse of Hall's cubic transformation; of items that are not skewed, those of t."""
    influence = (len(without) - 1) * (without.mean() - without)
    skewness = float((influence**3).sum()) / (len(without) * error) ** 3
    quantiles = np.array([quantile, -quantile])
    if abs(skewness) > _ROUNDING:
        quantiles = 3 / skewness * (np.cbrt(1 + skewness * (quantiles - skewness / 6)) - 1)
    return np.asarray(estimate - error * quantiles)


def _t_limits(estimate: float, half: float, bounds: Bounds) -> tuple[_Numbers, str]:
    """Return both limits and the method; `half` is half of the width on the figure's own scale."""
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
    return estimate + halves, "t"
