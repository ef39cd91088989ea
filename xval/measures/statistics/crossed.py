"""Variance components of a score over items and over training runs, which cross: each run tests every item.

A training run is a repeat of the folds or, if there is a single one, a seed. The components give the width of an interval.

Items are all that an interval knows of one training run, so that it is about these trained models. What training anew changes
shows only between runs (Bouthillier et al., Accounting for variance in machine learning benchmarks, MLSys 2021). Both
variances are added; what items and runs have in common is in both, which errs to the safe side.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_ROUNDING = 1e-9


class Component(NamedTuple):
    """The variance of an estimate, or a part of it.

    Attributes:
        variance: In the square of the score's unit.
        freedom: Degrees of freedom that the variance was estimated with.
    """

    variance: float
    freedom: float


def run_component(runs: NDArray[Any]) -> Component | None:
    """Return the variance of the mean over training runs, float (n_runs,).

    None: one run, or runs that are all alike, as those of an estimator are that draws nothing; or one is undefined.
    """
    values = np.asarray(runs, dtype=np.float64)
    if len(values) < 2 or not np.isfinite(values).all() or np.ptp(values) <= _ROUNDING * np.abs(values).max():
        return None
    return Component(float(values.var(ddof=1)) / len(values), len(values) - 1)


def add_components(*components: Component) -> Component:
    """Return the sum of variances, one of which at least is not 0.

    The degrees of freedom are those of Welch and Satterthwaite (Biometrics Bulletin 2, 1946).
    """
    total = math.fsum(component.variance for component in components)
    shares = ((component.variance / total) ** 2 / component.freedom for component in components)
    return Component(total, 1 / math.fsum(shares))


def add_runs(item_part: Component, run_part: Component | None = None) -> Component:
    """Return the variance of a difference, over items and over training runs, for a test.

    ``1 / freedom`` is the mean of that of both, weighted by their variances, as Cochran's approximation weights the quantiles
    (Biometrics 20, 1964). Satterthwaite weights by the squares, so that three runs that differ little by luck would count for
    nothing: where partitions differ, it errs in up to 7.4 % for 5 % with three runs, and in 9.9 % with two
    (``benchmarks/statistics_simulation.py --seeds``).
    """
    if run_part is None:
        return item_part
    total = item_part.variance + run_part.variance
    shares = (component.variance / component.freedom for component in (item_part, run_part))
    return Component(total, total / math.fsum(shares))


def half_width(confidence: float, *item_parts: Component, run_part: Component | None) -> float:
    """Return half of the width of the interval by Student t of an estimate whose variances are added.

    As a further variance brings its own degrees of freedom, it could make the interval narrower; it is never narrower than
    with only items, one variance of which at least is not 0.
    """
    from scipy import special  # here, because it takes a while and some who read intervals compute none

    widths = []
    for components in [item_parts, (*item_parts, run_part)] if run_part else [item_parts]:
        variance, freedom = add_components(*components)
        widths.append(math.sqrt(variance) * float(special.stdtrit(freedom, (1 + confidence) / 2)))
    return max(widths)
