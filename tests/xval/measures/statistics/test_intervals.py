"""Intervals over items."""

import math

import numpy as np
import pytest
from scipy import stats

from xval.base.errors import SettingsError
from xval.measures.statistics.intervals import Interval, mean_interval, score_interval


def draw(n_items, seed=0):
    return np.random.default_rng(seed).beta(4, 2, n_items)


def test_a_mean_without_bounds_has_the_interval_of_student():
    values = draw(8)

    found = mean_interval(values, bounds=None, confidence=0.9)

    assert found[:2] == pytest.approx(stats.t.interval(0.9, 7, values.mean(), stats.sem(values)))
    assert (found.n_items, found.method) == (8, "t")


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


def test_training_runs_add_their_variance():
    values, runs = draw(8), [0.5, 0.7, 0.6]
    of_items, of_runs = stats.sem(values) ** 2, stats.sem(runs) ** 2
    freedom = (of_items + of_runs) ** 2 / (of_items**2 / 7 + of_runs**2 / 2)

    found = mean_interval(values, bounds=None, runs=runs)

    assert found[:2] == pytest.approx(stats.t.interval(0.95, freedom, values.mean(), math.sqrt(of_items + of_runs)))
    assert (found.covers, mean_interval(values).covers) == ("method", "models")
    assert mean_interval(draw(24), runs=runs).method == "t on the logit scale"
    assert score_interval(8, lambda items: float(values[items].mean()), bounds=None, runs=runs) == found


@pytest.mark.parametrize("runs", [[], [0.6], [0.6, 0.6], [0.6, math.nan]])
def test_runs_that_tell_nothing_leave_the_interval_to_the_models(runs):
    assert mean_interval(draw(8), runs=runs) == mean_interval(draw(8))


def test_the_jackknife_of_many_items_leaves_out_groups():
    values = draw(3000)
    n_calls = 0

    def compute(items):
        nonlocal n_calls
        n_calls += 1
        return float(values[items].mean())

    found = score_interval(3000, compute)

    assert n_calls == 1 + 500
    assert found[:2] == pytest.approx(stats.t.interval(0.95, 2999, values.mean(), stats.sem(values)), abs=1e-3)


@pytest.mark.parametrize(("value", "ends"), [(1, (0.025 ** (1 / 6), 1)), (0, (0, 1 - 0.025 ** (1 / 6)))])
def test_items_that_are_all_at_a_bound_have_the_exact_limit(value, ends):
    found = mean_interval(np.full(6, value))

    assert found[:2] == pytest.approx(ends)
    assert found.method == "exact limit"
    # That of Clopper and Pearson for as many items that are right or wrong.
    assert found[:2] == pytest.approx(stats.binomtest(6 * value, 6).proportion_ci(method="exact"))


@pytest.mark.parametrize("n_items", [8, 30])
def test_the_set_that_would_tell_most_is_not_dropped(n_items):
    """Without the first item the figure is undefined, so that its variance cannot be told."""
    values = draw(n_items)

    assert score_interval(n_items, lambda items: float(values[items].mean()) if 0 in items else math.nan) is None


@pytest.mark.parametrize(
    "values",
    [[], [0.1, 0.9], [0.5, 0.5, 0.5, 0.5], [0.1, 0.5, math.nan], [0.1, 0.5, math.inf]],
    ids=["none", "two", "all the same", "one undefined", "one infinite"],
)
def test_what_cannot_be_estimated_has_no_interval(values):
    assert mean_interval(np.array(values), bounds=None) is None
    assert score_interval(len(values), lambda items: math.nan) is None
    assert score_interval(5, lambda items: 0.5 if len(set(items)) == 5 else math.nan) is None


def test_few_items_carry_a_caution():
    assert mean_interval(draw(6)).caution == ""
    assert mean_interval(draw(5)).caution.startswith("5 items tell little")
    assert Interval(0, 1, 1, "").caution.startswith("1 item tells little")


def test_impossible_values_are_refused():
    with pytest.raises(SettingsError, match=r"received values from 0.2 to 1.2; expected 0.0 to 1.0"):
        mean_interval(np.array([0.2, 0.4, 1.2]))
    with pytest.raises(SettingsError, match=r"received the value -1.0; expected 0.0 to 1.0"):
        score_interval(3, lambda items: -1.0)
    with pytest.raises(SettingsError, match="confidence=95"):
        mean_interval(draw(4), confidence=95)


