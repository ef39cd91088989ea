"""Limits of trials from the trials before them."""

import pytest

from xval.engine.search.pruning import Tried, epoch_limits, is_behind
from xval.settings.space import SearchPlan, uniform


def make_plan(pruning):
    return SearchPlan({"dropout": uniform(0, 0.5)}, 30, pruning=pruning)


def trials(*curves, state="complete"):
    return [Tried(number, {}, state, [curve], [max(curve)]) for number, curve in enumerate(curves, start=1)]


def test_a_median_limits_the_best_value_so_far_after_the_warm_up():
    earlier = trials([1, 2, 3, 4, 5, 6], [2, 4, 6, 8, 9, 9], [3, 2], [0, 0, 7, 7, 7, 7], [5, 5, 5, 5, 5, 5])

    limits = epoch_limits(make_plan("median"), 6, 0, earlier, 6, maximised=True)

    assert limits == (None, None, 5, 5, 5)  # a fifth of six epochs is two; nothing ends before its last one anyway
    assert epoch_limits(make_plan("median"), 6, 0, earlier[:4], 6, maximised=True) == ()
    assert epoch_limits(make_plan("median"), 6, 0, trials(*[[1, 2]] * 5, state="pruned"), 6, maximised=True) == ()
    assert epoch_limits(make_plan("none"), 6, 0, earlier, 6, maximised=True) == ()


def test_of_a_loss_the_smallest_value_so_far_counts():
    earlier = trials([5, 4, 3], [4, 1, 2], [3, 3, 3], [9, 2, 1], [1, 9, 9])

    assert epoch_limits(make_plan("median"), 6, 0, earlier, 3, maximised=False) == (None, 2)


def test_hyperband_lets_a_third_of_a_bracket_go_on():
    curves = [[value] * 9 for value in (5, 1, 9, 4, 7, 2)]

    limits = epoch_limits(make_plan("hyperband"), 7, 0, trials(*curves), 9, maximised=True)

    assert limits == (7, None, 7, None, None, None, None, None)  # rungs after 1 and 3 of 9 epochs; two of seven go on
    later = epoch_limits(make_plan("hyperband"), 17, 0, trials(*curves), 9, maximised=True)
    assert later == (None,) * 8  # of a bracket that halves none


@pytest.mark.parametrize(("score", "behind"), [(2.9, True), (3.0, False)])
def test_a_trial_ends_after_an_inner_fold_if_it_is_below_the_median(score, behind):
    earlier = [Tried(number, {}, "complete", [[1], [1]], [number, 9]) for number in range(1, 6)]

    assert is_behind(make_plan("median"), Tried(6, {}, "complete", [[1]], [score]), earlier, maximised=True) is behind
    assert not is_behind(make_plan("none"), Tried(6, {}, "complete", [[1]], [score]), earlier, maximised=True)
