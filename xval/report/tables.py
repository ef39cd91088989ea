"""The tables of the page: confusion matrices and their differences, the worst items.

Comes in: metric dicts. Goes out: counts, shares and rows.
"""

from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xval.answers.deals import item_means
from xval.answers.summary import MetricDict, done_records
from xval.base.numbers import finite_or_none
from xval.measures.task import find_task

MOST_CLASSES = 25
"""With more classes the most frequent confusions are listed in the place of a matrix."""

_MOST_CONFUSIONS = 30


class Confusion(NamedTuple):
    """The answers of an instance over all folds.

    Attributes:
        class_names: Of rows (true) and columns (answered).
        counts: int64 (n_classes, n_classes), of the test clips.
        shares: float64, counts over the sum of their row; 0 in empty rows.
    """

    class_names: tuple[str, ...]
    counts: NDArray[np.int64]
    shares: NDArray[np.float64]

    @property
    def most_frequent(self) -> list[tuple[str, str, int, float]]:
        """The most frequent confusions: true class, answer, how often, and the share of the true class."""
        wrong = self.counts.copy()
        np.fill_diagonal(wrong, 0)
        places = [np.unravel_index(flat, wrong.shape) for flat in np.argsort(-wrong, axis=None, kind="stable")]
        return [
            (self.class_names[row], self.class_names[column], int(wrong[row, column]), float(self.shares[row, column]))
            for row, column in places[:_MOST_CONFUSIONS]
            if wrong[row, column]
        ]


class ItemRow(NamedTuple):
    """An item, and its metric by each instance.

    Attributes:
        item: Its name.
        n_clips: How many were tested.
        mean: Over the instances that have tested it.
        values: By instance; None: not tested or undefined.
    """

    item: str
    n_clips: int
    mean: float | None
    values: list[float | None]


def confusion(metric_dict: MetricDict) -> Confusion | None:
    """Return the confusion matrix over all folds; None where there is none."""
    records = [record for record in done_records(metric_dict) if "confusion_matrix" in record]
    if not records:
        return None
    counts = np.sum([record["confusion_matrix"]["test"] for record in records], axis=0)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return Confusion(tuple(records[0]["class_names"]), counts, shares)


def worst_items(metric_dicts: Sequence[MetricDict]) -> tuple[str, bool, list[ItemRow]]:
    """Return the metric of items, whether higher is better, and a row per item, the worst first."""
    task = find_task(metric_dicts[0]["task_type"])
    metric, higher = task.item_metric, task.higher_is_better(task.item_metric)
    by_instance = [item_means(metric_dict) for metric_dict in metric_dicts]
    n_clips = {item: int(figures["n_clips"]) for found in by_instance for item, figures in found.items()}
    rows = []
    for item, n in n_clips.items():
        values = [finite_or_none(found.get(item, {}).get(metric)) for found in by_instance]
        numbers = [value for value in values if value is not None]
        rows.append(ItemRow(item, n, fmean(numbers) if numbers else None, values))
    rows.sort(key=lambda row: (row.mean is None, (row.mean or 0.0) * (1 if higher else -1), row.item))
    return metric, higher, rows
