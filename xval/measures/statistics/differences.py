"""The interval of a difference between two groups that share no item.

Comes in: the figure of each group as a function of its items. Goes out: an `Interval`. Both standard errors are those of the
jackknife (Efron and Stein, Annals of Statistics 9, 1981), the degrees of freedom those of Welch (Biometrika 34, 1947): for
means this is the interval of Welch's t test.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xval.measures.statistics.intervals import FEWEST_ITEMS, Bounds, Interval

Figure = Callable[[NDArray[Any]], float]
"""From the numbers of some items, intp (n,), to their figure."""


def independent_difference(
    n_first: int, first: Figure, n_second: int, second: Figure, *, confidence: float = 0.95
) -> Interval | None:
    """Return the interval of the figure of the first group less that of the second, each with its number of items.

    None: a group has fewer than 3 items, a figure is undefined with an item left out, or no item changes one.
    """
    from scipy import special

    if min(n_first, n_second) < FEWEST_ITEMS:
        return None
    variances = [_jackknife_variance(n_first, first), _jackknife_variance(n_second, second)]
    total = sum(variances)
    if not math.isfinite(total) or total == 0:
        return None
    freedom = total**2 / sum(
        variance**2 / (n_items - 1) for variance, n_items in zip(variances, (n_first, n_second), strict=True)
    )
    half = float(special.stdtrit(freedom, (1 + confidence) / 2)) * math.sqrt(total)
    difference = first(np.arange(n_first)) - second(np.arange(n_second))
    return Interval(difference - half, difference + half, n_first + n_second, "Welch t")


def cut_difference(low: float, high: float, bounds: Bounds | None) -> tuple[float, float]:
    """Return an interval of a difference without what figures within their bounds cannot differ by; NaN stays."""
    most = bounds[1] - bounds[0] if bounds else math.inf
    return max(low, -most), min(high, most)


def _jackknife_variance(n_items: int, figure: Figure) -> float:
    numbers = np.arange(n_items)
    without = np.array([figure(np.delete(numbers, item)) for item in numbers])
    return float((n_items - 1) * np.var(without))
