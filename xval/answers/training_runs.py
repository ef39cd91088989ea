"""The training runs of an instance: the finished jobs of each run, its tested examples, and the scores of the tested items.

A run is one seed of one repeat of the cross-validation: it tests every item once.
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from math import isfinite, nan
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from xval.data.clip_average import Averaging
from xval.results.instance import InstanceResults, mean_of
from xval.results.job_key import JobKey
from xval.results.tested_examples import Run, TestedExamples, read_examples


def whole_repeats(instance: InstanceResults) -> list[dict[int, JobKey]]:
    """Return the jobs by fold for each run that has all finished folds of its repeat of the cross-validation.

    All these runs have the same items: those of the repeat that has tested the most so far.
    """
    fold_repeats = instance.folds_by_repeat.values()
    items = [{item for fold in folds for item in instance.scores[instance.first_jobs[fold]].items} for folds in fold_repeats]
    whole = []
    for folds, tested in zip(fold_repeats, items, strict=True):
        by_repeat: dict[int, dict[int, JobKey]] = {}
        for key in instance.done:
            if key.fold in folds:
                by_repeat.setdefault(key.repeat, {})[key.fold] = key
        if tested == max(items, key=len):
            whole += [jobs for _, jobs in sorted(by_repeat.items()) if jobs.keys() == set(folds)]
    return whole


def run_of(instance: InstanceResults, jobs: Mapping[int, JobKey]) -> Run:
    """Return the identity of a run, given its jobs by fold."""
    return frozenset(jobs), instance.seed_of(next(iter(jobs.values())).repeat)


def group_runs(runs: Sequence[Run]) -> list[list[int]]:
    """Return groups of the places of runs: runs with the same folds, or runs with the same folds and seed.

    Runs are grouped by folds if there are several partitions into folds, because the seeds of a partition share its folds.
    """
    by_folds: dict[frozenset[int], list[int]] = {}
    by_seed: dict[int, list[int]] = {}
    for place, (folds, seed) in enumerate(runs):
        by_folds.setdefault(folds, []).append(place)
        by_seed.setdefault(seed or -place - 1, []).append(place)
    return list(by_folds.values()) if len(by_folds) > 1 else list(by_seed.values())


def read_repeats(
    instance: InstanceResults, repeats: Iterable[Mapping[int, JobKey]], averaging: Averaging | None
) -> list[TestedExamples]:
    """Return the tested examples of each run; the arguments are those of `whole_repeats` and `read_examples`."""
    class_names = next(iter(instance.folds.values())).get("class_names", [])
    read: dict[tuple[Path, ...], TestedExamples] = {}  # of instances that tie, runs have the same jobs
    examples = []
    for jobs in repeats:
        paths = {fold: instance.predictions_file(key) for fold, key in jobs.items()}
        same = tuple(paths.values())
        read[same] = read.get(same) or read_examples(instance.task, paths, class_names, averaging)
        examples.append(copy(read[same]))
        examples[-1].seed = run_of(instance, jobs)[1]
    return examples


def item_means(instance: InstanceResults, jobs: Iterable[JobKey] | None = None) -> dict[str, dict[str, float]]:
    """Return n_clips and the metrics of each tested item, averaged over seeds, then over repeats; NaN: undefined.

    Args:
        instance: An instance with its finished jobs.
        jobs: The jobs to use; None: all.
    """
    by_item: dict[str, dict[int, list[Mapping[str, float]]]] = {}
    for key in instance.done if jobs is None else jobs:
        for item, scores in instance.scores[key].items.items():
            by_item.setdefault(item, {}).setdefault(key.fold, []).append(scores)
    return {item: _means([_means(fold_scores) for fold_scores in by_fold.values()]) for item, by_fold in by_item.items()}


def _means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each metric over the rows in which it is defined."""
    means = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        defined = [row[name] for row in rows if isfinite(row.get(name, nan))]
        means[name] = mean_of(defined) if defined else nan
    return means


class ItemRow(NamedTuple):
    """An item, with its value of a metric for each instance.

    Attributes:
        folds: The folds that test it, one per repeat.
        n_clips: The number of its clips that each of these folds tests.
        mean: The mean over the instances that have tested every item, so that items are comparable; over all instances while
            there are none. None: undefined for all of these.
        values: The value for each instance. None: not tested yet; NaN: undefined.
    """

    item: str
    folds: tuple[int, ...]
    n_clips: int
    mean: float | None
    values: list[float | None]


def rank_items(instances: Sequence[InstanceResults]) -> tuple[str, bool, list[ItemRow]]:
    """Return the metric of items, whether higher is better, and a row per item, the hardest first."""
    task = instances[0].task
    metric, higher = task.item_metric, task.higher_is_better(task.item_metric)
    by_instance = [item_means(instance) for instance in instances]
    items = list(dict.fromkeys(item for tested in by_instance for item in tested))
    complete = [len(tested) == len(items) for tested in by_instance]
    rows = []
    for item in items:
        tester = next(number for number, tested in enumerate(by_instance) if item in tested)
        values = [tested[item].get(metric, nan) if item in tested else None for tested in by_instance]
        counted = [value for value, is_whole in zip(values, complete, strict=True) if is_whole or not any(complete)]
        defined = [value for value in counted if value is not None and isfinite(value)]
        folds = tuple(fold for fold, key in instances[tester].first_jobs.items() if item in instances[tester].scores[key].items)
        rows.append(ItemRow(item, folds, instances[tester].n_clips[item], fmean(defined) if defined else None, values))
    rows.sort(key=lambda row: (row.mean is None, (row.mean or 0.0) * (1 if higher else -1), row.item))
    return metric, higher, rows
