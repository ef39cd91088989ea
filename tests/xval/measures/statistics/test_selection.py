"""Nested selection."""

import math

import numpy as np
import pytest

from xval.base.errors import ResultsError
from xval.measures.statistics.selection import select_nested

NAN = math.nan
VALIDATION = np.array([[0.9, 0.5, 0.6, 0.7], [0.8, 0.6, 0.6, NAN]])
TEST = np.array([[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8]])


def test_each_fold_chooses_by_its_own_validation_and_ties_share_it():
    found = select_nested(VALIDATION, TEST, higher_is_better=True)

    assert found.test_scores == pytest.approx([0.1, 0.6, (0.3 + 0.7) / 2, 0.4])
    assert found.test_mean == pytest.approx(0.4)
    assert select_nested(VALIDATION, TEST, higher_is_better=False).test_scores == pytest.approx([0.5, 0.2, 0.5, 0.4])
    assert found.is_chosen.tolist() == [[True, False, True, True], [False, True, True, False]]


def test_the_smaller_loss_decides_between_ties_where_both_have_one():
    losses = np.array([[9.0, 9.0, 0.3, 9.0], [0.1, 0.1, 0.2, 0.1]])

    found = select_nested(VALIDATION, TEST, higher_is_better=True, losses=losses)
    assert found.is_chosen.tolist() == [[True, False, False, True], [False, True, True, False]]
    unknown = select_nested(VALIDATION, TEST, higher_is_better=True, losses=np.full_like(losses, NAN))
    assert unknown.is_chosen.tolist() == [[True, False, True, True], [False, True, True, False]]


@pytest.mark.parametrize("sign", [1, -1])
def test_what_rounding_tells_apart_is_a_tie(sign):
    found = select_nested([[0.1 + 0.2], [0.3], [0.2]] * np.array(sign), [[0.2], [0.4], [0.9]], higher_is_better=sign > 0)

    assert found.test_scores == pytest.approx([0.3])


def test_an_instance_without_a_validation_figure_is_not_chosen_and_what_is_tested_has_no_say():
    whole = select_nested(VALIDATION, TEST, higher_is_better=True)
    validation, test = VALIDATION.copy(), TEST.copy()
    test[:, 1] = validation[:, 3] = NAN

    found = select_nested(validation, test, higher_is_better=True)

    assert (found.is_chosen[:, :3] == whole.is_chosen[:, :3]).all()
    assert not found.is_chosen[:, 3].any()
    assert found.test_scores == pytest.approx([whole.test_scores[0], NAN, whole.test_scores[2], NAN], nan_ok=True)
    assert found.test_mean == pytest.approx(np.mean(whole.test_scores[[0, 2]]))


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_nothing_to_choose_from_has_no_mean(shape):
    found = select_nested(np.zeros(shape), np.zeros(shape), higher_is_better=True)

    assert math.isnan(found.test_mean)
    assert np.isnan(found.test_scores).all()


def test_random_instances_are_chosen_without_a_bias():
    """As good as chance on average, where the mean validation figure over folds picks one that is too good.

    Validation items of a fold are test items of others: the figures of an instance rest on one deviation per item.
    """
    rng = np.random.default_rng(0)
    nested, selected = [], []
    for _ in range(400):
        of_items = 0.5 + rng.normal(0, 0.1, (50, 6))
        validation = np.roll(of_items, -1, axis=1)  # the next fold's items validate
        nested.append(select_nested(validation, of_items, higher_is_better=True).test_mean)
        selected.append(of_items[validation.mean(axis=1).argmax()].mean())

    assert np.mean(nested) == pytest.approx(0.5, abs=0.01)
    assert np.mean(selected) > 0.55


def test_other_shapes_are_refused():
    with pytest.raises(ResultsError, match=r"received \(2, 4\) validation and \(4, 2\) test values"):
        select_nested(VALIDATION, TEST.T, higher_is_better=True)
