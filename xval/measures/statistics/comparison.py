"""Compare two instances on the same items, and several with one.

A `Difference` is instance minus baseline, with its interval and p value; p values of several comparisons are adjusted.

The unit of `item_difference` is the item. The unit of `corrected_t` is the fold, for scores without values per item; it
accounts for overlapping training sets. If nothing differs between items or folds, there is no error, so there is no p value
(instead of 0) and no equality. Clips of one item are not independent, so no test uses them as units.
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
    """A difference between two scores, with its error.

    Attributes:
        value: The difference; NaN: undefined.
        components: The squared error over items (or folds) and, if known, over training runs; empty: it cannot be estimated.
    """

    value: float
    components: tuple[Component, ...] = ()

    @property
    def error(self) -> Component:
        """The sum of the squared errors; NaN: it cannot be estimated."""
        return add_runs(*self.components) if self.components else Component(math.nan, math.nan)

    @property
    def standard_error(self) -> float:
        """The standard error; NaN: it cannot be estimated."""
        return math.sqrt(self.error.variance)

    @property
    def p(self) -> float:
        """The two-sided p value; NaN without an error."""
        return 2 * self._tail(-abs(self.value))

    def p_equal(self, rope: float) -> float:
        """Return the p value of two one-sided tests (Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15, 1987).

        It is at most 0.05 if the 90 % interval is within ±rope, in the unit of the score; a rope of 0: no difference is
        negligible. NaN without an error.
        """
        if not 0 <= rope < math.inf:
            raise SettingsError(f"rope={rope}; expected 0 or more, in the unit of the metric, such as 0.01.")
        return self._tail(abs(self.value) - rope)

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return both ends of the interval; NaN without an error."""
        if not 0 < confidence < 1:
            raise SettingsError(f"confidence={confidence}; expected a number between 0 and 1, such as 0.95.")
        if not self.components:
            return math.nan, math.nan
        from scipy import special  # here, because it takes a while

        half = max(math.sqrt(error) * float(special.stdtrit(df, (1 + confidence) / 2)) for error, df in self._errors)
        return self.value - half, self.value + half

    @property
    def _errors(self) -> tuple[Component, ...]:
        """The squared error over items only, and the one with training runs added; the wider of both intervals counts."""
        return (self.components[0], self.error)

    def _tail(self, shift: float) -> float:
        """Return the probability of Student's t below a shift; NaN without an error."""
        from scipy import special  # here, because it takes a while

        if not self.components:
            return math.nan
        tails = [float(special.stdtr(df, shift / math.sqrt(error))) for error, df in self._errors]
        return max(tails) if shift < 0 else min(tails)


def corrected_t(differences: NDArray[Any], ratio: float) -> Difference:
    """Return the corrected resampled t test (Nadeau and Bengio, Machine Learning 52, 2003).

    The standard error is ``sqrt(variance * (1 / n_folds + ratio))``, with n_folds - 1 degrees of freedom. With several repeats
    all folds count, as in Bouckaert and Frank (PAKDD 2004). The ratio stays the same, so that more repeats alone never make the
    error small.

    Args:
        differences: float (n_folds,), averaged over seeds, because seeds are not further folds.
        ratio: Number of test items divided by the number of training items (without validation items), averaged over folds;
            above 0.

    Returns:
        The difference. Without error for one fold or equal differences; NaN for any NaN or for no fold.
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
    """Return the difference between two scores with its error over items, and over training runs if there are several.

    With one run this is the paired t test over items, which is about these models. With several, the variance of the mean over
    runs is added (`xval.measures.statistics.crossed`), and the test is about this way of training.

    Args:
        values: float (n_items, n_runs), the differences of each item; for pooled scores the jackknife pseudo-values, whose mean
            has the error of the score (Efron and Stein, Annals of Statistics 9, 1981).
        difference: The difference between the scores; None: the mean of the values.
        weights: float (n_classes, n_items), number of examples of each item, as in `xval.measures.statistics.effective_items`;
            None: the scores weight items equally.
        runs: float (n_runs,), the difference between the scores in each run; None: the means of the values.

    Returns:
        The difference, without error for fewer than 3 items or equal values.
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
    """Return whether values are defined and differ by more than rounding errors."""
    return len(values) > 1 and bool(np.ptp(values) > _ROUNDING * np.abs(values).max())  # False of NaN


def holm(p_values: NDArray[Any]) -> _Numbers:
    """Return p values adjusted for a family of tests by Holm's step-down method (Scandinavian Journal of Statistics 6, 1979).

    Args:
        p_values: float (n_tests,).

    Returns:
        float64 (n_tests,): a test is significant at a level if its value is at most the level. NaN stays NaN and does not count
        as a test.
    """
    adjusted = np.array(p_values, dtype=np.float64)
    order = np.argsort(adjusted)[: np.sum(~np.isnan(adjusted))]  # NaN come last
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(adjusted[order] * factors), 1)
    return adjusted
