"""What knowing the item alone reaches, on drawn labels."""

import math
from itertools import permutations

import numpy as np
import pytest

from xval.measures import metrics
from xval.measures.statistics.item_chance import group_level, permuted_level

ACCURACY, BALANCED = (metrics.find("classification", name).credit for name in ("accuracy", "balanced_accuracy"))


def draw(n_items, n_clips, allowed, *, seed=0):
    """Return items and random labels; `allowed` gives the classes of an item by its number."""
    rng = np.random.default_rng(seed)
    items = np.repeat(np.arange(n_items), n_clips)
    return items, np.array([rng.choice(allowed(item)) for item in items])


def equal(items):
    return np.full(len(items), 1 / len(items))


def of_half(item):
    return (0, 1) if item % 2 else (2, 3)


@pytest.mark.parametrize("credit", [ACCURACY, BALANCED])
def test_who_knows_which_classes_a_speaker_has_reaches_half_where_chance_is_a_quarter(credit):
    items, targets = draw(24, 20, of_half)

    assert group_level(targets, equal(items), items, credit) == pytest.approx(0.5, abs=0.05)


def test_groups_may_share_classes_and_one_odd_label_costs_its_item_alone():
    items, targets = draw(24, 20, lambda item: (0, 1, 2) if item % 2 else (2, 3, 4))
    targets[0] = 0  # of an item with the classes 2, 3, 4

    assert group_level(targets, equal(items), items, BALANCED) == pytest.approx(0.4, abs=0.03)


@pytest.mark.parametrize("n_clips", [1, 2, 20])
@pytest.mark.parametrize("shares", [(0.25, 0.25, 0.25, 0.25), (0.6, 0.2, 0.19, 0.01)], ids=["even", "rare"])
def test_labels_that_belong_to_nobody_make_no_groups(n_clips, shares):
    """The sets of classes of items with few clips differ by luck, and tell much of their labels."""
    rng = np.random.default_rng(n_clips)
    items = np.repeat(np.arange(24), n_clips)
    found = [group_level(rng.choice(4, len(items), p=shares), equal(items), items, BALANCED) for _ in range(10)]

    assert sum(map(math.isfinite, found)) <= 2


def test_where_an_item_has_one_class_to_know_it_is_the_task():
    items, targets = draw(24, 10, lambda item: (item % 2,))
    noisy = targets.copy()
    noisy[:2] = 1 - noisy[:2]  # one item of both

    for labels in (targets, noisy):
        assert math.isnan(group_level(labels, equal(items), items, ACCURACY))
        assert math.isnan(permuted_level(labels, labels, equal(items), items, ACCURACY).mean)


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy"])
def test_the_permuted_level_is_that_of_all_permutations_within_items(name):
    items = np.array([0, 0, 0, 1, 1, 1, 1])
    targets, answers = np.array([0, 1, 1, 0, 2, 2, 1]), np.array([1, 1, 0, 2, 2, 0, 2])
    metric, predictions = metrics.find("classification", name), np.eye(3)[answers]
    of_all = [
        metric.function(np.concatenate([targets[list(first)], targets[list(second)]]), predictions)
        for first in permutations(range(3))
        for second in permutations(range(3, 7))
    ]

    found = permuted_level(targets, answers, equal(items), items, metric.credit)
    assert found == pytest.approx((np.mean(of_all), np.std(of_all)))


def test_answers_that_know_the_group_alone_are_as_good_with_permuted_labels_and_others_are_not():
    items, targets = draw(24, 20, of_half)
    _, of_group = draw(24, 20, of_half, seed=1)
    deaf = np.random.default_rng(2).integers(4, size=len(items))

    levels = {
        name: permuted_level(targets, answers, equal(items), items, BALANCED).mean
        for name, answers in (("group", of_group), ("deaf", deaf), ("right", targets))
    }

    assert levels["group"] == pytest.approx(0.5, abs=0.04)
    assert levels["deaf"] == pytest.approx(0.25, abs=0.04)
    assert levels["right"] < 0.6
