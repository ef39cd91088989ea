"""What is advised where instances cannot be told apart: only what would help."""

import math

import pytest

from xval.answers.next_step import Margin, call_variants, describe_next_step, ways_to_retrain

SVM = {"architecture": "svm"}
LEAVE_ONE_OUT = {"fold_strategy": "leave_one_out"}


def margin(difference, detectable, n_items=24):
    """Return a margin of which so many items show a difference, and more of them a smaller one by the root of their number."""
    return Margin("to variant 2", difference, n_items, lambda n: detectable * math.sqrt(n_items / n))


def advise(make_instance, *margins, **parameters):
    instances = [make_instance(1, [0.5, 0.6], item_name="actor", **LEAVE_ONE_OUT, **SVM, **parameters)]
    return describe_next_step(margins, instances, "these variants")


@pytest.mark.parametrize(
    ("parameters", "ways"),
    [
        ({}, ("fold_repeats", "repeats")),
        (SVM, ("fold_repeats",)),
        (LEAVE_ONE_OUT, ("repeats",)),
        (SVM | LEAVE_ONE_OUT, ()),
        (SVM | LEAVE_ONE_OUT | {"pca_components": 3}, ("repeats",)),
    ],
)
def test_only_what_changes_something_is_a_way_to_train_again(make_instance, parameters, ways):
    assert ways_to_retrain([make_instance(1, [0.5], **parameters)]) == ways


def test_as_many_more_items_are_advised_as_would_show_the_observed_difference(make_instance):
    said = advise(make_instance, margin(0.01, 0.1), margin(-0.08, 0.1))
    assert said == ("Test 14 more actors to confirm the difference of 0.080 to variant 2; until then use the cheapest.")
    assert 0.1 * math.sqrt(24 / 38) <= 0.08 < 0.1 * math.sqrt(24 / 37)


def test_one_more_item_is_one(make_instance):
    assert "Test 1 more actor to confirm" in advise(make_instance, margin(0.099, 0.1))


def test_no_more_items_are_advised_where_they_would_not_show_what_was_observed(make_instance):
    assert advise(make_instance, margin(0.02, 0.1), margin(0.0, 0.1)) == (
        "Use whichever of these variants is cheapest: telling them apart would take more than 96 actors (you have 24)."
    )


def test_more_items_are_advised_where_no_error_is_known(make_instance):
    assert advise(make_instance, margin(0.02, math.nan)) == "Test more actors, because no error can be estimated from these."


def test_three_repetitions_come_first_where_they_are_cheap(make_instance, make_record):
    def step(seconds):
        records = [make_record(fold, {"accuracy": 0.5}, seconds=seconds) for fold in (1, 2)]
        return describe_next_step([margin(0.02, 0.1)], [make_instance(1, records)], "these variants")

    assert step(10) == (
        "Set fold_repeats = 3 and run again, because retraining may change these scores by more than the variants differ."
    )
    assert step(10_000).startswith("Use whichever of these variants")


def test_variants_are_named():
    assert call_variants(["4", "1", "2", "3"]) == "variants 1-4"
    assert call_variants(["3", "1"]) == "variants 1 and 3"
    assert call_variants(["1", "results/demo/experiment_2:1"]) == "variants 1 and results/demo/experiment_2:1"
    assert call_variants([*"1234", "results/demo/experiment_2:1"]) == "these variants"
