"""The interval of a difference between two groups without common items.

Both standard errors are those of the jackknife (Efron and Stein, Annals of Statistics 9, 1981), the degrees of freedom those of
Welch (Biometrika 34, 1947): for means this is the interval of Welch's t test.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xval.measures.statistics.crossed import half_width, run_component
from xval.measures.statistics.effective_items import fewest_items, item_component
from xval.measures.statistics.intervals import FEWEST_ITEMS, Bounds, Interval

ScoreFunction = Callable[[NDArray[Any]], float]
"""Function from the numbers of some items, intp (n,), to their score."""


def independent_difference(
    n_first: int,
    first: ScoreFunction,
    n_second: int,
    second: ScoreFunction,
    *,
    confidence: float = 0.95,
    runs: Sequence[float] | NDArray[Any] = (),
    weights: tuple[NDArray[Any] | None, NDArray[Any] | None] = (None, None),
) -> Interval | None:
    """Return the interval of the score of the first group minus that of the second; each has a number of items.

    `runs` are the differences of each training run, float (n_runs,), and `weights` the numbers of examples of the items of each
    group, as for `score_interval`.

    None: a group has fewer than 3 items, or fewer than 3 of a class of the score; a score is undefined without some item, or
    does not depend on any item.
    """
    if min(n_first, n_second) < FEWEST_ITEMS:
        return None
    if any(of is not None and fewest_items(of)[0] < FEWEST_ITEMS for of in weights):
        return None
    squares = [_jackknife_squares(n, score) for n, score in ((n_first, first), (n_second, second))]
    if not 0 < math.fsum(of.sum() for of in squares) < math.inf:
        return None
    item_parts = [item_component(of, own) for of, own in zip(squares, weights, strict=True)]
    run_part = run_component(np.asarray(runs))
    half = half_width(confidence, *item_parts, run_part=run_part)
    difference = first(np.arange(n_first)) - second(np.arange(n_second))
    covers: Literal["models", "method"] = "method" if run_part else "models"
    return Interval(difference - half, difference + half, n_first + n_second, "Welch t", covers=covers)


def cut_difference(low: float, high: float, bounds: Bounds | None) -> tuple[float, float]:
    """Return an interval of a difference, limited to the largest difference within the bounds of the score; NaN stays."""
    most = bounds[1] - bounds[0] if bounds else math.inf
    return max(low, -most), min(high, most)


def _jackknife_squares(n_items: int, score: ScoreFunction) -> NDArray[np.float64]:
    """Return the contribution of each item to the variance."""
    numbers = np.arange(n_items)
    without = np.array([score(np.delete(numbers, item)) for item in numbers])
    return np.asarray((n_items - 1) / n_items * (without - without.mean()) ** 2)
