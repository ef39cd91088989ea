"""What is advised where instances cannot be told apart: only what would help."""

import math

import pytest

from xval.answers.next_step import Margin, describe_next_step, simplest_of, ways_to_retrain

SVM = {"architecture": "svm"}
LEAVE_ONE_OUT = {"fold_strategy": "leave_one_out"}


def margin(difference, detectable, n_items=24):
    """Return a margin of which so many items show a difference, and more of them a smaller one by the root of their number."""
    return Margin("2", difference, n_items, lambda n: detectable * math.sqrt(n_items / n))


def advise(make_instance, *margins, **parameters):
    instances = [make_instance(1, [0.5, 0.6], item_name="actor", **LEAVE_ONE_OUT, **SVM, **parameters)]
    return describe_next_step(margins, instances, "the simplest instance")


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
    assert said == (
        "Take the simplest instance, or test 14 more actors to show the observed difference of 0.080 to instance 2."
    )
    assert 0.1 * math.sqrt(24 / 38) <= 0.08 < 0.1 * math.sqrt(24 / 37)


def test_one_more_item_is_one(make_instance):
    assert "test 1 more actor to show" in advise(make_instance, margin(0.099, 0.1))


def test_no_more_items_are_advised_where_they_would_not_show_what_was_observed(make_instance):
    assert advise(make_instance, margin(0.02, 0.1), margin(0.0, 0.1)) == (
        "Take the simplest instance: even 72 more actors would hardly show differences as small as these."
    )


def test_more_items_are_advised_where_no_error_is_known(make_instance):
    assert (
        advise(make_instance, margin(0.02, math.nan)) == "Test more actors: the standard error cannot be estimated from these."
    )


def test_three_repetitions_come_first_where_they_are_cheap(make_instance, make_record):
    def step(seconds):
        records = [make_record(fold, {"accuracy": 0.5}, seconds=seconds) for fold in (1, 2)]
        return describe_next_step([margin(0.02, 0.1)], [make_instance(1, records)], "the simplest instance")

    assert step(10) == "Run three repetitions (fold_repeats = 3): what training again would change is unknown."
    assert step(10_000).startswith("Take the simplest instance")


def test_what_to_take_is_named():
    assert simplest_of(["4", "1", "2", "3"]) == "the simplest of instances 1-4"
    assert simplest_of(["3", "1"]) == "the simpler of instances 1 and 3"
    assert simplest_of(["1", "results/demo/experiment_2:1"]) == "the simplest instance"
