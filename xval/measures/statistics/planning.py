"""Power analysis: what a study could have detected, and what a study of another size would, by the noncentral t distribution.

The error of a score or of a difference is given by its variance components.
"""

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

from xval.base.errors import SettingsError
from xval.measures.statistics.comparison import Difference
from xval.measures.statistics.crossed import Component, add_runs, half_width

LEVEL = 0.05
WANTED_POWER = 0.8
_LARGEST_SHIFT_OF_WRONG_SIGN = 5  # beyond it, a significant difference of the wrong sign has a probability below 1e-8
_CAUTION = 0.8
_STEP = 1.25


class Pilot(NamedTuple):
    """The error of a score, or of a paired difference, in a study that was made: what studies of another size would have.

    Attributes:
        components: The squared error over items and, where that is known, over training runs.
        n_runs: Its number of training runs.
        n_clips: Mean number of clips of an item.
        clip_share: Which share of the variance over items comes from the choice of their clips, so that more clips lower it;
            NaN: not known.
    """

    components: Sequence[Component]
    n_items: float
    n_runs: float
    n_clips: float = math.nan
    clip_share: float = math.nan

    @classmethod
    def from_deviations(cls, items: float, clips: float, runs: float, *, n_items: int, n_clips: float, n_runs: int) -> "Pilot":
        """Return a pilot from its standard deviations: between items, of one clip within an item, between training runs."""
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

        The variance over items falls with their number, and the part of it that comes from their clips with the number of
        these; that over training runs falls with the number of runs.

        Args:
            n_items: Number of items.
            n_runs: Number of training runs.
            n_clips: Of an item, may be infinite; None: as in the pilot.
        """
        clip_ratio = 1.0 if n_clips is None else 1 - self.clip_share + self.clip_share * self.n_clips / n_clips
        sizes = (n_items / self.n_items, clip_ratio), (n_runs / self.n_runs, 1.0)
        return [
            Component(variance * share / by, max(1.0, (df + 1) * by - 1))
            for (variance, df), (by, share) in zip(self.components, sizes, strict=False)
        ]

    def half_width(self, n_items: float, n_runs: float, n_clips: float | None = None) -> float:
        """Return half of the width of the 95 % interval of a score that a study of another size has, as of `error`."""
        item_part, *run_part = self.error(n_items, n_runs, n_clips)
        return half_width(1 - LEVEL, item_part, run_part=run_part[0] if run_part else None)

    def difference_half_width(self, n_items: float, n_runs: float, n_clips: float | None = None) -> float:
        """Return half of the width of the 95 % interval of a difference that a study of another size has, as of `error`."""
        return Difference(0.0, tuple(self.error(n_items, n_runs, n_clips))).interval(1 - LEVEL)[1]

    def detectable(self, n_items: float, n_runs: float, n_clips: float | None = None, *, level: float = LEVEL) -> float:
        """Return the true difference that a study of another size shows with a probability of 80 %; NaN: no error is known."""
        return detectable(add_runs(*self.error(n_items, n_runs, n_clips)), level) if self.components else math.nan

    def cautious(self) -> "Pilot":
        """Return the pilot with the upper 80 % limit of its variance, as few items tell it badly.

        Browne, On the use of a pilot sample for sample size determination, Statistics in Medicine 14, 1995.
        """
        from scipy import special

        freedom = add_runs(*self.components).freedom
        factor = freedom / (2 * float(special.gammaincinv(freedom / 2, 1 - _CAUTION)))  # of chi square
        return self._replace(components=[Component(variance * factor, df) for variance, df in self.components])


def items_needed(shown: Callable[[int], float], difference: float, fewest: int, most: int) -> int | None:
    """Return the least number of items that shows a true difference; None: more than `most`.

    Args:
        shown: From a number of items to the least difference that they show; NaN: not known. It falls with the number, and may
            rise again where what items add is small compared with training runs, which have few degrees of freedom.
        difference: Of any sign.
        fewest: The smallest number.
        most: The largest number.
    """
    return first_number(lambda n_items: shown(n_items) <= abs(difference), fewest, most)


def first_number(holds: Callable[[int], bool], fewest: int, most: int) -> int | None:
    """Return the least number of items at which something begins to hold; None: it does not up to `most`."""
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
    """Return the true difference that is shown with a probability of 80 %, from a squared error; NaN: there is none."""
    return math.sqrt(error.variance) * _least_shift(error.freedom, level) if error.variance > 0 else math.nan


@cache
def _least_shift(df: float, level: float) -> float:
    """Return the least detectable difference in standard errors."""
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
