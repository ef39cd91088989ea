"""Variance components over folds and repeats."""

import math

import numpy as np
import pytest
from scipy import stats

from xval.base.errors import ResultsError
from xval.measures.statistics.components import variance_components


def draw(n_folds, n_repeats, *, fold=0.1, seed=0.05, rng=0):
    rng = np.random.default_rng(rng)
    return 0.6 + rng.normal(0, fold, (n_folds, 1)) + rng.normal(0, seed, (n_folds, n_repeats))


def test_balanced_components_follow_from_the_table_of_an_analysis_of_variance():
    scores = draw(6, 4)
    f = stats.f_oneway(*scores).statistic
    within = scores.var(axis=1, ddof=1).mean()

    found = variance_components(scores)

    assert found == pytest.approx((scores.mean(), (f - 1) * within / 4, within, 6, 4))


def test_the_components_of_many_folds_are_those_of_the_population_with_unequal_repeats_too():
    scores = draw(4000, 4)
    scores[np.random.default_rng(1).random(scores.shape) < 0.4] = math.nan

    found = variance_components(scores)

    assert math.sqrt(found.fold) == pytest.approx(0.1, rel=0.05)
    assert math.sqrt(found.seed) == pytest.approx(0.05, rel=0.05)
    assert found.n_folds == np.sum(~np.isnan(scores).all(axis=1))


def test_folds_that_differ_less_than_their_seeds_have_no_variance_of_their_own():
    assert variance_components(np.array([[0.4, 0.6], [0.6, 0.4], [0.45, 0.55]])).fold == 0


def test_what_cannot_be_told_apart_is_nan():
    one_repeat = variance_components(draw(5, 1))
    assert math.isnan(one_repeat.seed)
    assert one_repeat.fold == pytest.approx(draw(5, 1).var(ddof=1))
    one_fold = variance_components(draw(1, 5))
    assert math.isnan(one_fold.fold)
    assert one_fold.seed == pytest.approx(draw(1, 5).var(ddof=1))


@pytest.mark.parametrize("scores", [np.full((3, 2), math.nan), np.zeros((0, 2)), np.zeros(4)])
def test_no_figures_are_refused(scores):
    with pytest.raises(ResultsError, match=r"expected \(folds, repeats\)"):
        variance_components(scores)
