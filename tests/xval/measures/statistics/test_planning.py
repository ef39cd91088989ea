"""Power and the least detectable difference."""

import math

import numpy as np
import pytest
from statsmodels.stats.power import TTestPower

from xval.base.errors import SettingsError
from xval.measures.statistics.planning import least_detectable, power


@pytest.mark.parametrize("n_items", [2, 4, 6, 24])
@pytest.mark.parametrize("difference", [0, 0.02, 0.3])
def test_power_is_that_of_a_t_test_with_this_standard_error(n_items, difference):
    theirs = TTestPower().power(difference / 0.05 / math.sqrt(n_items), n_items, 0.05)

    assert power(difference, 0.05, n_items - 1) == pytest.approx(theirs, abs=1e-6)
    assert power(-difference, 0.05, n_items - 1) == power(difference, 0.05, n_items - 1)


@pytest.mark.parametrize("df", [1, 2.4, 5, 99])
@pytest.mark.parametrize("wanted", [0.06, 0.8, 0.99])
def test_the_least_detectable_difference_has_the_wanted_power(df, wanted):
    difference = least_detectable(0.03, df, wanted_power=wanted)

    assert power(difference, 0.03, df) == pytest.approx(wanted)


def test_power_is_a_probability_however_large_the_difference():
    powers = [power(difference, 1, df) for difference in np.geomspace(1, 1e6, 50) for df in (1, 2, 23, 99)]

    assert all(0 < value <= 1 for value in powers)


@pytest.mark.parametrize(("error", "df"), [(math.nan, 5), (0, 5), (0.1, 0), (0.1, math.nan)])
def test_without_an_error_nothing_can_be_said(error, df):
    assert math.isnan(power(0.1, error, df))
    assert math.isnan(least_detectable(error, df))


def test_a_power_below_the_level_is_refused():
    with pytest.raises(SettingsError, match=r"power=0.05: allowed: between the level of significance 0.05 and 1"):
        least_detectable(0.1, 6, wanted_power=0.05)
