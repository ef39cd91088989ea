"""Variances of items and of training runs, and the interval that has both."""

import math

import numpy as np
import pytest
from scipy import stats

from xval.measures.statistics.crossed import Component, half_width, run_component


def test_the_mean_of_runs_has_their_squared_standard_error():
    runs = [0.6, 0.7, 0.72, 0.5]

    assert run_component(runs) == pytest.approx((stats.sem(runs) ** 2, 3))


@pytest.mark.parametrize("runs", [[], [0.5], [0.3, 0.1 + 0.2, 0.3], [0, 0], [0.5, math.nan]])
def test_runs_that_cannot_differ_have_no_variance(runs):
    assert run_component(np.array(runs)) is None


def test_variances_add_up_with_the_degrees_of_freedom_of_welch():
    first, second = np.random.default_rng(0).normal([0, 1], [1, 3], (9, 2)).T
    parts = [Component(stats.sem(values) ** 2, len(values) - 1) for values in (first, second[:5])]

    limits = stats.ttest_ind(first, second[:5], equal_var=False).confidence_interval(0.9)

    wanted = pytest.approx((limits.high - limits.low) / 2)
    assert half_width(0.9, *parts, run_part=None) == wanted
    assert half_width(0.9, *parts, run_part=Component(0, 4)) == wanted


def test_runs_make_no_interval_narrower():
    few_items, many_runs = Component(1, 2), Component(0.5, 30)
    assert half_width(0.95, few_items, run_part=many_runs) == half_width(0.95, few_items, run_part=None)
