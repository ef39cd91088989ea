"""Intervals over items."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from xval.base.errors import SettingsError
from xval.measures.statistics.intervals import N_RESAMPLES, Interval, figure_interval, mean_interval


def draw(n_items, seed=0):
    return np.random.default_rng(seed).beta(4, 2, n_items)


def test_a_mean_without_bounds_has_the_interval_of_student():
    values = draw(8)

    found = mean_interval(values, bounds=None, confidence=0.9)

    assert found[:2] == pytest.approx(stats.t.interval(0.9, 7, values.mean(), stats.sem(values)))
    assert (found.n_items, found.method, found.n_undefined) == (8, "t", 0)


def test_limits_keep_within_the_bounds_on_the_scale_of_the_figure():
    values = np.array([1, 1, 0.9, 1, 0.6])
    mean, half = values.mean(), stats.t.isf(0.025, 4) * stats.sem(values)
    logits = np.log(mean / (1 - mean)) + np.array([-1, 1]) * half / (mean * (1 - mean))

    assert mean + half > 1
    assert mean_interval(values)[:2] == pytest.approx(1 / (1 + np.exp(-logits)))
    assert mean_interval(values, bounds=(0, math.inf))[:2] == pytest.approx(
        [mean / np.exp(half / mean), mean * np.exp(half / mean)]
    )
    # as of R2: the distance to 1 is an error without an upper bound
    gap = (1 - mean) * np.exp([half / (1 - mean), -half / (1 - mean)])
    assert mean_interval(values, bounds=(-math.inf, 1))[:2] == pytest.approx(1 - gap)
    # between -1 and 1 the scale is Fisher's z
    z = np.arctanh(mean) + np.array([-1, 1]) * half / (1 - mean**2)
    assert mean_interval(values, bounds=(-1, 1))[:2] == pytest.approx(np.tanh(z))


@pytest.mark.parametrize("n_items", [3, 8, 19, 20, 30])
def test_the_interval_of_a_mean_is_that_of_the_figure_which_is_this_mean(n_items):
    values = draw(n_items)

    figure = figure_interval(n_items, lambda items: float(values[items].mean()))

    assert figure[:4] == pytest.approx(mean_interval(values)[:4])
    assert figure == figure_interval(n_items, lambda items: float(values[items].mean()))


def test_bca_is_that_of_scipy_on_the_same_resamples():
    values = draw(24) ** 4
    drawn = []

    def compute(items):
        drawn.append(float(np.median(values[items]) + values[items].mean()))
        return drawn[-1]

    found = figure_interval(24, compute, bounds=None)

    # Tails of t instead of normal ones (Hesterberg 2015), as scipy's own confidence level.
    level = 1 - 2 * stats.norm.cdf(stats.t.ppf(0.025, 23) * math.sqrt(24 / 23))
    theirs = stats.bootstrap(
        (values,), lambda sample, axis=-1: np.median(sample, axis=axis) + sample.mean(axis=axis), confidence_level=level,
        n_resamples=0, bootstrap_result=SimpleNamespace(bootstrap_distribution=np.array(drawn[-N_RESAMPLES:])), method="BCa",
    ).confidence_interval  # fmt: skip
    assert found[:2] == pytest.approx(theirs, abs=1e-9)
    assert found.method == "BCa bootstrap"


@pytest.mark.parametrize("bootstrap", [True, False])
def test_the_jackknife_of_many_items_leaves_out_groups(bootstrap):
    values = draw(3000)
    n_calls = 0

    def compute(items):
        nonlocal n_calls
        n_calls += 1
        return float(values[items].mean())

    found = figure_interval(3000, compute, bootstrap=bootstrap)

    assert n_calls == 1 + 500 + bootstrap * N_RESAMPLES
    assert found[:2] == pytest.approx(stats.t.interval(0.95, 2999, values.mean(), stats.sem(values)), abs=1e-3)


@pytest.mark.parametrize(("value", "ends"), [(1, (0.025 ** (1 / 6), 1)), (0, (0, 1 - 0.025 ** (1 / 6)))])
def test_items_that_are_all_at_a_bound_have_the_exact_limit(value, ends):
    found = mean_interval(np.full(6, value))

    assert found[:2] == pytest.approx(ends)
    assert found.method == "exact limit"
    # That of Clopper and Pearson for as many items that are right or wrong.
    assert found[:2] == pytest.approx(stats.binomtest(6 * value, 6).proportion_ci(method="exact"))


@pytest.mark.parametrize("n_items", [8, 30])
def test_sets_of_items_without_a_figure_do_not_count_and_are_told(n_items):
    values = draw(n_items)
    values[0] = 1

    found = figure_interval(n_items, lambda items: float(values[items].mean()) if 0 in items else math.nan)

    n_tried = n_items if n_items < 20 else N_RESAMPLES
    share = 1 / n_items if n_items < 20 else (1 - 1 / n_items) ** n_items
    assert found.n_undefined == pytest.approx(n_tried * share, abs=0 if n_items < 20 else 100)
    assert found.low < values.mean() < found.high


@pytest.mark.parametrize(
    "values",
    [[], [0.1, 0.9], [0.5, 0.5, 0.5, 0.5], [0.1, 0.5, math.nan], [0.1, 0.5, math.inf]],
    ids=["none", "two", "all the same", "one undefined", "one infinite"],
)
def test_what_cannot_be_estimated_has_no_interval(values):
    assert mean_interval(np.array(values), bounds=None) is None
    assert figure_interval(len(values), lambda items: math.nan) is None


def test_a_figure_that_almost_every_set_of_items_lacks_has_no_interval():
    assert figure_interval(5, lambda items: 0.5 if len(set(items)) == 5 else math.nan) is None


def test_few_items_carry_a_caution():
    assert mean_interval(draw(6)).caution == ""
    assert mean_interval(draw(5)).caution.startswith("5 items tell little")
    assert Interval(0, 1, 1, "").caution.startswith("1 item tells little")


def test_impossible_values_are_refused():
    with pytest.raises(SettingsError, match=r"received values from 0.2 to 1.2; allowed: 0.0 to 1.0"):
        mean_interval(np.array([0.2, 0.4, 1.2]))
    with pytest.raises(SettingsError, match=r"received the figure -1.0; allowed: 0.0 to 1.0"):
        figure_interval(3, lambda items: -1.0)
    with pytest.raises(SettingsError, match="confidence=95"):
        mean_interval(draw(4), confidence=95)


@pytest.mark.parametrize("n_items", [4, 12, 24])
@pytest.mark.parametrize("mean", [0.5, 0.85])
def test_intervals_of_proportions_cover_the_mean_of_the_population(n_items, mean):
    rng = np.random.default_rng(n_items)
    rates = rng.beta(10 * mean, 10 * (1 - mean), (600, n_items))
    found = [mean_interval(values) for values in rng.binomial(20, rates) / 20]

    covered = np.mean([interval.low <= mean <= interval.high for interval in found if interval])

    assert 0.93 - 2 * math.sqrt(0.05 * 0.95 / 600) <= covered <= 0.985
