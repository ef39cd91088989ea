"""Bootstrap intervals over items.

Comes in: a figure as a function of items. Goes out: an `Interval`.

Items are drawn, not clips: clips of one speaker are alike, and an interval over clips would be too narrow. Source: the
percentile bootstrap of Efron (Annals of Statistics 7, 1979) over clusters (Davison and Hinkley, Bootstrap Methods and their
Application, 1997, section 3.8).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

N_RESAMPLES = 1000
FEWEST_ITEMS = 3
_COVERAGE = 0.95


class Interval(NamedTuple):
    """A 95 % interval.

    Attributes:
        low: Its lower end.
        high: Its upper end.
        n_items: Number of items.
        n_undefined: Number of resamples in which the figure is NaN; they are left out.
    """

    low: float
    high: float
    n_items: int
    n_undefined: int


def bootstrap(n_items: int, compute: Callable[[NDArray[np.intp]], float], *, seed: int = 0) -> Interval | None:
    """Return the interval of a figure over items.

    Args:
        n_items: Number of items.
        compute: From the numbers of the drawn items, intp (n_items,), to the figure.
        seed: Of the draws.

    Returns:
        The interval; None with fewer than 3 items, or if the figure is never defined.
    """
    if n_items < FEWEST_ITEMS:
        return None
    rng = np.random.default_rng(seed)
    found = [compute(rng.integers(n_items, size=n_items)) for _ in range(N_RESAMPLES)]
    defined = [value for value in found if not math.isnan(value)]
    if not defined:
        return None
    low, high = np.quantile(defined, [(1 - _COVERAGE) / 2, (1 + _COVERAGE) / 2])
    return Interval(float(low), float(high), n_items, len(found) - len(defined))
