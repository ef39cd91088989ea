"""Compare two instances on the same items, and several with one.

Comes in: differences of a figure, the instance minus the baseline, of each item and training run, or of each fold. Goes out: a
`Difference`, with its intervals and p values, and those of a family of comparisons.

`item_difference` takes items as the unit. `corrected_t` takes folds, for figures that are not known of items; it allows for
training sets that overlap. Both estimate an error: where nothing differs between items or folds there is no p value, rather
than one of 0, and no equality. Clips of one item are not independent: no test takes them as units.
"""

import math
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import SettingsError
from xval.measures.statistics.crossed import Component, add_components, half_width, run_component
from xval.measures.statistics.effective_items import FEWEST_ITEMS, item_component

_ROUNDING = 1e-9
_Numbers = NDArray[np.float64]


class Difference(NamedTuple):
    """A difference of two figures, with its error.

    Attributes:
        value: The difference; NaN: undefined.
        components: The squared error over items (or folds) and, where that is known, over training runs; none: it cannot be
            estimated.
    """

    value: float
    components: tuple[Component, ...] = ()

    @property
    def error(self) -> Component:
        """The squared error, added up; NaN: it cannot be estimated."""
        return add_components(*self.components) if self.components else Component(math.nan, math.nan)

    @property
    def standard_error(self) -> float:
        """NaN: it cannot be estimated."""
        return math.sqrt(self.error.variance)

    @property
    def p(self) -> float:
        """Two-sided; NaN without an error."""
        return 2 * self._tail(-abs(self.value))

    def p_equal(self, rope: float) -> float:
        """Return p of two one-sided tests (Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15, 1987).

        At most 0.05: the 90 % interval lies within ±rope, in the unit of the figure; 0: no difference is too small. NaN without
        an error.
        """
        if not 0 <= rope < math.inf:
            raise SettingsError(f"rope={rope}: allowed: 0 or more, in the unit of the metric, such as 0.01.")
        return self._tail(abs(self.value) - rope)

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return both ends; NaN without an error."""
        if not 0 < confidence < 1:
            raise SettingsError(f"confidence={confidence}: allowed: between 0 and 1, such as 0.95.")
        if not self.components:
            return math.nan, math.nan
        of_items, *of_runs = self.components
        half = half_width(confidence, of_items, of_runs=of_runs[0] if of_runs else None)
        return self.value - half, self.value + half

    def posterior(self, rope: float, *, higher_is_better: bool = True) -> "Posterior":
        """Return the Bayesian correlated t test (Benavoli, Corani, Demsar and Zaffalon, JMLR 18(77), 2017).

        The posterior of the difference is Student t with its value, error and degrees of freedom.

        Args:
            rope: As of `p_equal`.
            higher_is_better: False for errors.
        """
        below, above = (self._tail(sign * self.value - rope) for sign in (-1, 1))
        better, worse = (above, below) if higher_is_better else (below, above)
        return Posterior(better, max(1 - better - worse, 0.0), worse)  # NaN stays

    def _tail(self, shift: float) -> float:
        """Return the probability of Student t below a shift; as intervals are, never less sure than with items alone."""
        from scipy import special  # here, because it takes a while, and `quick_intervals` does without

        errors = {self.components[:1], self.components} if self.components else set()
        tails = [
            special.stdtr(freedom, shift / math.sqrt(variance)) for variance, freedom in (add_components(*of) for of in errors)
        ]
        return float((max if shift < 0 else min)(tails)) if tails else math.nan


class Posterior(NamedTuple):
    """The probabilities of three answers; their sum is 1.

    Attributes:
        better: The instance is better than the baseline by more than the ROPE.
        equal: They are practically equal: the difference is within the ROPE.
        worse: The baseline is better by more than the ROPE.
    """

    better: float
    equal: float
    worse: float


def corrected_t(differences: NDArray[Any], ratio: float) -> Difference:
    """Return the corrected resampled t test (Nadeau and Bengio, Machine Learning 52, 2003).

    The standard error is ``sqrt(variance * (1 / n_folds + ratio))``, with n_folds - 1 degrees of freedom. Of several deals
    all folds count, as Bouckaert and Frank (PAKDD 2004) have it for repeated cross-validation. The ratio stays, so that more
    deals alone never make the error small.

    Args:
        differences: float (n_folds,), averaged over repeats: repeats are no further folds.
        ratio: Number of test items over that of the items that really trained, without those that validated; mean of the
            folds, more than 0.

    Returns:
        The difference. One fold, or all equal: no error. Any NaN, or no fold: all of it is NaN.
    """
    if not 0 < ratio < math.inf:
        raise SettingsError(f"ratio={ratio} of test to training items: allowed: more than 0, such as 0.25.")
    values = np.asarray(differences, dtype=np.float64)
    n_folds = len(values)
    value = float(values.mean()) if n_folds else math.nan
    if not _differ(values):
        return Difference(value)
    return Difference(value, (Component(float(values.var(ddof=1)) * (1 / n_folds + ratio), n_folds - 1),))


def item_difference(values: NDArray[Any], difference: float | None = None, weights: NDArray[Any] | None = None) -> Difference:
    """Return the difference of two figures over items, and over training runs where there are several.

    With one run it is the paired t test over items, which speaks of these models; with several, the variance of the mean over
    runs is added (`xval.measures.statistics.crossed`), and it speaks of this way of training.

    Args:
        values: float (n_items, n_runs), the differences of each item; of pooled figures the pseudo-values of the jackknife,
            whose mean has the error of the figure (Efron and Stein, Annals of Statistics 9, 1981).
        difference: Of the figures; None: the mean of the values.
        weights: float (n_classes, n_items), the examples of each item, as of `xval.measures.statistics.effective_items`; None:
            the figures weigh items, not examples.

    Returns:
        The difference. Fewer than 3 items, or all equal: no error.
    """
    values = np.asarray(values, dtype=np.float64)
    of_items = values.mean(axis=1)
    value = float(of_items.mean()) if difference is None else difference
    if len(values) < FEWEST_ITEMS or not _differ(of_items):
        return Difference(value)
    of_runs = run_component(values.mean(axis=0))
    squares = (of_items - of_items.mean()) ** 2 / (len(values) * (len(values) - 1))
    components = item_component(squares, weights), of_runs
    return Difference(value, tuple(filter(None, components)))


def _differ(values: _Numbers) -> bool:
    """Return whether values are defined and not all equal but for rounding."""
    return len(values) > 1 and bool(np.ptp(values) > _ROUNDING * np.abs(values).max())  # False of NaN


def quick_intervals(differences: NDArray[np.float64], ratio: float) -> NDArray[np.float64]:
    """Return the 95 % intervals of `corrected_t` of several comparisons without scipy, for what has to be quick.

    Args:
        differences: float64 (n_comparisons, n_folds), finite, of two folds or more.
        ratio: As of `corrected_t`.

    Returns:
        float64 (n_comparisons, 3): the lower end, the mean difference and the upper end; as of `corrected_t` all of them 0
        where all differences are 0, and ends of NaN where they are equal otherwise.
    """
    n_folds = differences.shape[1]
    largest = np.abs(differences).max(axis=1)
    half = _critical_t(n_folds - 1) * np.sqrt(differences.var(axis=1, ddof=1) * (1 / n_folds + ratio))
    half = np.where((largest == 0) | (np.ptp(differences, axis=1) > _ROUNDING * largest), half, np.nan)
    means = differences.mean(axis=1)
    return np.stack([means - half, means, means + half], axis=1)


@cache
def _critical_t(df: int) -> float:
    """Return the 97.5 % quantile of Student t, by bisection of `_within`."""
    low, high = 0.0, 13.0  # 12.7 of one degree of freedom is the largest
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, df) < 0.95 else (low, middle)
    return low


def _within(t: float, df: int) -> float:
    """Return P(|T| < t) of Student t with a whole number of degrees of freedom (Abramowitz and Stegun 1964, 26.7.3 and 4)."""
    angle = math.atan(t / math.sqrt(df))
    term = math.cos(angle) if df % 2 else 1.0
    total = 0.0
    for step in range(df % 2 + 1, df, 2):
        total += term
        term *= math.cos(angle) ** 2 * step / (step + 1)
    if df % 2:
        return 2 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total


def holm(p_values: NDArray[Any]) -> _Numbers:
    """Return p values adjusted for a family of tests by Holm's step-down method (Scandinavian Journal of Statistics 6, 1979).

    Args:
        p_values: float (n_tests,).

    Returns:
        float64 (n_tests,): significant at a level if at most the level. What is NaN stays NaN and does not count as a test.
    """
    adjusted = np.array(p_values, dtype=np.float64)
    order = np.argsort(adjusted)[: np.sum(~np.isnan(adjusted))]  # NaN come last
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(adjusted[order] * factors), 1)
    return adjusted


def holm_intervals(differences: Sequence[Difference], level: float = 0.05) -> list[tuple[float, float]]:
    """Return simultaneous intervals that go with Holm's method: an interval excludes 0 where `holm` rejects, and nowhere else.

    What is not rejected has the Bonferroni interval of all that are not. What is rejected has that of the whole family, cut at
    0 (Strassburger and Bretz, Statistics in Medicine 27, 2008; Guilbaud, Biometrical Journal 50, 2008).

    Args:
        differences: Of the family; those without an error are none of it, and have none.
        level: Of the family.
    """
    adjusted = holm(np.array([difference.p for difference in differences]))
    n_tests, n_open = np.sum(~np.isnan(adjusted)), np.sum(adjusted > level)
    intervals = []
    for difference, p in zip(differences, adjusted.tolist(), strict=True):
        low, high = difference.interval(1 - level / max(1, int(n_open if p > level else n_tests)))
        if p <= level:
            low, high = (max(low, 0.0), high) if difference.value > 0 else (low, min(high, 0.0))
        intervals.append((low, high))
    return intervals
