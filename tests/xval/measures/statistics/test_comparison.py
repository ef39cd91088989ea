"""Comparisons of instances on the same folds."""

import math
import tracemalloc
from itertools import product

import baycomp
import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from xval.base.errors import SettingsError
from xval.measures.statistics.comparison import bayesian_t, corrected_t, holm, quick_intervals, sign_flip


def draw(n, seed=0):
    return np.random.default_rng(seed).normal(0.05, 0.1, n)


@pytest.mark.parametrize("n_folds", [2, 3, 6, 10, 24])
@pytest.mark.parametrize("rope", [0, 0.01, 0.3])
def test_both_t_tests_are_those_of_baycomp(n_folds, rope):
    differences = draw(n_folds, n_folds)
    ratio = 1 / (n_folds - 1)  # what baycomp takes for a cross-validation without validation items
    theirs = baycomp.two_on_single(np.zeros(n_folds), differences, rope)
    better, worse = theirs[-1], theirs[0]

    found = bayesian_t(differences, ratio, rope)

    assert (found.better, found.worse) == pytest.approx((better, worse), abs=1e-9)
    assert sum(found) == pytest.approx(1, abs=1e-12)
    assert bayesian_t(differences, ratio, rope, higher_is_better=False)[::-1] == pytest.approx(found, abs=1e-12)
    mean, variance, df = baycomp.CorrelatedTTest.compute_statistics(np.zeros(n_folds), differences)
    test = corrected_t(differences, ratio)
    t = mean / math.sqrt(variance)
    assert test.p == pytest.approx(2 * stats.t.sf(abs(t), df), abs=1e-9)
    assert test[:3] == pytest.approx((mean, *stats.t.interval(0.95, df, mean, math.sqrt(variance))), abs=1e-9)
    assert test.standard_error == pytest.approx(math.sqrt(variance), abs=1e-12)


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_the_interval_and_p_agree(level):
    differences = draw(6)
    low, high = corrected_t(differences, 0.25, confidence=level)[1:3]

    assert corrected_t(differences - low, 0.25).p == pytest.approx(1 - level)
    assert corrected_t(differences - high, 0.25).p == pytest.approx(1 - level)


@pytest.mark.parametrize("n_folds", [2, 3, 4, 5, 6, 10, 24, 101])
def test_a_tie_is_a_difference_whose_interval_contains_zero(n_folds):
    differences = draw(n_folds, n_folds)
    test = corrected_t(differences, 0.25)
    half, centred = (test.high - test.low) / 2, differences - differences.mean()

    shifts = [share * half for share in (0.999999, -0.999999, 1.000001, -1.000001)]
    rows = [*(centred + shift for shift in shifts), np.zeros(n_folds), np.full(n_folds, 0.1)]
    low, mean, high = quick_intervals(np.array(rows), 0.25).T
    assert ((low <= 0) & (high >= 0)).tolist() == [True, True, False, False, True, False]
    assert np.allclose(mean[:4], np.array(shifts))
    assert np.allclose(high[0] - low[0], test.high - test.low)


@pytest.mark.parametrize("n_items", [1, 4, 6, 9])
def test_the_exact_sign_flip_counts_all_sign_vectors(n_items):
    differences = draw(n_items, n_items).round(2)
    sums = [abs(np.dot(signs, differences)) for signs in product((-1, 1), repeat=n_items)]

    found = sign_flip(differences)

    assert found.p == pytest.approx(np.mean(np.array(sums) >= abs(differences.sum()) - 1e-12))
    assert found.least_p == 2.0 ** (1 - n_items)
    assert sign_flip(np.arange(1, n_items + 1) / 10).p == found.least_p


def test_equal_sums_count_as_equally_far_although_they_round_differently():
    # 0.1 + 0.2 - 0.3 is not 0 in floating point: every vector with |sum| 0.6, and its neighbours by rounding, is as far.
    assert sign_flip(np.array([0.1, 0.2, 0.3, 0.3, -0.3])).p == pytest.approx(
        np.mean([abs(np.dot(signs, [1, 2, 3, 3, 3])) >= 6 for signs in product((-1, 1), repeat=5)])
    )


