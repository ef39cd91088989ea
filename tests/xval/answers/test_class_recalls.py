"""The recall of each class: of the clips that have it, with an interval over the items that have such clips."""

import numpy as np
import pytest
import sklearn.metrics

from xval.answers import class_recalls as class_recalls_module
from xval.answers.class_recalls import class_recalls
from xval.measures.statistics.intervals import score_interval
from xval.results import tested_examples

RNG = np.random.default_rng(3)


def examples_of(items, targets, predictions):
    return tested_examples.TestedExamples(
        np.array(items), np.arange(len(items)), np.zeros(len(items), int), targets, predictions
    )


def answers(n_items, n_clips, n_classes):
    items = np.repeat([f"s{item}" for item in range(n_items)], n_clips)
    return items, RNG.integers(0, n_classes, len(items)), RNG.dirichlet(np.ones(n_classes), len(items)).astype(np.float32)


def test_recalls_are_those_of_scikit_learn_and_average_to_balanced_accuracy():
    items, targets, predictions = answers(8, 20, 3)

    found = class_recalls([examples_of(items, targets, predictions)], ["a", "b", "c"])

    wanted = sklearn.metrics.recall_score(targets, predictions.argmax(axis=1), average=None)
    assert [found[name]["recall"] for name in "abc"] == pytest.approx(wanted)
    assert [found[name]["n_clips"] for name in "abc"] == np.bincount(targets).tolist()
    assert all(each["low"] < each["recall"] < each["high"] for each in found.values())


def test_only_the_items_that_have_the_class_make_its_interval():
    targets = np.array([0] * 40 + [1, 0] * 20)  # the first half of the items has no clip of class 1
    items, predictions = np.repeat(np.arange(8), 10), answers(8, 10, 2)[2]

    found = class_recalls([examples_of(items, targets, predictions)], ["no", "yes"])["yes"]

    is_right = (predictions.argmax(axis=1) == 1)[40::2].reshape(4, 5)
    alone = score_interval(4, lambda places: is_right[places].mean(), bounds=(0, 1))
    assert (found["n_items"], found["n_clips"]) == (4, 20)
    assert (found["low"], found["high"]) == pytest.approx((alone.low, alone.high))


def test_repeats_are_averaged_and_a_class_that_does_not_occur_has_none():
    items, targets, _ = answers(6, 10, 2)
    perfect, wrong = np.eye(3, dtype=np.float32)[targets], np.eye(3, dtype=np.float32)[1 - targets]

    found = class_recalls([examples_of(items, targets, perfect), examples_of(items, targets, wrong)], ["a", "b", "never"])

    assert {name: each["recall"] for name, each in found.items()} == {"a": 0.5, "b": 0.5}


def test_a_label_counts_where_it_is_decided():
    items = np.repeat(np.arange(5), 4)
    targets = np.float32(RNG.random((20, 2)) < 0.6)
    decided = np.float32(RNG.random((20, 2)) < 0.5)

    found = class_recalls([examples_of(items, targets, decided)], ["dog", "rain"])

    assert [found[name]["recall"] for name in ("dog", "rain")] == pytest.approx(
        sklearn.metrics.recall_score(targets, decided, average=None)
    )


def test_a_class_of_fewer_than_three_items_and_very_many_classes_have_no_interval(monkeypatch):
    items, targets = np.array(["a"] * 4 + ["b"] * 4), np.array([0, 1] * 4)
    few = class_recalls([examples_of(items, targets, answers(8, 1, 2)[2])], ["x", "y"])
    monkeypatch.setattr(class_recalls_module, "_MOST_INTERVALS", 10)
    items, targets, predictions = answers(8, 20, 3)
    many = class_recalls([examples_of(items, targets, predictions)], ["a", "b", "c"])

    assert all(each["low"] is None and each["recall"] is not None for each in [*few.values(), *many.values()])
