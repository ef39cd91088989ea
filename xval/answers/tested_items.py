"""One metric of each test item by each instance: which items are hard, and for whom."""

from collections.abc import Sequence
from math import isfinite, nan
from statistics import fmean
from typing import NamedTuple

from xval.answers.training_runs import item_means
from xval.results.instance import InstanceResults


class ItemRow(NamedTuple):
    """An item, and its metric by each instance.

    Attributes:
        folds: Those that test it, one of each repeat.
        n_clips: How many of its clips each of them tests.
        mean: Over the instances that have tested every item, so that items compare; over all instances while there are none.
            None: undefined in all of these.
        values: By instance. None: not tested yet; NaN: undefined.
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
