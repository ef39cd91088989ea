"""A metric of test examples over their items: the figure of all, of any of them, and its interval.

Comes in: the examples of each repeat. Goes out: numbers. Pooled figures, groups and gaps, which draw items or leave them out,
ask here.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xval.answers.deals import group_runs
from xval.measures.metrics import Metric
from xval.measures.statistics.intervals import (
    FEWEST_ITEMS,
    MOST_LEFT_OUT,
    MOST_VALUES_OF_INTERVAL,
    Interval,
    figure_interval,
    left_out,
    mean_interval,
)
from xval.results.item_figures import LeftOut
from xval.results.tested_examples import TestedExamples


class MetricOverItems:
    """A metric of test examples, averaged over items or pooled over their examples; over repeats it is averaged.

    Args:
        repeats: All that were tested, in each repeat of each deal; they have the same items.
        keep: bool (n_examples,) of each repeat, which of its examples count; None: all.
        is_mean: Average it over items; None: where it is a mean of a value of each example.

    Attributes:
        items: intp (n_items,), the numbers of the items that have such examples.
        is_too_large: Whether an interval, for which each item is left out once, would take minutes.
    """

    def __init__(
        self,
        metric: Metric,
        repeats: Sequence[TestedExamples],
        keep: Sequence[NDArray[np.bool_]] | None = None,
        *,
        is_mean: bool | None = None,
    ) -> None:
        self._metric, self._repeats = metric, repeats
        kept_of = keep or [np.ones(len(examples.items), bool) for examples in repeats]
        self._rows = [
            {item: kept for item, rows in enumerate(examples.rows) if len(kept := rows[own[rows]])}
            for examples, own in zip(repeats, kept_of, strict=True)
        ]
        self.items = np.array(sorted(self._rows[0]), np.intp)
        n_values = sum(examples.predictions[0].size for examples in repeats) * sum(map(len, self._rows[0].values()))
        is_mean = metric.is_mean if is_mean is None else is_mean
        self.is_too_large = not is_mean and n_values * min(len(self.items), MOST_LEFT_OUT) > MOST_VALUES_OF_INTERVAL
        self._runs = group_runs([np.unique(examples.folds).tolist() for examples in repeats])
        self._known: dict[bytes, NDArray[np.float64]] = {}  # intervals and comparisons leave the same items out
        self._values = (
            np.array([self._of_repeats([item]) for item in self.items.tolist()]) if is_mean else None
        )  # (n_items, n_repeats)

    def figure(self, places: NDArray[np.intp] | slice = slice(None)) -> float:
        """Return the figure of some of the items, by their places in `items`, perhaps several times; NaN of none."""
        return float(np.mean(self._figures(places)))

    def run_figures(self) -> list[float]:
        """Return the figure of all items by each training run, as of `group_runs`."""
        figures = self._figures()
        return [float(figures[run].mean()) for run in self._runs]

    def left_out(self) -> LeftOut | None:
        """Return a pooled figure without each item; None: it is no pooled figure, would take minutes, or is undefined then."""
        if self._values is not None or self.is_too_large or len(self.items) < FEWEST_ITEMS:
            return None
        places = np.arange(len(self.items))
        figures = np.array([self._figures(places), *(self._figures(np.delete(places, own)) for own in left_out(len(places)))])
        return LeftOut(figures=figures[0].tolist(), without=figures[1:].tolist()) if np.isfinite(figures).all() else None

    def interval(self) -> Interval | None:
        """Return the 95 % interval; None: fewer than 3 items, undefined, or it would take minutes."""
        if self.is_too_large or (self._values is not None and not np.isfinite(self._values).all()):
            return None
        runs = self.run_figures() if len(self._runs) > 1 else []
        if self._values is not None:
            return mean_interval(self._values.mean(axis=1), bounds=self._metric.bounds, runs=runs)
        return figure_interval(len(self.items), self.figure, bounds=self._metric.bounds, runs=runs)

    def _figures(self, places: NDArray[np.intp] | slice = slice(None)) -> NDArray[np.float64]:
        """Return float64 (n_repeats,), the figure of some items by each repeat; NaN of none."""
        items = self.items[places]
        if not len(items):
            return np.full(len(self._repeats), np.nan)
        if self._values is not None:
            return np.asarray(self._values[places].mean(axis=0))
        key = items.tobytes()
        if key not in self._known:
            self._known[key] = self._of_repeats(items.tolist())
        return self._known[key]

    def _of_repeats(self, items: Sequence[int]) -> NDArray[np.float64]:
        figures = []
        for examples, rows in zip(self._repeats, self._rows, strict=True):
            chosen = np.concatenate([rows[item] for item in items])
            figures.append(self._metric.function(examples.targets[chosen], examples.predictions[chosen]))
        return np.array(figures, np.float64)
