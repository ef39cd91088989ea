"""Compare two instances on the same items, and several with one.

A `Difference` is the instance minus the baseline, with its interval and p value; those of several comparisons are adjusted.

`item_difference` takes items as the unit. `corrected_t` takes folds, for scores that are not known of items; it allows for
training sets that overlap. Both estimate an error: where nothing differs between items or folds there is no p value, rather
than one of 0, and no equality. Clips of one item are not independent: no test takes them as units.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import SettingsError
from xval.measures.statistics.crossed import Component, add_runs, run_component
from xval.measures.statistics.effective_items import FEWEST_ITEMS, item_component

_ROUNDING = 1e-9
_Numbers = NDArray[np.float64]


class Difference(NamedTuple):
    """A difference of two scores, with its error.

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
        return add_runs(*self.components) if self.components else Component(math.nan, math.nan)

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

        At most 0.05: the 90 % interval is within ±rope, in the unit of the score; 0: no difference is too small. NaN without
        an error.
        """
        if not 0 <= rope < math.inf:
            raise SettingsError(f"rope={rope}; expected 0 or more, in the unit of the metric, such as 0.01.")
        return self._tail(abs(self.value) - rope)

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return both ends; NaN without an error."""
        if not 0 < confidence < 1:
            raise SettingsError(f"confidence={confidence}; expected a number between 0 and 1, such as 0.95.")
        if not self.components:
            return math.nan, math.nan
        from scipy import special  # here, because it takes a while

        half = max(math.sqrt(error) * float(special.stdtrit(df, (1 + confidence) / 2)) for error, df in self._errors)
        return self.value - half, self.value + half

    @property
    def _errors(self) -> tuple[Component, ...]:
        """The squared error over only items, and with that over training runs: the wider of both intervals counts."""
        return (self.components[0], self.error)

    def _tail(self, shift: float) -> float:
        """Return the probability of Student t below a shift; NaN without an error."""
        from scipy import special  # here, because it takes a while

        if not self.components:
            return math.nan
        tails = [float(special.stdtr(df, shift / math.sqrt(error))) for error, df in self._errors]
        return max(tails) if shift < 0 else min(tails)


def corrected_t(differences: NDArray[Any], ratio: float) -> Difference:
    """Return the corrected resampled t test (Nadeau and Bengio, Machine Learning 52, 2003).

    The standard error is ``sqrt(variance * (1 / n_folds + ratio))``, with n_folds - 1 degrees of freedom. Of several repeats
    all folds count, as Bouckaert and Frank (PAKDD 2004) have it for repeated cross-validation. The ratio stays, so that more
    repeats by themselves never make the error small.

    Args:
        differences: float (n_folds,), averaged over seeds: seeds are no further folds.
        ratio: Number of test items over that of the items that really trained, without those that validated; mean of the
            folds, more than 0.

    Returns:
        The difference. One fold, or all equal: no error. Any NaN, or no fold: all of it is NaN.
    """
    if not 0 < ratio < math.inf:
        raise SettingsError(f"ratio={ratio} of test to training items; expected a number above 0, such as 0.25.")
    values = np.asarray(differences, dtype=np.float64)
    n_folds = len(values)
    value = float(values.mean()) if n_folds else math.nan
    if not _differ(values):
        return Difference(value)
    return Difference(value, (Component(float(values.var(ddof=1)) * (1 / n_folds + ratio), n_folds - 1),))


def item_difference(
    values: NDArray[Any],
    difference: float | None = None,
    weights: NDArray[Any] | None = None,
    runs: NDArray[Any] | None = None,
) -> Difference:
    """Return the difference of two scores over items, and over training runs where there are several.

    With one run it is the paired t test over items, which speaks of these models; with several, the variance of the mean over
    runs is added (`xval.measures.statistics.crossed`), and it speaks of this way of training.

    Args:
        values: float (n_items, n_runs), the differences of each item; of pooled scores the pseudo-values of the jackknife,
            whose mean has the error of the score (Efron and Stein, Annals of Statistics 9, 1981).
        difference: Of the scores; None: the mean of the values.
        weights: float (n_classes, n_items), the examples of each item, as of `xval.measures.statistics.effective_items`; None:
            the scores weigh items, not examples.
        runs: float (n_runs,), the difference of the scores in each run; None: the means of the values.

    Returns:
        The difference. Fewer than 3 items, or all equal: no error.
    """
    values = np.asarray(values, dtype=np.float64)
    item_means = values.mean(axis=1)
    value = float(item_means.mean()) if difference is None else difference
    if len(values) < FEWEST_ITEMS or not _differ(item_means):
        return Difference(value)
    run_part = run_component(values.mean(axis=0) if runs is None else runs)  # pseudo-values have another mean than the score
    squares = (item_means - item_means.mean()) ** 2 / (len(values) * (len(values) - 1))
    components = item_component(squares, weights), run_part
    return Difference(value, tuple(filter(None, components)))


def _differ(values: _Numbers) -> bool:
    """Return whether values are defined and not all equal but for rounding."""
    return len(values) > 1 and bool(np.ptp(values) > _ROUNDING * np.abs(values).max())  # False of NaN


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
