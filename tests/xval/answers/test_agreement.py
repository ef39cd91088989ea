"""Bias and limits of agreement, against an analysis of variance by hand."""

import numpy as np
import pytest

from xval.answers.agreement import agreements
from xval.answers.instance_predictions import InstancePredictions
from xval.measures.statistics.intervals import score_interval
from xval.measures.task import find_task
from xval.results import tested_examples

N_ITEMS, N_CLIPS = 5, 4


def predictions_of(differences, task="regression"):
    """Return predictions that are so far above the true numbers: of five items, four clips each, and two targets."""
    items = np.repeat([f"s{item}" for item in range(N_ITEMS)], N_CLIPS)
    targets = np.random.default_rng(1).uniform(20, 60, differences[0].shape).astype(np.float32)
    places = np.arange(len(items))
    repeats = [
        tested_examples.TestedExamples(items, places, 0 * places, targets, targets + np.float32(each)) for each in differences
    ]
    return InstancePredictions(1, find_task(task), tuple(repeats))


def limits(differences):
    """Return bias and limits of one target by the mean squares between and within items (Bland and Altman, 2007)."""
    by_item = differences.reshape(N_ITEMS, N_CLIPS)
    within = by_item.var(axis=1, ddof=1).mean()
    between = by_item.mean(axis=1).var(ddof=1) - within / N_CLIPS
    half = 1.96 * np.sqrt(between + within)
    return differences.mean() - half, differences.mean(), differences.mean() + half


@pytest.fixture
def differences():
    """Of two trainings: float64 (20 clips, 2 targets), which differ more between items than within them."""
    rng = np.random.default_rng(0)
    return [rng.normal(np.repeat(rng.normal(2, 5, N_ITEMS), N_CLIPS)[:, np.newaxis], 1, (20, 2)) for _ in range(2)]


def test_bias_and_limits_are_means_over_trainings_and_have_intervals_over_items(differences):
    found = agreements(predictions_of(differences), ["age", "height"])

    assert [agreement.name for agreement in found] == ["age", "height"]
    for target, agreement in enumerate(found):
        wanted = np.mean([limits(training[:, target]) for training in differences], axis=0)
        values = [agreement.low, agreement.bias, agreement.high]
        assert [value.value for value in values] == pytest.approx(wanted, rel=1e-4)
        assert all(value.interval.low < value.value < value.interval.high for value in values)
        assert agreement.differences == pytest.approx(
            np.concatenate([training[:, target] for training in differences]), abs=1e-4
        )
    (alone, _) = agreements(predictions_of(differences[:1]), ["0", "1"])
    means = differences[0][:, 0].reshape(N_ITEMS, N_CLIPS).mean(axis=1)
    interval = score_interval(N_ITEMS, lambda items: means[items].mean(), bounds=None)
    assert alone.name == "target 0"
    assert alone.bias.interval[:2] == pytest.approx(interval[:2], rel=1e-4)


def test_items_come_by_their_bias_the_largest_first(differences):
    (found, _) = agreements(predictions_of(differences[:1]), ["age", "height"])

    by_item = differences[0][:, 0].reshape(N_ITEMS, N_CLIPS)
    order = np.argsort(-abs(by_item.mean(axis=1)))
    assert [item.item for item in found.by_item] == [f"s{item}" for item in order]
    assert [item.bias for item in found.by_item] == pytest.approx(by_item.mean(axis=1)[order], abs=1e-4)
    assert [item.deviation for item in found.by_item] == pytest.approx(by_item.std(axis=1, ddof=1)[order], abs=1e-4)
    assert {item.n_clips for item in found.by_item} == {N_CLIPS}


def test_classes_have_none(differences):
    assert agreements(predictions_of(differences, "classification"), []) == []
