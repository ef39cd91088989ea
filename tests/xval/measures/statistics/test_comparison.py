"""Comparisons of instances on the same folds."""

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from xval.base.errors import SettingsError
from xval.measures.statistics.comparison import corrected_t, holm, item_difference
from xval.measures.statistics.differences import cut_difference, independent_difference


def draw(n, seed=0):
    return np.random.default_rng(seed).normal(0.05, 0.1, n)


@pytest.mark.parametrize("n_folds", [2, 3, 6, 10, 24])
def test_over_folds_it_is_the_corrected_resampled_t_test(n_folds):
    differences, ratio = draw(n_folds, n_folds), 1 / (n_folds - 1)
    error = math.sqrt(differences.var(ddof=1) * (1 / n_folds + ratio))

    test = corrected_t(differences, ratio)

    mean = differences.mean()
    assert test.p == pytest.approx(2 * stats.t.sf(abs(mean / error), n_folds - 1), abs=1e-9)
    assert (test.value, *test.interval()) == pytest.approx((mean, *stats.t.interval(0.95, n_folds - 1, mean, error)), abs=1e-9)
    assert test.standard_error == pytest.approx(error, abs=1e-12)


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


def test_the_variance_between_runs_is_added_and_degrees_of_freedom_are_weighted_by_variances():
    values = np.random.default_rng(0).normal(0.1, 0.1, (8, 3)) + np.array([-0.05, 0.0, 0.05])
    of_items, of_runs = values.mean(axis=1).var(ddof=1) / 8, values.mean(axis=0).var(ddof=1) / 3

    found = item_difference(values, 0.11)

    assert found.value == 0.11
    assert found.standard_error == pytest.approx(math.sqrt(of_items + of_runs))
    assert found.error.freedom == pytest.approx((of_items + of_runs) / (of_items / 7 + of_runs / 2))


@pytest.mark.parametrize("values", [[0.0] * 6, [0.3] * 6, [0.1 + 0.2, 0.3, 0.3], [0.3, 0.2], [0.3, math.nan, 0.2]])
def test_without_an_error_there_is_neither_a_test_nor_equality(values):
    for found in (item_difference(np.array(values)[:, np.newaxis]), corrected_t(np.array(values[:1] * 3), 0.25)):
        assert not found.components
        assert all(map(math.isnan, (found.p, found.p_equal(0.5), found.standard_error, *found.interval())))


def test_the_interval_between_groups_without_shared_items_is_that_of_welch():
    first, second = draw(9), draw(5, seed=1) * 3
    theirs = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.9)
    means = (9, lambda items: float(first[items].mean()), 5, lambda items: float(second[items].mean()))

    found = independent_difference(*means, confidence=0.9)

    assert found[:2] == pytest.approx(tuple(theirs))
    assert (found.n_items, found.method, found.covers) == (14, "Welch t", "models")
    with_runs = independent_difference(*means, confidence=0.9, runs=[0.1, 0.4])
    assert with_runs.covers == "method"
    assert with_runs.low < found.low < found.high < with_runs.high
    weights = (np.ones((1, 9)), np.array([[1, 1, 0, 0, 0], [0, 0, 1, 1, 1]]))
    assert independent_difference(*means, weights=weights) is None  # two of one class
    assert independent_difference(*means[:2], 2, means[3]) is None
    assert independent_difference(9, lambda items: 1.0, 5, lambda items: 0.5) is None
    assert independent_difference(*means[:2], 5, lambda items: math.nan) is None
    assert cut_difference(-1.5, 2.5, (0, 1)) == (-1, 1)
    assert cut_difference(-1.5, 0.5, None) == (-1.5, 0.5)


def test_two_trainings_that_differ_little_by_luck_do_not_count_as_many():
    """Equal algorithms, whose partitions into folds differ as much as their speakers: p is at most 0.05 in 5 % or less."""
    rng = np.random.default_rng(0)
    n_wrong = sum(
        item_difference(rng.normal(0, 0.08, (60, 1)) + rng.normal(0, 0.015, 3) + rng.normal(0, 0.01, (60, 3))).p <= 0.05
        for _ in range(1000)
    )
    assert n_wrong / 1000 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 1000)


def test_impossible_settings_are_refused():
    with pytest.raises(SettingsError, match=r"rope=-0.1; expected 0 or more"):
        corrected_t(draw(4), 0.25).p_equal(-0.1)
    with pytest.raises(SettingsError, match=r"ratio=0 of test to training items"):
        corrected_t(draw(4), 0)
    with pytest.raises(SettingsError, match="confidence=1"):
        corrected_t(draw(4), 0.25).interval(1)