@pytest.mark.parametrize(("n_items", "mean"), [(4, 0.5), (12, 0.85), (24, 0.97)])
def test_intervals_of_proportions_cover_the_mean_of_the_population(n_items, mean):
    rng = np.random.default_rng(n_items)
    rates = rng.beta(10 * mean, 10 * (1 - mean), (600, n_items))
    found = [mean_interval(values) for values in rng.binomial(20, rates) / 20]

    covered = np.mean([interval.low <= mean <= interval.high for interval in found if interval])

    assert 0.93 - 2 * math.sqrt(0.05 * 0.95 / 600) <= covered <= 0.985


@pytest.mark.parametrize("n_items", [6, 24])
def test_intervals_of_one_decision_each_cover(n_items):
    rng = np.random.default_rng(n_items)
    found = [mean_interval(values) for values in (rng.random((800, n_items)) < 0.75).astype(float)]

    covered = np.mean([interval.low <= 0.75 <= interval.high for interval in found])

    assert covered >= 0.95 - 2 * math.sqrt(0.05 * 0.95 / 800)


def recall_interval(right, clips):
    """Return the interval of balanced accuracy, from counts of each speaker in each class."""

    def compute(items):
        return float((right[:, items].sum(axis=1) / clips[:, items].sum(axis=1)).mean())

    return score_interval(clips.shape[1], compute, weights=clips)


@pytest.mark.parametrize(("n_items", "n_ill"), [(12, 6), (24, 5)])
def test_intervals_of_unequal_clips_of_one_class_each_cover(n_items, n_ill):
    rng, covered = np.random.default_rng(n_items), []
    is_ill = np.arange(n_items) < n_ill
    for _ in range(500):
        clips = rng.integers(1, 201, n_items) * np.stack([is_ill, ~is_ill])
        right = rng.binomial(clips, rng.beta(6, 2, n_items))
        interval = recall_interval(right, clips)
        covered.append(interval.low <= 0.75 <= interval.high)

    assert np.mean(covered) >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / 500)


def test_fewer_than_three_items_of_a_class_have_no_interval():
    clips = np.array([[4, 4, 0, 0, 0, 0], [0, 0, 4, 4, 4, 4]])
    assert recall_interval(np.array([[1, 3, 0, 0, 0, 0], [0, 0, 2, 3, 4, 3]]), clips) is None
    clips[0, 2] = 4
    assert recall_interval(np.array([[1, 3, 2, 0, 0, 0], [0, 0, 2, 3, 4, 3]]), clips) is not None


def test_a_bound_that_all_reach_is_as_near_as_the_smallest_class_tells():
    clips = np.array([[4, 4, 4, *[0] * 30], [0, 0, 0, *[4] * 30]])

    few, even = recall_interval(clips, clips), recall_interval(np.stack([np.full(33, 4)] * 2), np.full((2, 33), 4))

    assert (few.method, few.high) == (even.method, even.high) == ("exact limit", 1)
    assert few.low < 0.5 < 0.85 < even.low == pytest.approx(0.025 ** (1 / 33))


@pytest.mark.parametrize(("kind", "method"), [("bootstrap", "percentile"), ("bca", "BCa")])
@pytest.mark.parametrize("n_items", [7, 30])
def test_bootstraps_are_those_of_scipy(n_items, kind, method):
    values = draw(n_items)

    found = mean_interval(values, bootstrap=kind)

    theirs = stats.bootstrap((values,), np.mean, n_resamples=2000, method=method, rng=0).confidence_interval
    assert found[:2] == pytest.approx(tuple(theirs))
    assert found == mean_interval(values, bootstrap=kind)
    assert (found.method, found.covers) == (f"{method} bootstrap", "models")


def test_draws_in_which_a_figure_is_undefined_are_drawn_again():
    values = draw(8)
    undefined = score_interval(8, lambda items: float(values[items].mean()) if set(items) & {0, 1, 2} else math.nan)

    found = score_interval(
        8, lambda items: float(values[items].mean()) if set(items) & {0, 1, 2} else math.nan, bootstrap="bootstrap"
    )

    assert undefined.low < found.low < values.mean() < found.high < undefined.high
