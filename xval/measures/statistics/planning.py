"""What could have been found: power, and the least detectable difference.

Comes in: the standard error of a difference, and its degrees of freedom. Goes out: both, by the noncentral t distribution.
"""

import math

from scipy import optimize, stats

from xval.base.errors import SettingsError

_LARGEST_SHIFT_OF_WRONG_SIGN = 5  # beyond it, a significant difference of the wrong sign has a probability below 1e-8


def power(difference: float, standard_error: float, df: float, *, level: float = 0.05) -> float:
    """Return the probability that a t test finds a true difference, two-sided.

    NaN where the standard error of the estimated difference is NaN or 0.
    """
    if not df > 0 or not standard_error > 0:
        return math.nan
    shift = abs(difference) / standard_error
    critical = stats.t.isf(level / 2, df)
    wrong_sign = stats.nct.cdf(-critical, df, shift) if shift < _LARGEST_SHIFT_OF_WRONG_SIGN else 0.0
    return float(stats.nct.sf(critical, df, shift) + wrong_sign)


def least_detectable(standard_error: float, df: float, *, wanted_power: float = 0.8, level: float = 0.05) -> float:
    """Return the smallest true difference that a t test finds with a probability, in the unit of the figure.

    The probability, wanted_power, lies between the level of significance and 1. NaN as for `power`.
    """
    if not level < wanted_power < 1:
        raise SettingsError(f"power={wanted_power}: allowed: between the level of significance {level} and 1, such as 0.8.")
    if not df > 0 or not standard_error > 0:
        return math.nan
    most = 1.0
    while power(most, 1.0, df, level=level) < wanted_power:
        most *= 2
    return standard_error * float(optimize.brentq(lambda shift: power(shift, 1, df, level=level) - wanted_power, 0, most))
