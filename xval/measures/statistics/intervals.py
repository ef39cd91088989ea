"""Intervals over items, of means and of figures that are no means.

Comes in: the value of each item, or a figure as a function of items. Goes out: an `Interval`.

Items are the unit, not clips: clips of one speaker are alike, and an interval over clips would be too narrow. Below 20 items:
Student t with the standard error of the jackknife (Efron and Stein, Annals of Statistics 9, 1981), which for a mean is the
usual one. From 20 items on: the BCa bootstrap over items (Efron, JASA 82, 1987; over clusters: Davison and Hinkley, Bootstrap
Methods and their Application, 1997, section 3.8), with quantiles of t in place of normal ones (Hesterberg, The American
Statistician 69, 2015): without them it covers 93 to 94 instead of 95 % at 20 items.

An interval is about other items for the same models. It does not know that other training items and seeds give other models:
benchmarks/statistics_simulation.py measures both.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import SettingsError

FEWEST_ITEMS = 3  # for an interval at all
FEWEST_ITEMS_TO_RELY_ON = 6
FEWEST_ITEMS_OF_BOOTSTRAP = 20
N_RESAMPLES = 2000
MOST_LEFT_OUT = 500  # the jackknife leaves out groups of items if there are more items than this
MOST_VALUES_OF_INTERVAL = 20_000_000  # probabilities times sets with one item left out; more would take minutes
_MOST_DRAWN_AT_ONCE = 1_000_000
_ROUNDING = 1e-9

Bounds = tuple[float, float]
_Items = NDArray[np.intp]
_Numbers = NDArray[np.float64]
_Sets = _Items | list[_Items]


class Interval(NamedTuple):
    """An interval over items.

    Attributes:
        low: Its lower end.
        high: Its upper end.
        n_items: Number of items.
        method: ``t``, ``t on the logit scale``, ``t on the log scale``, ``BCa bootstrap`` or ``exact limit``.
        n_undefined: Number of resamples (or of sets with one item left out) in which the figure is NaN; they are left out.
    """

    low: float
    high: float
    n_items: int
    method: str
    n_undefined: int = 0

    @property
    def caution(self) -> str:
        """What to say beside an interval over fewer than 6 items; empty otherwise."""
        if self.n_items >= FEWEST_ITEMS_TO_RELY_ON:
            return ""
        told = "1 item tells" if self.n_items == 1 else f"{self.n_items} items tell"
        return f"{told} little about others: a further item may change the figure and the interval a lot"


def mean_interval(values: NDArray[Any], *, bounds: Bounds | None = (0.0, 1.0), confidence: float = 0.95) -> Interval | None:
    """Return the interval of a mean over items; see `figure_interval`.

    Args:
        values: float (n_items,); each may be any value within the bounds, both ends included.
        bounds: Least and largest possible value, with inf for none; None: any value is possible.
        confidence: Of the interval, between 0 and 1.
    """
    values = np.asarray(values, dtype=np.float64)
    n_items = len(values)
    if bounds is not None and ((values < bounds[0] - _ROUNDING) | (values > bounds[1] + _ROUNDING)).any():
        raise SettingsError(
            f"interval: received values from {values.min()} to {values.max()}; allowed: {bounds[0]} to {bounds[1]}."
        )

    def resample(rng: np.random.Generator) -> _Numbers:
        at_once = max(1, _MOST_DRAWN_AT_ONCE // n_items)
        parts = (min(at_once, N_RESAMPLES - start) for start in range(0, N_RESAMPLES, at_once))
        return np.concatenate([values[rng.integers(n_items, size=(n_drawn, n_items))].mean(axis=1) for n_drawn in parts])

    def means(sets: _Sets) -> _Numbers:
        parts = [sets] if isinstance(sets, np.ndarray) else [items[np.newaxis] for items in sets]
        return np.concatenate([values[part].mean(axis=1) for part in parts])

    return _interval(n_items, means, resample, bounds, confidence)


def figure_interval(
    n_items: int,
    compute: Callable[[_Items], float],
    *,
    bounds: Bounds | None = (0.0, 1.0),
    confidence: float = 0.95,
    bootstrap: bool = True,
) -> Interval | None:
    """Return the interval of a figure over items, such as a macro F1 of all clips.

    Below 20 items it is Student t, n_items - 1 degrees of freedom. Within finite bounds, t is taken on the logit scale of the
    figure (delta method; between -1 and 1 this is Fisher's z), with one finite bound on the log scale of the distance to it; so
    the limits keep within the bounds. Items may be at a bound: it is the figure of all items that is transformed. If no item
    varies and the figure is at a bound (all items are 1), the other limit is the exact one: ``tail ** (1 / n_items)`` of the
    range lies between it and the opposite bound. At a smaller mean, all items would be 1 with less probability than the tail,
    2.5 %.

    Args:
        n_items: Number of items.
        compute: From the numbers of the drawn items, intp (n_drawn,), some of them several times, to the figure.
        bounds: Least and largest possible figure, with inf for none; None: any figure is possible.
        confidence: Of the interval, between 0 and 1.
        bootstrap: From 20 items on; False: t there too, of a figure that takes too long to compute 2,000 times.

    Returns:
        The interval. None: there are fewer than 3 items; the figure is NaN or infinite, or defined in fewer than 3 of the
        resamples (or of the sets with one item left out); no item changes a figure that is at no bound, so that its error
        cannot be estimated.
    """

    def resample(rng: np.random.Generator) -> _Numbers:
        return np.array([compute(rng.integers(n_items, size=n_items)) for _ in range(N_RESAMPLES)])

    def figures(sets: _Sets) -> _Numbers:
        return np.array([compute(items) for items in sets])

    return _interval(n_items, figures, resample if bootstrap else None, bounds, confidence)


def _interval(
    n_items: int,
    compute: Callable[[_Sets], _Numbers],
    resample: Callable[[np.random.Generator], _Numbers] | None,
    bounds: Bounds | None,
    confidence: float,
) -> Interval | None:
    from scipy import special  # here, because it takes a while and some who read intervals compute none

    if not 0 < confidence < 1:
        raise SettingsError(f"confidence={confidence}: allowed: between 0 and 1, such as 0.95.")
    if n_items < FEWEST_ITEMS:
        return None
    numbers = np.arange(n_items)
    estimate = float(compute(numbers[np.newaxis])[0])
    if not math.isfinite(estimate):
        return None
    low, high = bounds or (-math.inf, math.inf)
    if not low - _ROUNDING <= estimate <= high + _ROUNDING:
        raise SettingsError(f"interval: received the figure {estimate}; allowed: {low} to {high}.")
    rng = np.random.default_rng(0)
    n_sets = min(n_items, MOST_LEFT_OUT)
    if n_sets < n_items:
        left_out = np.array_split(rng.permutation(n_items), n_sets)
        without, n_undefined = _defined(compute([np.delete(numbers, group) for group in left_out]))
    else:  # in each row one item is left out
        without, n_undefined = _defined(compute(numbers[:-1] + (numbers[:-1] >= numbers[:, np.newaxis])))
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
    if n_items < FEWEST_ITEMS_OF_BOOTSTRAP or resample is None:
        error = math.sqrt((n_sets - 1) * np.var(without))
        ends, method = _t_limits(estimate, error * special.stdtrit(n_sets - 1, 1 - tail), (low, high))
        return Interval(float(ends[0]), float(ends[1]), n_items, method, n_undefined)
    resamples, n_undefined = _defined(resample(rng))
    if len(resamples) < FEWEST_ITEMS:
        return None
    expanded = special.ndtr(-special.stdtrit(n_items - 1, 1 - tail) * math.sqrt(n_items / (n_items - 1)))
    ends = _bca_limits(resamples, estimate, without, expanded)
    return Interval(float(ends[0]), float(ends[1]), n_items, "BCa bootstrap", n_undefined)


def _defined(figures: _Numbers) -> tuple[_Numbers, int]:
    is_undefined = np.isnan(figures)
    return figures[~is_undefined], int(is_undefined.sum())


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


def _bca_limits(resamples: _Numbers, estimate: float, without: _Numbers, tail: float) -> _Numbers:
    """Return both limits; if all resamples are on one side of the estimate, those of half a resample on the other."""
    from scipy import special

    n_below = np.sum(resamples < estimate) + np.sum(resamples == estimate) / 2
    bias = special.ndtri(np.clip(n_below, 0.5, len(resamples) - 0.5) / len(resamples))
    influence = without.mean() - without
    acceleration = (influence**3).sum() / (6 * (influence**2).sum() ** 1.5)
    shifted = bias + special.ndtri([tail, 1 - tail])
    return np.asarray(np.quantile(resamples, special.ndtr(bias + shifted / (1 - acceleration * shifted))))
