"""A metric of test examples over their items: its value for all of them or for some, and its interval.

Pooled scores, subgroups and gaps use this class to resample or leave out items.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xval.answers.training_runs import group_runs
from xval.base.errors import counted
from xval.measures.confusion import THRESHOLD
from xval.measures.metrics import Metric, all_examples
from xval.measures.statistics.effective_items import fewest_items
from xval.measures.statistics.intervals import (
    FEWEST_ITEMS,
    MOST_LEFT_OUT,
    MOST_VALUES_OF_BOOTSTRAP,
    MOST_VALUES_OF_INTERVAL,
    N_RESAMPLES,
    Bootstrap,
    Interval,
    left_out,
    mean_interval,
    score_interval,
    sum_left_out,
)
from xval.results.item_scores import LeftOut
from xval.results.tested_examples import TestedExamples


class MetricOverItems:
    """A metric of test examples, averaged over items or pooled over examples, and averaged over repeats.

    Args:
        repeats: All tested examples, for each seed of each repeat; all have the same items.
        keep: For each repeat a bool (n_examples,): the examples that count; None: all.
        is_mean: Whether to average over items; None: if the metric is a mean of values of examples.
        has_classes: Whether examples have classes, so that the number of items of each class limits the precision of the
            metric.

    Attributes:
        items: intp (n_items,), the numbers of the items with examples that count.
        weights: float64 (n_classes, n_items), the number of examples of each item in each class, one row if the metric ignores
            classes; None: a mean over items with equal weights.
        is_too_large: Whether an interval, for which each item is left out once, would take minutes.
    """

    def __init__(
        self,
        metric: Metric,
        repeats: Sequence[TestedExamples],
        keep: Sequence[NDArray[np.bool_]] | None = None,
        *,
        is_mean: bool | None = None,
        has_classes: bool = False,
    ) -> None:
        self._metric, self._repeats = metric, repeats
        kept_of = keep or [np.ones(len(examples.items), bool) for examples in repeats]
        self._rows = [
            {item: kept for item, rows in enumerate(examples.rows) if len(kept := rows[own[rows]])}
            for examples, own in zip(repeats, kept_of, strict=True)
        ]
        self.items = np.array(sorted(self._rows[0]), np.intp)
        self._n_values = sum(examples.predictions[0].size for examples in repeats) * sum(map(len, self._rows[0].values()))
        is_mean = metric.is_mean if is_mean is None else is_mean
        self.is_too_large = not is_mean and self._n_values * min(len(self.items), MOST_LEFT_OUT) > MOST_VALUES_OF_INTERVAL
        self._runs = group_runs([one.run for one in repeats])
        self._known: dict[bytes, NDArray[np.float64]] = {}  # intervals and comparisons leave the same items out
        self._values = (
            np.array([self._repeat_values([item]) for item in self.items.tolist()]) if is_mean else None
        )  # (n_items, n_repeats)
        self.weights = None if is_mean else self._count(has_classes=has_classes)

    def score(self, places: NDArray[np.intp] | slice = slice(None)) -> float:
        """Return the score of some items, given by places in `items`, which may repeat; NaN for no items."""
        return float(np.mean(self._figures(places)))

    def run_scores(self) -> list[float]:
        """Return the score of all items for each training run, as in `group_runs`."""
        scores = self._figures()
        return [float(scores[run].mean()) for run in self._runs]

    def no_interval(self, class_names: Sequence[str]) -> str:
        """Return why there are too few items for an interval: ``only 2 items of class 'ill'``; empty: there are enough."""
        n_items, what = len(self.items), ""
        if self.weights is not None and n_items >= FEWEST_ITEMS:
            n_items, row = fewest_items(self.weights)
            what = f" of {self._name_class(row, class_names)}"
        return "" if n_items >= FEWEST_ITEMS else f"only {counted(n_items, 'item')}{what}"

    def left_out(self) -> LeftOut | None:
        """Return the pooled score without each item in turn; None: not a pooled score, too slow (minutes), or undefined."""
        if self.weights is None or self.is_too_large or self.no_interval(()):
            return None
        places = np.arange(len(self.items))
        scores = np.array([self._figures(places), *(self._figures(np.delete(places, own)) for own in left_out(len(places)))])
        if not np.isfinite(scores).all():
            return None
        weights = sum_left_out(self.weights).astype(int).tolist()
        return LeftOut(figures=scores[0].tolist(), without=scores[1:].tolist(), weights=weights)

    def interval(self, bootstrap: Bootstrap | None = None) -> Interval | None:
        """Return the 95 % interval; None: fewer than 3 items (of a class), undefined, or too slow (minutes).

        `bootstrap` is as for `score_interval`.
        """
        if self.is_too_large or (self._values is not None and not np.isfinite(self._values).all()):
            return None
        bounds, runs = self._metric.bounds, self.run_scores() if len(self._runs) > 1 else []
        if self._values is not None:
            return mean_interval(self._values.mean(axis=1), bounds=bounds, runs=runs, bootstrap=bootstrap)
        if bootstrap and self._n_values * N_RESAMPLES > MOST_VALUES_OF_BOOTSTRAP:
            return None
        return score_interval(len(self.items), self.score, bounds=bounds, runs=runs, weights=self.weights, bootstrap=bootstrap)

    def _count(self, *, has_classes: bool) -> NDArray[np.float64]:
        """Return `weights`, and store the class of each row."""
        self._occurring = np.zeros(1, np.intp)
        if not len(self.items):
            return np.zeros((1, 0))
        table = self._membership(self._repeats[0].targets, has_classes=has_classes)
        counts = np.stack([table[rows].sum(axis=0) for _, rows in sorted(self._rows[0].items())], axis=1)
        self._occurring = np.flatnonzero(counts.any(axis=1))
        return np.asarray(counts[self._occurring], np.float64)

    def _membership(self, targets: NDArray[Any], *, has_classes: bool) -> NDArray[np.bool_]:
        """Return whether an example belongs to each class of the score: bool (n_examples, n_classes)."""
        if not has_classes or self._metric.is_mean:
            return all_examples(targets)
        if self._metric.rests_on:
            return self._metric.rests_on(targets)
        return targets > THRESHOLD if targets.ndim > 1 else targets[:, np.newaxis] == np.arange(targets.max() + 1)

    def _name_class(self, row: int, class_names: Sequence[str]) -> str:
        targets, place = self._repeats[0].targets, int(self._occurring[row])
        if targets.ndim > 1:  # labels, and then perhaps examples without each
            n_labels = targets.shape[1]
            return f"{'no ' * (place >= n_labels)}label '{class_names[place % n_labels]}'" if class_names else "a label"
        numbers = np.unique(targets[self._membership(targets, has_classes=True)[:, place]]).tolist()
        is_one = class_names and len(numbers) == 1
        return f"class '{class_names[numbers[0]]}'" if is_one else "a class"

    def _figures(self, places: NDArray[np.intp] | slice = slice(None)) -> NDArray[np.float64]:
        """Return the score of some items for each repeat: float64 (n_repeats,); NaN for no items."""
        items = self.items[places]
        if not len(items):
            return np.full(len(self._repeats), np.nan)
        if self._values is not None:
            return np.asarray(self._values[places].mean(axis=0))
        key = items.tobytes()
        if key not in self._known:
            self._known[key] = self._repeat_values(items.tolist())
        return self._known[key]

    def _repeat_values(self, items: Sequence[int]) -> NDArray[np.float64]:
        scores = []
        for examples, rows in zip(self._repeats, self._rows, strict=True):
            chosen = np.concatenate([rows[item] for item in items])
            predictions = examples.levelled if self._metric.ranks else examples.predictions
            scores.append(self._metric.function(examples.targets[chosen], predictions[chosen]))
        return np.array(scores, np.float64)
