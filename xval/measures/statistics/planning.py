"""Power analysis with the noncentral t distribution: the difference that a study, or one of another size, can detect.

The error of a score or of a difference follows from its variance components.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

from xval.base.errors import SettingsError
from xval.measures.statistics.comparison import Difference
from xval.measures.statistics.crossed import Component, add_runs, half_width
from xval.measures.statistics.effective_items import FEWEST_ITEMS

LEVEL = 0.05
WANTED_POWER = 0.8
MOST_ITEMS = 100_000
"""The largest number of items that is considered, but for an infinite one."""
_LARGEST_SHIFT_OF_WRONG_SIGN = 5  # beyond it, a significant difference of the wrong sign has a probability below 1e-8
_CAUTION = 0.8
_STEP = 1.25


class Pilot(NamedTuple):
    """The error of a score, or of a paired difference, in a finished study, from which errors of other sizes follow.

    Attributes:
        components: The squared error over items and, if known, over training runs.
        n_runs: Number of training runs of the study.
        n_clips: Mean number of clips per item.
        clip_share: Share of the variance over items that comes from the choice of their clips, which more clips reduce; NaN:
            not known.
    """

    components: Sequence[Component]
    n_items: float
    n_runs: float
    n_clips: float = math.nan
    clip_share: float = math.nan

    @classmethod
    def from_deviations(cls, items: float, clips: float, runs: float, *, n_items: int, n_clips: float, n_runs: int) -> "Pilot":
        """Return a pilot from standard deviations between items, between clips of an item, and between training runs."""
        variance = items**2 + clips**2 / n_clips
        components = [Component(variance / n_items, n_items - 1), Component(runs**2 / n_runs, n_runs - 1)]
        share = clips**2 / n_clips / variance if variance else 0.0
        return cls(components if runs else components[:1], n_items, n_runs, n_clips, share)

    @property
    def deviations(self) -> tuple[float, float, float]:
        """The standard deviations of `from_deviations`; NaN: not known."""
        variance = self.components[0].variance * self.n_items
        runs = self.components[1].variance * self.n_runs if len(self.components) > 1 else math.nan
        clips = variance * self.clip_share
        return math.sqrt(variance - clips), math.sqrt(clips * self.n_clips), math.sqrt(runs)

    def error(self, n_items: float, n_runs: float, n_clips: float | None = None) -> list[Component]:
        """Return the squared errors of a study of another size.

        The variance over items decreases with their number, its part from the choice of clips with the number of clips, and the
        variance over training runs with the number of runs.

        Args:
            n_items: Number of items.
            n_runs: Number of training runs.
            n_clips: Number of clips per item, may be infinite; None: as in the pilot.
        """
        clip_ratio = 1.0 if n_clips is None else 1 - self.clip_share + self.clip_share * self.n_clips / n_clips
        sizes = (n_items / self.n_items, clip_ratio), (n_runs / self.n_runs, 1.0)
        return [
            Component(variance * share / by, max(1.0, (df + 1) * by - 1))
            for (variance, df), (by, share) in zip(self.components, sizes, strict=False)
        ]

    def half_width(self, n_items: float, n_runs: float, n_clips: float | None = None) -> float:
        """Return half of the width of the 95 % interval of a score in a study of another size, as for `error`."""
        item_part, *run_part = self.error(n_items, n_runs, n_clips)
        return half_width(1 - LEVEL, item_part, run_part=run_part[0] if run_part else None)

    def difference_half_width(self, n_items: float, n_runs: float, n_clips: float | None = None) -> float:
        """Return half of the width of the 95 % interval of a difference in a study of another size, as for `error`."""
        return Difference(0.0, tuple(self.error(n_items, n_runs, n_clips))).interval(1 - LEVEL)[1]

    def detectable(self, n_items: float, n_runs: float, n_clips: float | None = None, *, level: float = LEVEL) -> float:
        """Return the true difference that a study of another size shows with a probability of 80 %.

        It never increases with the number of items, because a study of more items can always use fewer. A test of all items can
        need a larger difference: as their variance decreases, the degrees of freedom approach those of the few training runs.

        Returns:
            The difference, in the unit of the score; NaN: the error is not known.
        """

        def shown_by(size: float) -> float:
            return detectable(add_runs(*self.error(size, n_runs, n_clips)), level)

        def is_best(size: float) -> bool:
            return shown_by(size + 1) > shown_by(size)

        if not self.components:
            return math.nan
        if len(self.components) == 1 or n_items <= FEWEST_ITEMS:
            return shown_by(n_items)
        if n_items > MOST_ITEMS:
            return min(shown_by(n_items), self.detectable(MOST_ITEMS, n_runs, n_clips, level=level))
        if not is_best(n_items - 1):
            return shown_by(n_items)
        sizes = range(FEWEST_ITEMS, MOST_ITEMS)  # the same for all numbers of items, so that shifts are computed once
        return shown_by(sizes[bisect_left(sizes, True, key=is_best)])

    def cautious(self) -> "Pilot":
        """Return the pilot with the upper 80 % limit of its variance, because few items estimate it badly.

        Browne, On the use of a pilot sample for sample size determination, Statistics in Medicine 14, 1995.
        """
        from scipy import special

        freedom = add_runs(*self.components).freedom
        factor = freedom / (2 * float(special.gammaincinv(freedom / 2, 1 - _CAUTION)))  # of chi square
        return self._replace(components=[Component(variance * factor, df) for variance, df in self.components])


def items_needed(shown: Callable[[int], float], difference: float, fewest: int, most: int) -> int | None:
    """Return the smallest number of items that shows a true difference; None: more than `most`.

    Args:
        shown: Function from a number of items to the smallest difference that they show, which does not increase with the
            number, as `Pilot.detectable`; NaN: not known.
        difference: The true difference, of either sign.
        fewest: The smallest number of items to consider.
        most: The largest number of items to consider.
    """
    return first_number(lambda n_items: shown(n_items) <= abs(difference), fewest, most)


def first_number(holds: Callable[[int], bool], fewest: int, most: int) -> int | None:
    """Return the smallest number of items at which a condition holds; None: it does not hold up to `most`."""
    low, high = fewest - 1, fewest
    while not holds(high):
        if high >= most:
            return None
        low, high = high, min(most, max(high + 1, round(_STEP * high)))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def detectable(error: Component, level: float = LEVEL) -> float:
    """Return the true difference that a study with this squared error shows with a probability of 80 %; NaN: no error."""
    return math.sqrt(error.variance) * _least_shift(error.freedom, level) if error.variance > 0 else math.nan


@cache
def _least_shift(df: float, level: float) -> float:
    """Return the smallest detectable difference in standard errors."""
    return least_detectable(1.0, df, wanted_power=WANTED_POWER, level=level)


def power(difference: float, standard_error: float, df: float, *, level: float = LEVEL) -> float:
    """Return the probability that a t test finds a true difference, two-sided.

    NaN where the standard error of the estimated difference is NaN or 0.
    """
    if not df > 0 or not standard_error > 0:
        return math.nan
    from scipy import stats  # here, because it takes a while, and what only advises items computes none

    shift = abs(difference) / standard_error
    critical = stats.t.isf(level / 2, df)
    wrong_sign = stats.nct.cdf(-critical, df, shift) if shift < _LARGEST_SHIFT_OF_WRONG_SIGN else 0.0
    return float(stats.nct.sf(critical, df, shift) + wrong_sign)


def least_detectable(standard_error: float, df: float, *, wanted_power: float = WANTED_POWER, level: float = LEVEL) -> float:
    """Return the smallest true difference that a t test finds with a probability, in the unit of the score.

    The probability, wanted_power, lies between the level of significance and 1. NaN as for `power`.
    """
    if not level < wanted_power < 1:
        raise SettingsError(
            f"power={wanted_power}; expected a number between the level of significance {level} and 1, such as 0.8."
        )
    if not df > 0 or not standard_error > 0:
        return math.nan
    from scipy import optimize

    most = 1.0
    while power(most, 1.0, df, level=level) < wanted_power:
        most *= 2
    return standard_error * float(optimize.brentq(lambda shift: power(shift, 1, df, level=level) - wanted_power, 0, most))
