"""Extrapolate a learning curve with a power law, value = limit + amount * n ** -exponent, for n training items.

The error of a model falls as a power of the amount of training data (Hestness et al., Deep learning scaling is predictable,
empirically, 2017; Viering and Loog, The shape of learning curves: a review, IEEE TPAMI 45, 2023).
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
    """Values of an extrapolated learning curve with their 95 % intervals.

    Attributes:
        values: float64 (n_sizes,), in the unit of the metric.
        low: float64 (n_sizes,), the lower ends of the intervals.
        high: float64 (n_sizes,), the upper ends of the intervals.
        exponent: The exponent of the power law, 0.05 to 1.
        limit: The value that the power law approaches with more training items.
    """

    values: _Numbers
    low: _Numbers
    high: _Numbers
    exponent: float
    limit: float


def extrapolate(
    sizes: Sequence[float],
    values: NDArray[Any],
    new_sizes: Sequence[float] | _Numbers,
    *,
    bounds: Bounds | None,
    is_rising: bool,
) -> Extrapolated:
    """Fit a power law to a learning curve by least squares, and return its values at other sizes.

    The exponent is between 0.05 and 1, and the limit is within the bounds. The interval is a percentile bootstrap over tested
    items and training runs. It does not include the error that occurs if the curve is no power law.

    Args:
        sizes: The number of training items of each point; three different numbers or more.
        values: float (n_items, n_runs, n_points), the metric of each tested item in each training run at each point.
        new_sizes: The numbers of training items to extrapolate to.
        bounds: The lowest and highest possible value of the metric; None if it has no bounds.
        is_rising: Whether a higher value of the metric is better.

    Raises:
        ResultsError: There are fewer than three different sizes.
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
    curves = limits[:, None] + amounts[:, None] * np.asarray(new_sizes, np.float64) ** -exponents[:, None]
    low, high = np.percentile(curves[1:], [2.5, 97.5], axis=0)
    return Extrapolated(curves[0], low, high, float(exponents[0]), float(limits[0]))


def _fit(sizes: _Numbers, curves: _Numbers, bounds: Bounds, sign: int) -> tuple[_Numbers, _Numbers, _Numbers]:
    """Fit a power law to each of several curves by least squares.

    For each exponent of a grid, limit and amount are the intercept and slope of a line over ``n ** -exponent``. The exponent
    with the smallest error is chosen.

    Args:
        sizes: float64 (n_points,), numbers of training items.
        curves: float64 (n_curves, n_points), the values of the curves.
        bounds: The limits of the curves are clipped to these.
        sign: The sign of the amounts, 1 or -1; an amount of the other sign is replaced by 0.

    Returns:
        Limits, amounts and exponents, float64 (n_curves,) each.
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
