"""A metric over items: pooled or averaged, of all of them or of some."""

import numpy as np
import pytest

from xval.answers import metric_over_items
from xval.answers.metric_over_items import MetricOverItems
from xval.measures import metrics
from xval.measures.statistics.intervals import score_interval
from xval.results import tested_examples

ACCURACY, MACRO_F1 = (metrics.find("classification", name) for name in ("accuracy", "macro_f1"))


@pytest.fixture
def examples():
    rng = np.random.default_rng(3)
    items = np.repeat(["a", "b", "c", "d"], [10, 20, 30, 40])
    clips = np.array([f"clip {number}" for number in range(100)], dtype=object)
    predictions = rng.dirichlet(np.ones(3), 100).astype(np.float32)
    return tested_examples.TestedExamples(items, clips, np.ones(100, np.int64), rng.integers(3, size=100), predictions)


def test_a_mean_counts_each_item_once_and_another_metric_each_example(examples):
    of_items = [ACCURACY.function(examples.targets[rows], examples.predictions[rows]) for rows in examples.rows]
    assert MetricOverItems(ACCURACY, [examples]).score() == pytest.approx(np.mean(of_items))
    pooled = ACCURACY.function(examples.targets, examples.predictions)
    assert MetricOverItems(ACCURACY, [examples], is_mean=False).score() == pytest.approx(pooled)
    assert pooled != pytest.approx(np.mean(of_items))
    assert MetricOverItems(MACRO_F1, [examples]).score() == MACRO_F1.function(examples.targets, examples.predictions)


def test_items_without_a_kept_example_are_none(examples):
    kept = np.isin(examples.items, [1, 3])
    over_items = MetricOverItems(MACRO_F1, [examples], [kept])
    assert over_items.items.tolist() == [1, 3]
    assert over_items.score() == MACRO_F1.function(examples.targets[kept], examples.predictions[kept])
    assert over_items.score(np.array([1])) == MACRO_F1.function(*(of[examples.items == 3] for of in both(examples)))
    assert np.isnan(MetricOverItems(MACRO_F1, [examples], [np.zeros(100, bool)]).score())


def test_repeats_are_averaged(examples):
    other = tested_examples.TestedExamples(
        np.array(examples.names)[examples.items], examples.clips, examples.folds, *both(examples)
    )
    other.predictions = other.predictions[::-1]
    both_scores = [MetricOverItems(MACRO_F1, [repeat]).score() for repeat in (examples, other)]
    assert MetricOverItems(MACRO_F1, [examples, other]).score() == pytest.approx(np.mean(both_scores))


@pytest.mark.parametrize("metric", [ACCURACY, MACRO_F1], ids=["mean", "pooled"])
def test_the_interval_holds_what_repeats_change(examples, metric):
    names = np.array(examples.names)[examples.items]
    other = tested_examples.TestedExamples(names, examples.clips, examples.folds, *both(examples))
    other.predictions = other.predictions[::-1]
    alone = [MetricOverItems(metric, [repeat]).score() for repeat in (examples, other)]

    over_items = MetricOverItems(metric, [examples, other])

    assert over_items.run_scores() == pytest.approx(alone)
    wanted = score_interval(4, over_items.score, runs=alone, weights=over_items.weights)
    assert over_items.interval()[:2] == pytest.approx(wanted[:2])
    assert over_items.interval().covers == "method"
    assert MetricOverItems(metric, [examples, examples]).interval().covers == "models"


def test_an_interval_that_would_take_minutes_is_none(examples, monkeypatch):
    assert MetricOverItems(MACRO_F1, [examples]).interval() is not None
    monkeypatch.setattr(metric_over_items, "MOST_VALUES_OF_INTERVAL", 1199)  # 300 probabilities, 4 items
    assert MetricOverItems(MACRO_F1, [examples]).interval() is None
    assert MetricOverItems(ACCURACY, [examples]).interval() is not None


def both(examples):
    return examples.targets, examples.predictions