def test_above_14_items_signs_are_drawn_and_p_is_never_0():
    differences = draw(15)

    found = sign_flip(differences)

    every = np.array(list(product((-1, 1), repeat=15))) @ differences
    assert found.p == pytest.approx(np.mean(np.abs(every) >= abs(differences.sum()) - 1e-12), abs=0.005)
    assert found == sign_flip(differences)
    assert sign_flip(np.ones(40), n_draws=999)[:2] == (1 / 1000, 1 / 1000)


def test_signs_of_many_items_are_drawn_in_little_memory():
    differences = np.random.default_rng(0).normal(0.1, 1, 1001)
    tracemalloc.start()
    found = sign_flip(differences, n_draws=20_001)
    (_, peak_bytes), _ = tracemalloc.get_traced_memory(), tracemalloc.stop()

    assert peak_bytes < 10e6
    drawn = np.random.default_rng(0).integers(2, size=(20_001, 1001), dtype=np.int8)  # the same signs, all at once
    n_far = np.sum(np.abs((1 - 2 * drawn) @ differences) >= abs(differences.sum()) - 1e-9)
    assert found.p == (1 + n_far) / 20_002


@pytest.mark.parametrize("n_tests", [1, 2, 7, 30])
def test_holm_is_that_of_statsmodels(n_tests):
    p_values = np.random.default_rng(n_tests).random(n_tests) ** 4
    p_values[0] = p_values[-1]

    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1], abs=1e-9)


def test_a_test_without_p_is_none_of_the_family():
    assert holm(np.array([math.nan, 0.02, 0.03])) == pytest.approx([math.nan, 0.04, 0.04], nan_ok=True)
    assert holm(np.array([])).shape == (0,)


ZERO, NONE = (0, 0, 0, 1, 0), (math.nan,) * 4


@pytest.mark.parametrize(
    ("differences", "test", "posterior", "p_of_flips"),
    [
        ([0, 0, 0, 0], ZERO, (0, 1, 0), 1),
        ([0], ZERO, (0, 1, 0), 1),
        ([0.1 + 0.2, 0.3, 0.3], (0.3, *NONE), NONE[:3], 0.25),
        ([0.3], (0.3, *NONE), NONE[:3], 1),
        ([0.3, math.nan, 0.2], (math.nan, *NONE), NONE[:3], math.nan),
        ([], (math.nan, *NONE), NONE[:3], math.nan),
    ],
    ids=["all 0", "one fold, 0", "all equal", "one fold", "NaN", "no fold"],
)
@pytest.mark.parametrize("rope", [0, 0.01])
def test_folds_that_allow_no_estimate_give_no_p_of_0(differences, test, posterior, p_of_flips, rope):
    differences = np.array(differences, dtype=float)

    assert corrected_t(differences, 0.25) == pytest.approx((*test, len(differences)), nan_ok=True)
    assert bayesian_t(differences, 0.25, rope) == pytest.approx(posterior, nan_ok=True)
    assert sign_flip(differences).p == pytest.approx(p_of_flips, nan_ok=True)


def test_no_probability_is_below_0():
    assert bayesian_t(np.array([0.01, 0.05, 0.02]), 0.25, 0.0).equal == 0  # 1 - better - worse is -2.8e-17


def test_impossible_settings_are_refused():
    with pytest.raises(SettingsError, match=r"rope=-0.1: allowed: 0 or more"):
        bayesian_t(draw(4), 0.25, -0.1)
    with pytest.raises(SettingsError, match=r"ratio=0 of test to training items"):
        corrected_t(draw(4), 0)
    with pytest.raises(SettingsError, match="confidence=1"):
        corrected_t(draw(4), 0.25, confidence=1)
