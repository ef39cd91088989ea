"""What could have been found, and what could be found with other numbers of items and seeds.

Comes in: the standard error of a difference, or the variance components of the differences (`variance_components`). Goes out:
power, the least detectable difference, the standard error that a planned study would have.

Source: the noncentral t distribution, as for any t test, with the standard error of the corrected resampled t test.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import optimize, stats

from xval.base.errors import SettingsError
from xval.measures.statistics.components import Components

_LARGEST_SHIFT_OF_WRONG_SIGN = 5  # beyond it, a significant difference of the wrong sign has a probability below 1e-8


class Study(NamedTuple):
    """The size of a comparison.

    Attributes:
        n_items: Number of items that are tested.
        n_folds: Number of folds, of all deals.
        n_repeats: Number of repeats of each fold.
        ratio: Number of test items over that of the items that really train, mean of the folds.
        n_deals: How many times the items are dealt into folds, so that each is tested as often.
    """

    n_items: int
    n_folds: int
    n_repeats: int
    ratio: float
    n_deals: float = 1

    @property
    def items_per_fold(self) -> float:
        """Number of items that a fold tests."""
        return self.n_items * self.n_deals / self.n_folds

    def resized(self, *, n_items: int, n_repeats: int, n_folds: int | None = None) -> "Study":
        """Return a study of another size with the same share of validation items and the same deals.

        Without `n_folds`, as many items are tested per fold as now, and the number of folds follows that of the items.
        """
        folds_per_deal = self.n_folds / self.n_deals
        planned_folds_per_deal = (
            max(2, round(folds_per_deal * n_items / self.n_items)) if n_folds is None else n_folds / self.n_deals
        )
        ratio = self.ratio * (folds_per_deal - 1) / (planned_folds_per_deal - 1)
        return Study(n_items, round(planned_folds_per_deal * self.n_deals), n_repeats, ratio, self.n_deals)


def power(difference: float, standard_error: float, n_folds: int, *, level: float = 0.05) -> float:
    """Return the probability that the corrected t test finds a true difference, two-sided.

    NaN where the standard error of the estimated difference (`planned_error`) is NaN or 0, or with one fold.
    """
    if n_folds < 2 or not standard_error > 0:
        return math.nan
    df, shift = n_folds - 1, abs(difference) / standard_error
    critical = stats.t.isf(level / 2, df)
    wrong_sign = stats.nct.cdf(-critical, df, shift) if shift < _LARGEST_SHIFT_OF_WRONG_SIGN else 0.0
    return float(stats.nct.sf(critical, df, shift) + wrong_sign)


def least_detectable(standard_error: float, n_folds: int, *, wanted_power: float = 0.8, level: float = 0.05) -> float:
    """Return the smallest true difference that the corrected t test finds with a probability, in the unit of the figure.

    The probability, wanted_power, lies between the level of significance and 1. NaN as for `power`.
    """
    if not level < wanted_power < 1:
        raise SettingsError(f"power={wanted_power}: allowed: between the level of significance {level} and 1, such as 0.8.")
    if n_folds < 2 or not standard_error > 0:
        return math.nan
    most = 1.0
    while power(most, 1, n_folds, level=level) < wanted_power:
        most *= 2
    return standard_error * float(optimize.brentq(lambda shift: power(shift, 1, n_folds, level=level) - wanted_power, 0, most))


def planned_error(differences: Components, now: Study, planned: Study) -> float:
    """Return the standard error that the difference would have in a study of another size.

    The variance of a fold's difference is that between folds, which falls with the number of items per fold, and that between
    seeds, which falls with the number of repeats. With one repeat now the two cannot be told apart: all of it counts as between
    folds, and more repeats cannot be planned.

    Args:
        differences: The components of the differences per fold and repeat.
        now: The study that they are of.
        planned: The other one; see `Study.resized`.

    Returns:
        The standard error of `corrected_t`; NaN where a component that is needed is NaN.
    """
    seed = differences.seed
    if math.isnan(seed) and planned.n_repeats == now.n_repeats:
        seed = 0.0
    variance = differences.fold * now.items_per_fold / planned.items_per_fold + seed / planned.n_repeats
    return float(np.sqrt(variance * (1 / planned.n_folds + planned.ratio)))
