"""What the intervals of a table are about."""

from dataclasses import replace

import pytest

from xval.answers.score_text import interval_clause
from xval.results.item_scores import ItemScore


@pytest.fixture
def make(make_instance):
    def make(number, covers, n_fold_repeats=1):
        scores = {name: ItemScore(low=0.4, high=0.6, covers=kind) for name, kind in covers.items()}
        return replace(make_instance(number, [0.5]), over_items={"figures": {"test": scores}}, n_fold_repeats=n_fold_repeats)

    return make


def test_it_says_what_is_in_the_intervals_and_what_is_not(make):
    assert interval_clause([make(1, {"accuracy": "models", "auc": None})]) == (
        "over items, for these trained models; training again would widen it"
    )
    assert interval_clause([make(1, {"accuracy": "method"})]) == "over items and seeds"
    assert interval_clause([make(number, {"accuracy": "method"}, n_fold_repeats=3) for number in (1, 2)]) == (
        "over items, repeats of the cross-validation and seeds"
    )


def test_items_are_called_as_the_setting_has_it(make_instance, make):
    known = make(1, {"accuracy": "method"})
    known.parameters["item_name"] = "patient"
    assert interval_clause([known]) == "over patients and seeds"


def test_instances_that_differ_are_named(make):
    found = interval_clause([make(1, {"accuracy": "method"}), make(2, {"accuracy": "models"}), make(3, {"accuracy": "method"})])
    assert found == (
        "of instances 1, 3 over items and seeds; of instance 2 over items, for these trained models; training again would "
        "widen it"
    )


def test_without_an_interval_there_is_nothing_to_say(make, make_instance):
    assert interval_clause([make(1, {"accuracy": None}), make_instance(2, [0.5])]) == ""
