"""Which items are hard: one rule for the workbook and for the page."""

import math

import pytest

from xval.answers.training_runs import rank_items


def test_the_hardest_item_is_first_with_a_value_of_each_instance(make_instance):
    metric, higher, rows = rank_items([make_instance(1, [0.5, 0.2]), make_instance(2, [0.7, 0.4])])
    assert (metric, higher) == ("accuracy", True)
    assert rows == [("speaker 2", (2,), 10, pytest.approx(0.3), [0.2, 0.4]), ("speaker 1", (1,), 10, 0.6, [0.5, 0.7])]


def test_instances_that_lack_an_item_have_no_part_in_its_mean(make_instance, make_failure):
    _, _, rows = rank_items([make_instance(1, [0.5, 0.6]), make_instance(2, [make_failure(1), 0.1])])
    assert [(row.item, row.mean, row.values) for row in rows] == [
        ("speaker 1", 0.5, [0.5, None]),
        ("speaker 2", 0.6, [0.6, 0.1]),
    ]


def test_while_all_instances_lack_items_they_all_count(make_instance, make_failure):
    _, _, rows = rank_items([make_instance(1, [0.5, make_failure(2)]), make_instance(2, [make_failure(1), 0.1])])
    assert [(row.item, row.mean) for row in rows] == [("speaker 2", 0.1), ("speaker 1", 0.5)]


def test_undefined_is_not_the_same_as_not_tested(make_instance, make_failure):
    _, _, rows = rank_items([make_instance(1, [{"accuracy": None}, 0.5]), make_instance(2, [make_failure(1), 0.5])])
    undefined, not_tested = rows[-1].values
    assert rows[-1].item == "speaker 1"
    assert rows[-1].mean is None
    assert math.isnan(undefined)
    assert not_tested is None
