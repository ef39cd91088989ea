"""Power, the least detectable difference, and studies of another size."""

import math

import numpy as np
import pytest
from statsmodels.stats.power import TTestPower

from xval.base.errors import SettingsError
from xval.measures.statistics.comparison import corrected_t
from xval.measures.statistics.components import variance_components
from xval.measures.statistics.planning import Study, least_detectable, planned_error, power

NOW = Study(n_items=6, n_folds=6, n_repeats=4, ratio=0.25)


@pytest.mark.parametrize("n_folds", [2, 4, 6, 24])
@pytest.mark.parametrize("difference", [0, 0.02, 0.3])
def test_power_is_that_of_a_t_test_with_this_standard_error(n_folds, difference):
    theirs = TTestPower().power(difference / 0.05 / math.sqrt(n_folds), n_folds, 0.05)

    assert power(difference, 0.05, n_folds) == pytest.approx(theirs, abs=1e-6)
    assert power(-difference, 0.05, n_folds) == power(difference, 0.05, n_folds)


@pytest.mark.parametrize("n_folds", [2, 3, 6, 100])
@pytest.mark.parametrize("wanted", [0.06, 0.8, 0.99])
def test_the_least_detectable_difference_has_the_wanted_power(n_folds, wanted):
    difference = least_detectable(0.03, n_folds, wanted_power=wanted)

    assert power(difference, 0.03, n_folds) == pytest.approx(wanted)


def test_power_is_a_probability_however_large_the_difference():
    powers = [power(difference, 1, n_folds) for difference in np.geomspace(1, 1e6, 50) for n_folds in (2, 3, 24, 100)]

    assert all(0 < value <= 1 for value in powers)


@pytest.mark.parametrize(("error", "n_folds"), [(math.nan, 6), (0, 6), (0.1, 1)])
def test_without_an_error_or_with_one_fold_nothing_can_be_said(error, n_folds):
    assert math.isnan(power(0.1, error, n_folds))
    assert math.isnan(least_detectable(error, n_folds))


def test_a_study_of_the_same_size_has_the_standard_error_that_was_found():
    differences = np.random.default_rng(1).normal(0.05, 0.1, (6, 1)) + np.random.default_rng(2).normal(0, 0.05, (6, 4))

    planned = planned_error(variance_components(differences), NOW, NOW)

    assert planned == pytest.approx(corrected_t(differences.mean(axis=1), 0.25).standard_error)


def test_a_planned_study_of_simulated_folds_has_the_deviation_that_was_planned():
    rng = np.random.default_rng(0)

    def draw(n_studies, n_folds, items_per_fold, n_repeats):
        of_items = rng.normal(0, 0.1, (n_studies, n_folds, items_per_fold)).mean(axis=2)
        return of_items[..., np.newaxis] + rng.normal(0, 0.08, (n_studies, n_folds, n_repeats))

    now = Study(6, 6, 4, 1e-9)  # folds that share no training items, so that the deviation of their mean is known
    components = variance_components(draw(3000, 6, 1, 4).reshape(-1, 4))
    for planned in (now.resized(n_items=12, n_repeats=5), now.resized(n_items=24, n_repeats=1, n_folds=6)):
        means = draw(4000, planned.n_folds, planned.n_items // planned.n_folds, planned.n_repeats).mean(axis=(1, 2))
        assert planned_error(components, now, planned) == pytest.approx(means.std(), rel=0.05)


def test_a_study_of_another_size_keeps_items_per_fold_and_the_share_that_validates():
    assert NOW.resized(n_items=12, n_repeats=5) == Study(12, 12, 5, 0.25 * 5 / 11)
    assert NOW.resized(n_items=24, n_repeats=1, n_folds=6) == Study(24, 6, 1, 0.25)
    # 10 items, 5 folds: 2 test, 8 * 0.75 train
    assert Study(10, 5, 1, 2 / 6).resized(n_items=20, n_repeats=1).ratio == pytest.approx(2 / (18 * 0.75))


def test_one_repeat_tells_nothing_of_more_repeats():
    components = variance_components(np.random.default_rng(1).normal(0, 0.1, (6, 1)))
    now = NOW._replace(n_repeats=1)

    assert planned_error(components, now, now.resized(n_items=12, n_repeats=1)) > 0
    assert math.isnan(planned_error(components, now, now.resized(n_items=12, n_repeats=5)))


def test_a_power_below_the_level_is_refused():
    with pytest.raises(SettingsError, match=r"power=0.05: allowed: between the level of significance 0.05 and 1"):
        least_detectable(0.1, 6, wanted_power=0.05)
