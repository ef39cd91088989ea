"""The scores of an instance over all its test items: mean over items, pooled, interval and chance.

Pooled scores are those of the test examples of all folds together, as Forman and Scholz (SIGKDD Explorations 12, 2010) weigh
against means over folds: a fold that lacks a class has no AUC, and its macro F1 differs from that of the whole dataset. With
several repeats of the cross-validation, pooled scores are averaged over repeats, and the scores of an item are averaged over
repeats first. With several repeats or seeds, intervals include the variance between them.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from statistics import fmean
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xval.answers.class_recalls import class_recalls
from xval.answers.events_over_items import measure_events
from xval.answers.metric_over_items import MetricOverItems
from xval.answers.training_runs import group_runs, item_means, read_repeats, run_of, whole_repeats
from xval.base.numbers import finite_or_none
from xval.measures import binary, metrics
from xval.measures.label_counts import decide
from xval.measures.metrics import Chance, Metric
from xval.measures.statistics.intervals import Bootstrap, Bounds, Interval, mean_interval
from xval.measures.statistics.item_chance import CreditFunction, group_level, permuted_level
from xval.measures.task import Task
from xval.results.added_metrics import constant_chance
from xval.results.instance import InstanceResults
from xval.results.item_scores import OVER_ITEMS_VERSION, ItemScore, OverItems, make_item_score
from xval.results.job_key import JobKey
from xval.results.tested_examples import Run, TestedExamples

MOST_VALUES = 50_000_000  # probabilities that are read; more would take gigabytes
_TWO_SIDED = 1.96  # deviations of a normal distribution that 97.5 % lie below
_NO_CHANCE = Chance(math.nan, "")  # not known


class _ItemMeans(NamedTuple):
    """A metric of each item, averaged over repeats and seeds: float64 (n_items,); and its mean over items for each run."""

    values: NDArray[np.float64]
    runs: Sequence[float]

    def interval(self, bounds: Bounds | None, bootstrap: Bootstrap | None = None) -> Interval | None:
        return mean_interval(self.values, bounds=bounds, runs=self.runs, bootstrap=bootstrap)


_ItemMeansByMetric = Mapping[str, _ItemMeans]


def measure_over_items(
    instance: InstanceResults,
    further: Mapping[str, Metric] | None = None,
    bootstrap: Bootstrap | None = None,
    only: Collection[str] | None = None,
) -> OverItems:
    """Compute all scores over items. Pooled scores are averaged over the seeds and repeats with all folds.

    Args:
        instance: An instance with its finished jobs.
        further: Metrics in addition to those of the task, by name.
        bootstrap: The kind of intervals, as for `score_interval`.
        only: The metrics of the task to compute; None: all.

    Raises:
        ResultsError: A predictions.parquet is damaged.
    """
    records = list(instance.folds.values())
    over_items: OverItems = {
        "version": OVER_ITEMS_VERSION,
        "n_items": 0,
        "folds_lacking_classes": [],
        "missing": "",
        "classes": {},
        "figures": {},
    }
    if not records:
        return over_items
    by_item = item_means(instance)
    over_items["n_items"] = len(by_item)
    settings, task = instance.settings, instance.task
    clip_side = "clip_test" if instance.has_windows else "test"
    repeats = whole_repeats(instance)
    runs = [run_of(instance, jobs) for jobs in repeats]
    record_scores = _read_values(by_item, [item_means(instance, jobs.values()) for jobs in repeats], runs)
    class_names = records[0].get("class_names", [])
    n_examples = {fold: record["n_examples"]["test"] for fold, record in instance.folds.items()}
    n_values = sum(n_examples[fold] for jobs in repeats for fold in jobs) * max(1, len(class_names))
    if not repeats:
        over_items["missing"] = "no seed has all finished folds"
    elif absent := [
        key.folder_name for jobs in repeats for key in jobs.values() if not instance.predictions_file(key).exists()
    ]:
        over_items["missing"] = f"{', '.join(absent)}: no predictions.parquet"
    elif n_values > MOST_VALUES:
        over_items["missing"] = f"the predictions are {n_values} probabilities; at most {MOST_VALUES} are read"
    for side in () if over_items["missing"] else dict.fromkeys((clip_side, "test")):
        examples = read_repeats(instance, repeats, settings.averaging if side == "clip_test" else None)
        known = record_scores if side == clip_side and list(examples[0].names) == sorted(by_item) else None
        over_items["figures"][side] = _measure(
            task, examples, known, further or {}, only, class_names=class_names, bootstrap=bootstrap
        )
        decided = examples
        if records[0].get("thresholds"):
            decided = [_decided(instance, *pair) for pair in zip(repeats, examples, strict=True)]
            over_items["figures"][side] |= _measure_decided(task, class_names, decided, bootstrap)
        if side == clip_side and task.has_classes and task.target != "frame":
            over_items["classes"] = class_recalls(decided, class_names)
        over_items["folds_lacking_classes"] = sorted({fold for one in examples for fold in _lacking_folds(task, one)})
    clip_scores = over_items["figures"].get(clip_side, {})
    known_scores = {name: clip_scores.get(name) or _record_score(values) for name, values in record_scores.items()}
    over_items["figures"][clip_side] = known_scores | clip_scores
    if task.target == "frame" and not over_items["missing"]:
        frames = settings.frame_settings()
        folders = [[instance.folder(key) for place in run for key in repeats[place].values()] for run in group_runs(runs)]
        over_items["figures"]["test"].update(
            measure_events(folders, class_names, frames, over_items["figures"]["test"], bootstrap)
        )
    return over_items


def _read_values(
    by_item: Mapping[str, Mapping[str, float]], items_by_run: Sequence[Mapping[str, Mapping[str, float]]], runs: Sequence[Run]
) -> dict[str, _ItemMeans]:
    """Return the item means of each metric in the scores of jobs; items are sorted by name.

    Args:
        by_item: The means over all jobs, as from `item_means`.
        items_by_run: The means over the jobs of each run.
        runs: The identities of these runs.
    """
    values = {}
    for name in sorted({name for item_scores in by_item.values() for name in item_scores} - {"n_clips"}):
        means = [fmean(item_scores.get(name, math.nan) for item_scores in items.values()) for items in items_by_run]
        item_values = np.array([by_item[item].get(name, math.nan) for item in sorted(by_item)])
        values[name] = _ItemMeans(item_values, _run_means(means, runs))
    return values


def _run_means(values: Sequence[float], runs: Sequence[Run]) -> list[float]:
    """Return the mean value of each group of `group_runs`, from the values of the runs."""
    return [fmean(values[place] for place in unit) for unit in group_runs(runs)]


def _measure(
    task: Task,
    repeats: Sequence[TestedExamples],
    item_values: _ItemMeansByMetric | None,
    further: Mapping[str, Metric],
    chosen: Collection[str] | None = None,
    *,
    class_names: Sequence[str] = (),
    bootstrap: Bootstrap | None = None,
) -> dict[str, ItemScore]:
    """Return the scores of targets and predictions.

    Args:
        task: Task of the instance.
        repeats: All tested examples, for each seed of each repeat.
        item_values: The recorded item means of each metric, items sorted by name; None: not recorded.
        further: Metrics in addition to those of the task.
        chosen: Only these metrics of the task; None: all.
        class_names: Names of the outputs, for texts.
        bootstrap: The kind of intervals.
    """
    first = repeats[0]
    targets, rows = first.targets, first.rows
    pooled = _mean_of([metrics.compute(task.name, examples.targets, examples.predictions, further) for examples in repeats])
    for name in set(pooled) & set(metrics.metric_names(task.name)):
        if (known_metric := metrics.find(task.name, name)).ranks:
            pooled[name] = float(np.mean([known_metric.function(one.targets, one.levelled) for one in repeats]))
    if item_values is None:
        by_repeat = [
            [metrics.compute(task.name, examples.targets[own], examples.predictions[own], further) for own in examples.rows]
            for examples in repeats
        ]
        item_values, runs = {}, [examples.run for examples in repeats]
        for name in pooled:
            table = np.array([[values[name] for values in run_values] for run_values in by_repeat])  # (n_repeats, n_items)
            item_values[name] = _ItemMeans(table.mean(axis=0), _run_means(table.mean(axis=1).tolist(), runs))
    is_whole = len(rows) == len(np.unique(first.folds)) and not task.lack_classes(targets, first.items).any()
    item_scores = {}
    for name in pooled if chosen is None else [name for name in pooled if name in chosen]:
        value = pooled[name]
        metric = further.get(name) or metrics.find(task.name, name)
        known = item_values.get(name, _ItemMeans(np.array([math.nan]), []))
        # A fold of one item has the score of the item, so that the mean over folds is that over items.
        basis: Literal["items", "pooled"] = "pooled"
        interval = left_out = None
        too_few = ""
        if (metric.is_mean or (is_whole and not metric.is_pooled)) and np.isfinite(known.values).all():
            basis = "items"
            interval = known.interval(metric.bounds, bootstrap)
        else:
            over_items = MetricOverItems(metric, repeats, is_mean=False, has_classes=task.has_classes)
            interval, too_few = over_items.interval(bootstrap), over_items.no_interval(class_names)
            # Comparisons measure the other metrics of a task when they need them.
            if basis == "pooled" and (name in task.main_metrics or name not in metrics.metric_names(task.name)):
                left_out = over_items.left_out()
        weights = _weights(first.items, basis)
        chance = metric.chance and metric.chance(targets, weights)
        # Chance of frames, and of metrics of the user's own, names one answer to all items.
        is_own = name in further and name not in binary.NAMES
        if chance and basis == "items" and not (metric.is_mean or task.target == "frame" or is_own):
            chance = chance._replace(value=_mean_chance(metric, chance.answer, targets, rows))
        if name in further and chance is None:
            groups = rows if basis == "items" else [np.arange(len(targets))]
            chance = constant_chance(metric, targets, weights, first.predictions.shape[-1], groups)
        overall_mean = math.nan if metric.is_pooled else float(known.values.mean())
        item_scores[name] = make_item_score(overall_mean, value, basis, interval, chance or _NO_CHANCE)
        if too_few:
            item_scores[name]["no_interval"] = too_few
        if left_out:
            item_scores[name]["left_out"] = left_out
        if metric.credit and (metric.is_mean or basis == "pooled"):
            group_chance, permuted, permuted_high = map(finite_or_none, _item_chance(metric.credit, repeats, basis))
            item_scores[name]["group_chance"] = group_chance
            item_scores[name]["permuted"], item_scores[name]["permuted_high"] = permuted, permuted_high
    return item_scores


def _weights(items: NDArray[np.intp], basis: Literal["items", "pooled"]) -> NDArray[np.float64]:
    """Return the weight of each example in a score, from the items of the examples: float64 (n_examples,), sum 1."""
    if basis == "pooled":
        return np.full(len(items), 1 / len(items))
    n_examples = np.bincount(items)
    return np.asarray(1 / (len(n_examples) * n_examples[items]))


def _item_chance(
    credit: CreditFunction, repeats: Sequence[TestedExamples], basis: Literal["items", "pooled"]
) -> tuple[float, float, float]:
    """Return the values of `ItemChance`; those of permuted targets are means over repeats."""
    levels = [
        permuted_level(
            examples.targets, examples.predictions.argmax(axis=1), _weights(examples.items, basis), examples.items, credit
        )
        for examples in repeats
    ]
    targets, items = repeats[0].targets.astype(np.intp), repeats[0].items.astype(np.intp)
    return (
        _group_level(credit, basis, targets.tobytes(), items.tobytes()),
        fmean(level.mean for level in levels),
        fmean(level.mean + _TWO_SIDED * level.deviation for level in levels),
    )


@lru_cache(maxsize=4)  # all instances of an experiment test the same examples
def _group_level(credit: CreditFunction, basis: Literal["items", "pooled"], targets: bytes, items: bytes) -> float:
    item_codes = np.frombuffer(items, np.intp)
    return group_level(np.frombuffer(targets, np.intp), _weights(item_codes, basis), item_codes, credit)


def _mean_chance(metric: Metric, answer: NDArray[Any] | None, targets: NDArray[Any], rows: Sequence[NDArray[np.intp]]) -> float:
    """Return the chance level of a mean over items: of a constant answer, or else the mean of the items' own chance levels."""
    if answer is not None:
        same = np.tile(answer.astype(np.float32), (len(targets), 1))
        return float(np.mean([metric.function(targets[own], same[own]) for own in rows]))
    levels = [metric.chance and metric.chance(targets[own], np.full(len(own), 1 / len(own))) for own in rows]
    return float(np.mean([level.value for level in levels if level]))


