"""Variance components of a score over items and training runs, which are crossed: each run tests every item.

A training run is a repeat of the folds or, if there is only one, a seed. The components give the width of an interval.

With one training run, an interval only includes the variance between items, so it is about these trained models. The variance
of training again shows only between runs (Bouthillier et al., Accounting for variance in machine learning benchmarks, MLSys
2021). Both variances are added; their interaction is in both, which is conservative.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_ROUNDING = 1e-9


class Component(NamedTuple):
    """The variance of an estimate, or one component of it.

    Attributes:
        variance: The variance, in the squared unit of the score.
        freedom: Degrees of freedom of the estimated variance.
    """

    variance: float
    freedom: float


def run_component(runs: NDArray[Any]) -> Component | None:
    """Return the variance of the mean over training runs; `runs` is float (n_runs,).

    None: there is one run, all runs are equal, as for an estimator without randomness, or one is undefined.
    """
    values = np.asarray(runs, dtype=np.float64)
    if len(values) < 2 or not np.isfinite(values).all() or np.ptp(values) <= _ROUNDING * np.abs(values).max():
        return None
    return Component(float(values.var(ddof=1)) / len(values), len(values) - 1)


def add_components(*components: Component) -> Component:
    """Return the sum of variances, at least one of which is not 0.

    The degrees of freedom are those of Welch and Satterthwaite (Biometrics Bulletin 2, 1946).
    """
    total = math.fsum(component.variance for component in components)
    shares = ((component.variance / total) ** 2 / component.freedom for component in components)
    return Component(total, 1 / math.fsum(shares))


def add_runs(item_part: Component, run_part: Component | None = None) -> Component:
    """Return the variance of a difference over items and training runs, for a test.

    ``1 / freedom`` is the mean of both values, weighted by their variances, as Cochran's approximation weights the quantiles
    (Biometrics 20, 1964). Satterthwaite weights by the squares, so three runs that happen to differ little would hardly count:
    if partitions differ, its error rate at a level of 5 % is up to 7.4 % with three runs, and 9.9 % with two
    (``benchmarks/statistics_simulation.py --seeds``).
    """
    if run_part is None:
        return item_part
    total = item_part.variance + run_part.variance
    shares = (component.variance / component.freedom for component in (item_part, run_part))
    return Component(total, total / math.fsum(shares))


def half_width(confidence: float, *item_parts: Component, run_part: Component | None) -> float:
    """Return half of the width of the Student t interval of an estimate with the sum of variances.

    A further variance brings its own degrees of freedom, which could make the interval narrower; the result is never narrower
    than with items only. At least one variance of the items is not 0.
    """
    from scipy import special  # here, because it takes a while and some who read intervals compute none

    widths = []
    for components in [item_parts, (*item_parts, run_part)] if run_part else [item_parts]:
        variance, freedom = add_components(*components)
        widths.append(math.sqrt(variance) * float(special.stdtrit(freedom, (1 + confidence) / 2)))
    return max(widths)
