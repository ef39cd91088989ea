"""Comparisons of instances on the same folds."""

import math

import baycomp
import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from xval.base.errors import SettingsError
from xval.measures.statistics.comparison import Difference, corrected_t, holm, holm_intervals, item_difference, quick_intervals
from xval.measures.statistics.crossed import Component


def draw(n, seed=0):
    return np.random.default_rng(seed).normal(0.05, 0.1, n)


@pytest.mark.parametrize("n_folds", [2, 3, 6, 10, 24])
@pytest.mark.parametrize("rope", [0, 0.01, 0.3])
def test_both_t_tests_are_those_of_baycomp(n_folds, rope):
    differences = draw(n_folds, n_folds)
    ratio = 1 / (n_folds - 1)  # what baycomp takes for a cross-validation without validation items
    theirs = baycomp.two_on_single(np.zeros(n_folds), differences, rope)
    better, worse = theirs[-1], theirs[0]

    test = corrected_t(differences, ratio)
    found = test.posterior(rope)

    assert (found.better, found.worse) == pytest.approx((better, worse), abs=1e-9)
    assert sum(found) == pytest.approx(1, abs=1e-12)
    assert test.posterior(rope, higher_is_better=False)[::-1] == pytest.approx(found, abs=1e-12)
    mean, variance, df = baycomp.CorrelatedTTest.compute_statistics(np.zeros(n_folds), differences)
    t = mean / math.sqrt(variance)
    assert test.p == pytest.approx(2 * stats.t.sf(abs(t), df), abs=1e-9)
    assert (test.value, *test.interval()) == pytest.approx(
        (mean, *stats.t.interval(0.95, df, mean, math.sqrt(variance))), abs=1e-9
    )
    assert test.standard_error == pytest.approx(math.sqrt(variance), abs=1e-12)


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_the_interval_and_p_agree(level):
    differences = draw(6)
    low, high = corrected_t(differences, 0.25).interval(level)

    assert corrected_t(differences - low, 0.25).p == pytest.approx(1 - level)
    assert corrected_t(differences - high, 0.25).p == pytest.approx(1 - level)


@pytest.mark.parametrize("n_folds", [2, 3, 4, 5, 6, 10, 24, 101])
def test_a_tie_is_a_difference_whose_interval_contains_zero(n_folds):
    differences = draw(n_folds, n_folds)
    test = corrected_t(differences, 0.25)
    low, high = test.interval()
    half, centred = (high - low) / 2, differences - differences.mean()

    shifts = [share * half for share in (0.999999, -0.999999, 1.000001, -1.000001)]
    rows = [*(centred + shift for shift in shifts), np.zeros(n_folds), np.full(n_folds, 0.1)]
    low, mean, high = quick_intervals(np.array(rows), 0.25).T
    assert ((low <= 0) & (high >= 0)).tolist() == [True, True, False, False, True, False]
    assert np.allclose(mean[:4], np.array(shifts))
    assert np.allclose(high[0] - low[0], 2 * half)


@pytest.mark.parametrize("n_tests", [1, 2, 7, 30])
def test_holm_is_that_of_statsmodels(n_tests):
    p_values = np.random.default_rng(n_tests).random(n_tests) ** 4
    p_values[0] = p_values[-1]

    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1], abs=1e-9)


def test_a_test_without_p_is_none_of_the_family():
    assert holm(np.array([math.nan, 0.02, 0.03])) == pytest.approx([math.nan, 0.04, 0.04], nan_ok=True)
    assert holm(np.array([])).shape == (0,)


@pytest.mark.parametrize("n_items", [3, 6, 24])
def test_over_items_of_one_run_it_is_the_paired_t_test(n_items):
    own, other = np.random.default_rng(n_items).uniform(0.4, 0.9, (2, n_items))
    theirs = stats.ttest_rel(own, other)

    found = item_difference((own - other)[:, np.newaxis])

    assert (found.value, found.p) == pytest.approx((np.mean(own - other), theirs.pvalue))
    assert found.interval() == pytest.approx(tuple(theirs.confidence_interval()))
    # Two one-sided tests, each at 5 %: p is 0.05 where the 90 % interval touches the region.
    assert found.p_equal(np.abs(found.interval(0.9)).max()) == pytest.approx(0.05)


def test_the_variance_between_runs_is_added_with_the_degrees_of_freedom_of_satterthwaite():
    values = np.random.default_rng(0).normal(0.1, 0.1, (8, 3)) + np.array([-0.05, 0.0, 0.05])
    of_items, of_runs = values.mean(axis=1).var(ddof=1) / 8, values.mean(axis=0).var(ddof=1) / 3

    found = item_difference(values, 0.11)

    assert found.value == 0.11
    assert found.standard_error == pytest.approx(math.sqrt(of_items + of_runs))
    assert found.error.freedom == pytest.approx((of_items + of_runs) ** 2 / (of_items**2 / 7 + of_runs**2 / 2))


@pytest.mark.parametrize("values", [[0.0] * 6, [0.3] * 6, [0.1 + 0.2, 0.3, 0.3], [0.3, 0.2], [0.3, math.nan, 0.2]])
def test_without_an_error_there_is_neither_a_test_nor_equality(values):
    for found in (item_difference(np.array(values)[:, np.newaxis]), corrected_t(np.array(values[:1] * 3), 0.25)):
        assert not found.components
        assert all(
            map(math.isnan, (found.p, found.p_equal(0.5), found.standard_error, *found.interval(), *found.posterior(0.5)))
        )


def test_the_intervals_of_a_family_agree_with_holm():
    rng = np.random.default_rng(0)
    for _ in range(300):
        errors = rng.uniform(0.01, 0.05, rng.integers(1, 6))
        family = [
            Difference(float(value), (Component(float(error) ** 2, 9),))
            for value, error in zip(rng.normal(0, 0.08, len(errors)), errors, strict=True)
        ]
        family.append(Difference(0.1))  # without an error it is none of the family
        p_values = holm(np.array([each.p for each in family]))[:-1]

        intervals = holm_intervals(family)

        excludes = [low >= 0 or high <= 0 for low, high in intervals[:-1]]
        assert excludes == (p_values <= 0.05).tolist()
        assert all(map(math.isnan, intervals[-1]))
        if len(errors) == 1:
            assert intervals[0] == pytest.approx(family[0].interval()) or excludes[0]


def test_no_probability_is_below_0():
    assert corrected_t(np.array([0.01, 0.05, 0.02]), 0.25).posterior(0.0).equal == 0  # 1 - better - worse is -2.8e-17


def test_impossible_settings_are_refused():
    with pytest.raises(SettingsError, match=r"rope=-0.1: allowed: 0 or more"):
        corrected_t(draw(4), 0.25).p_equal(-0.1)
    with pytest.raises(SettingsError, match=r"ratio=0 of test to training items"):
        corrected_t(draw(4), 0)
    with pytest.raises(SettingsError, match="confidence=1"):
        corrected_t(draw(4), 0.25).interval(1)
