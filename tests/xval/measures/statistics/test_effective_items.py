"""How many items a figure rests on."""

import numpy as np
import pytest

from xval.measures.statistics.effective_items import effective_number, fewest_items, item_component, item_freedom


def test_the_effective_number_is_that_of_kish():
    assert effective_number(np.array([[5, 5, 5, 5], [200, 1, 1, 0]])) == pytest.approx([4, 202**2 / (200**2 + 2)])


def test_items_of_one_class_have_one_degree_of_freedom_less_than_their_effective_number():
    squares = np.array([1.0, 2.0, 3.0])

    assert item_component(squares) == (6, 2)
    assert item_component(squares, np.array([[7, 7, 7]])) == (6, pytest.approx(2))
    assert item_component(squares, np.array([[4, 2, 2]])) == (6, pytest.approx(64 / 24 - 1))
    assert item_component(squares, np.array([[900, 1, 1]])).freedom == 1  # no interval is narrower for having fewer


def test_each_class_has_its_part_of_the_variance():
    """As Welch and Satterthwaite have it of two independent samples with equal variances."""
    clips = np.array([[1, 1, 1, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1, 1, 1]])
    alike = np.array([0.0, 0, 0, 0.1, 0.2, 0.3, 0.1, 0.2])  # three who do not differ, by luck

    assert item_component(alike, clips) == (0.9, pytest.approx((1 / 3 + 1 / 5) ** 2 / (1 / 9 / 2 + 1 / 25 / 4)))
    few = np.concatenate([clips, np.tile([[0], [1]], 400)], axis=1)
    assert 2 < item_freedom(few) < 2.1


def test_items_with_clips_of_all_classes_are_not_counted_twice():
    assert item_freedom(np.full((4, 10), 3)) == pytest.approx(9)


@pytest.mark.parametrize(("clips", "fewest"), [([[2, 0, 1], [1, 1, 1]], (2, 0)), ([[1, 1, 1], [0, 0, 4]], (1, 1))])
def test_items_are_counted_by_class(clips, fewest):
    assert fewest_items(np.array(clips)) == fewest