def _decided(instance: InstanceResults, jobs: Mapping[int, JobKey], examples: TestedExamples) -> TestedExamples:
    """Return examples with decisions 0 and 1 instead of probabilities, by the thresholds of the job that predicted them."""
    records = {fold: instance.done[key] for fold, key in jobs.items()}
    thresholds = {fold: [record["thresholds"][name] for name in record["class_names"]] for fold, record in records.items()}
    decided = decide(examples.predictions, np.array([thresholds[fold] for fold in examples.folds.tolist()]))
    names = np.array(examples.names, dtype=object)[examples.items]
    answered = TestedExamples(names, examples.clips, examples.folds, examples.targets, decided)
    answered.seed = examples.seed
    return answered


def _measure_decided(
    task: Task, class_names: Sequence[str], repeats: Sequence[TestedExamples], bootstrap: Bootstrap | None
) -> dict[str, ItemScore]:
    """Return the scores of decisions at thresholds."""
    names = [name.removeprefix("tuned_") for name in task.final_metrics]
    measured = _measure(task, repeats, None, {}, names, class_names=class_names, bootstrap=bootstrap)
    return {f"tuned_{name}": item_score for name, item_score in measured.items()}


def _mean_of(values: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([scores[name] for scores in values])) for name in values[0]}


def _record_score(known: _ItemMeans) -> ItemScore:
    """Return the score of a metric for which only the recorded values of items are known."""
    return make_item_score(float(known.values.mean()), math.nan, "items", known.interval(None), _NO_CHANCE)


def _lacking_folds(task: Task, examples: TestedExamples) -> list[int]:
    """Return the folds that lack a class that others have, or in which a target number is constant."""
    numbers, codes = np.unique(examples.folds, return_inverse=True)
    return [int(number) for number in numbers[task.lack_classes(examples.targets, codes)]]
