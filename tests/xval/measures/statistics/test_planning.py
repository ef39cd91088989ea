"""Power and the least detectable difference."""

import math
from itertools import pairwise

import numpy as np
import pytest
from statsmodels.stats.power import TTestPower

from xval.base.errors import SettingsError
from xval.measures.statistics.comparison import item_difference
from xval.measures.statistics.crossed import Component
from xval.measures.statistics.planning import Pilot, items_needed, least_detectable, power


@pytest.mark.parametrize("n_items", [2, 6, 24])
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
    with pytest.raises(SettingsError, match=r"power=0.05; expected a number between the level of significance 0.05 and 1"):
        least_detectable(0.1, 6, wanted_power=0.05)


PILOT = Pilot.from_deviations(0.1, 0.4, 0.02, n_items=10, n_clips=20, n_runs=3)


def test_the_error_of_a_pilot_is_that_of_its_deviations():
    assert PILOT.deviations == pytest.approx((0.1, 0.4, 0.02))
    of_items, of_runs = PILOT.error(10, 3)
    assert of_items == pytest.approx(Component((0.1**2 + 0.4**2 / 20) / 10, 9))
    assert of_runs == pytest.approx(Component(0.02**2 / 3, 2))


def test_each_part_of_the_error_falls_with_what_there_is_more_of():
    of_items, of_runs = PILOT.error(40, 6, 80)
    assert of_items == pytest.approx(Component((0.1**2 + 0.4**2 / 80) / 40, 39))
    assert of_runs == pytest.approx(Component(0.02**2 / 6, 5))
    assert PILOT.error(10, 3, math.inf)[0].variance == pytest.approx(0.1**2 / 10)


def test_a_study_of_the_planned_size_finds_the_difference_as_often_as_planned():
    rng, n_items = np.random.default_rng(0), 12
    pilot = Pilot.from_deviations(0.1, 0.4, 0.0, n_items=10, n_clips=20, n_runs=3)
    true = pilot.detectable(n_items, 1, 40)
    clips = true + rng.normal(0, 0.1, (4000, n_items, 1)) + rng.normal(0, 0.4, (4000, n_items, 40))

    differences = [item_difference(items[:, None]) for items in clips.mean(axis=2)]

    assert np.mean([difference.p <= 0.05 for difference in differences]) == pytest.approx(0.8, abs=0.02)
    widths = np.array([difference.interval() for difference in differences[:400]]) @ [-0.5, 0.5]
    assert np.sqrt(np.mean(widths**2)) == pytest.approx(pilot.half_width(n_items, 1, 40), rel=0.03)


@pytest.mark.parametrize("runs", [0.0005, 0.004, 0.02, 0.1, 0.5])
@pytest.mark.parametrize("n_runs", [2, 3, 10])
def test_more_items_never_make_the_detectable_difference_larger(runs, n_runs):
    pilot = Pilot.from_deviations(0.1, 0.4, runs, n_items=6, n_clips=20, n_runs=3)

    shown = [pilot.detectable(n_items, n_runs) for n_items in (1, 2, 3, 4, 6, 7, 12, 24, 48, 100, 1000, 100_000, math.inf)]

    assert all(more <= fewer * (1 + 1e-9) for fewer, more in pairwise(shown))


def test_a_cautious_pilot_has_a_variance_that_four_of_five_pilots_stay_below():
    pilot = Pilot.from_deviations(0.1, 0.0, 0.0, n_items=6, n_clips=1, n_runs=1)
    samples = np.random.default_rng(0).normal(0, 1, (20_000, 6)).var(axis=1, ddof=1)

    factor = pilot.cautious().components[0].variance / pilot.components[0].variance

    assert np.mean(samples * factor > 1) == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize(
    ("difference", "needed"), [(0.05, 5), (-0.05, 5), (0.051, 4), (1, 3), (0.0499, None), (math.nan, None)]
)
def test_the_least_number_is_the_first_that_shows_the_difference(difference, needed):
    shown = {3: 0.0601, 4: 0.051, 5: 0.05}.get  # more items have more: few degrees of freedom of the runs are left

    assert items_needed(lambda n_items: shown(n_items, 0.06), difference, 3, 200) == needed
