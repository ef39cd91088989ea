"""A learning curve as a power law, value = limit + amount * n ** -exponent, and what it is at other numbers of training items.

Comes in: the values of tested items, by training run and number of training items. Goes out: values with their intervals.

Errors of learning fall as a power of what was learned from (Hestness et al., Deep learning scaling is predictable, empirically,
2017; Viering and Loog, The shape of learning curves: a review, IEEE TPAMI 45, 2023).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import ResultsError, counted
from xval.measures.statistics.intervals import Bounds

FEWEST_POINTS = 3  # as many as a power law has parameters
_EXPONENTS = np.linspace(0.05, 1, 39)  # errors of estimation fall no faster than 1 / n
_N_DRAWS = 1000
_Numbers = NDArray[np.float64]


class Extrapolated(NamedTuple):
    """Values of a learning curve, float64 (n_sizes,), with the ends of their 95 % intervals.

    Attributes:
        exponent: Of the power law.
        limit: What it comes to with more and more items.
    """

    values: _Numbers
    low: _Numbers
    high: _Numbers
    exponent: float
    limit: float


def extrapolate(
    sizes: Sequence[float], values: NDArray[Any], wanted: Sequence[float] | _Numbers, *, bounds: Bounds | None, is_rising: bool
) -> Extrapolated:
    """Fit a power law to a learning curve by least squares, and return its values at other sizes.

    The exponent is between 0.05 and 1, the limit within the bounds. The interval is that of the percentile bootstrap, which
    draws tested items and training runs; that the curve may be no power law is not in it.

    Args:
        sizes: Number of training items of each point, three or more.
        values: float (n_items, n_runs, n_points), the metric of each tested item.
        wanted: Numbers of training items.
        bounds: Of the metric; None: any value.
        is_rising: Whether more of the metric is better.
    """
    values = np.asarray(values, dtype=np.float64)
    if len(set(sizes)) < FEWEST_POINTS or values.shape[-1] != len(sizes):
        raise ResultsError(f"learning curve: received {counted(len(set(sizes)), 'size')}; expected {FEWEST_POINTS} or more.")
    n_items, n_runs, _ = values.shape
    rng = np.random.default_rng(0)
    draws = [values.mean(axis=(0, 1))]
    for _ in range(_N_DRAWS):
        items, runs = rng.integers(n_items, size=n_items), rng.integers(n_runs, size=n_runs)
        draws.append(values[np.ix_(items, runs)].mean(axis=(0, 1)))
    limits, amounts, exponents = _fit(
        np.asarray(sizes, np.float64), np.array(draws), bounds or (-np.inf, np.inf), 1 - 2 * is_rising
    )
    curves = limits[:, None] + amounts[:, None] * np.asarray(wanted, np.float64) ** -exponents[:, None]
    low, high = np.percentile(curves[1:], [2.5, 97.5], axis=0)
    return Extrapolated(curves[0], low, high, float(exponents[0]), float(limits[0]))


def _fit(sizes: _Numbers, curves: _Numbers, bounds: Bounds, sign: int) -> tuple[_Numbers, _Numbers, _Numbers]:
    """Return limit, amount and exponent of each curve, float64 (n_curves,), from its values, float64 (n_curves, n_points).

    With an exponent given, both others are those of a line over ``n ** -exponent``, the amount of the sign given (or 0).
    """
    best = np.full((4, len(curves)), np.inf)
    for exponent in _EXPONENTS:
        powers = sizes**-exponent
        centred = powers - powers.mean()
        amounts = sign * np.maximum(sign * (curves @ centred) / (centred @ centred), 0)
        limits = np.clip(curves.mean(axis=1) - amounts * powers.mean(), *bounds)
        amounts = sign * np.maximum(sign * ((curves - limits[:, None]) @ powers) / (powers @ powers), 0)
        errors = ((curves - limits[:, None] - amounts[:, None] * powers) ** 2).sum(axis=1)
        better = errors < best[3]
        best[:, better] = np.array([limits, amounts, np.full(len(curves), exponent), errors])[:, better]
    return best[0], best[1], best[2]
