"""The gap between two groups of clips, within the classes that both have.

Comes in: what was tested, and the group of each example. Goes out: a `Gap`.

Groups may have different mixes of classes, and some classes are harder. So a gap is between the same classes: the mean over
those that both groups have of the metric within each, which is direct standardisation with equal weights (Keiding and
Clayton, Statistical Science 29, 2014). Where a metric has no value within one class, such as F1 or AUC, both groups are cut
down to these classes.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import combinations
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xval.answers.metric_over_items import MetricOverItems
from xval.base.errors import counted
from xval.measures.metrics import Metric, MetricFunction
from xval.measures.statistics.differences import cut_difference, independent_difference
from xval.measures.statistics.intervals import FEWEST_ITEMS, Interval, figure_interval
from xval.results.tested_examples import TestedExamples

_LEVEL = 0.05

FindInterval = Callable[[float], Interval | None]
"""From a confidence to the interval of a gap; None: it cannot be estimated."""


class Gap(NamedTuple):
    """The largest difference between two groups that have 3 items or more, within the classes that both have.

    Attributes:
        higher: The group with the higher figure.
        lower: The group with the lower one.
        figures: Of both, within these classes.
        value: The first of them minus the second.
        interval: Over items, at the level at which Holm's procedure decides on this gap: it excludes 0 where the gap is shown.
        n_pairs: Number of pairs of groups of the column.
        is_within_items: Whether some items have clips in both, so that their differences within items count.
        within: The classes that it is of, in words; empty: examples have no classes.
        n_columns: Columns whose gaps are tested together.
    """

    higher: str
    lower: str
    figures: tuple[float, float]
    value: float
    interval: Interval | None
    n_pairs: int
    is_within_items: bool
    within: str = ""
    n_columns: int = 1

    @property
    def is_shown(self) -> bool:
        """Whether the interval excludes 0."""
        return self.interval is not None and not self.interval.low <= 0 <= self.interval.high


def is_of_classes(metric: Metric) -> bool:
    """Return whether a metric has a value within a class: a mean of examples, or of the recalls of classes."""
    return metric.is_mean or metric.credit is not None


class Standardised:
    """The metric of groups over the same classes.

    Args:
        repeats: All that were tested, in each repeat of each deal.
        groups: The group of each example, in each repeat.
        all_classes: The metric of each group over all of its classes.
        has_classes: Whether each example has one class; else the metric over all is taken.
    """

    def __init__(
        self,
        metric: Metric,
        repeats: Sequence[TestedExamples],
        groups: Sequence[NDArray[np.object_]],
        all_classes: Mapping[str, MetricOverItems],
        *,
        has_classes: bool,
    ) -> None:
        self.metric = metric
        self._repeats, self._groups, self._all_classes = repeats, groups, all_classes
        self._known: dict[tuple[str, tuple[int, ...], bool | None], MetricOverItems] = {}
        self._classes: dict[str, set[int]] | None = None
        if has_classes:
            table = pd.DataFrame({"group": groups[0], "target": repeats[0].targets, "item": repeats[0].items})
            n_items = table.groupby(["group", "target"])["item"].nunique()
            kept = n_items.index[n_items >= FEWEST_ITEMS]
            self._classes = {group: {int(target) for own, target in kept if own == group} for group in all_classes}

    def pair(self, first: str, second: str) -> tuple[MetricOverItems, MetricOverItems, int] | None:
        """Return the metric of two groups over the classes that both have, and how many these are; None: there are none."""
        if self._classes is None:
            return self._all_classes[first], self._all_classes[second], 0
        shared = tuple(sorted(self._classes[first] & self._classes[second]))
        if not shared:
            return None
        both = self._over(first, shared), self._over(second, shared)
        if not all(math.isfinite(over_items.figure()) for over_items in both):  # not every item has every class
            both = self._over(first, shared, is_mean=False), self._over(second, shared, is_mean=False)
        return *both, len(shared)

    def _over(self, group: str, classes: tuple[int, ...], *, is_mean: bool | None = None) -> MetricOverItems:
        if (group, classes, is_mean) not in self._known:
            metric = self.metric
            if is_of_classes(metric):
                metric = metric._replace(function=partial(_mean_of_classes, metric.function, classes))
            keep = [
                (own == group) & np.isin(examples.targets, classes)
                for examples, own in zip(self._repeats, self._groups, strict=True)
            ]
            self._known[group, classes, is_mean] = MetricOverItems(
                metric, self._repeats, keep, is_mean=is_mean, has_classes=True
            )
        return self._known[group, classes, is_mean]


def _mean_of_classes(
    function: MetricFunction, classes: Sequence[int], targets: NDArray[np.intp], predictions: NDArray[np.float32]
) -> float:
    """Return the mean over classes of a metric within each; NaN where one is missing."""
    of_classes = [targets == number for number in classes]
    if not all(own.any() for own in of_classes):
        return math.nan
    return math.fsum(function(targets[own], predictions[own]) for own in of_classes) / len(classes)


def find_gap(groups: Sequence[str], standardised: Standardised) -> tuple[Gap, FindInterval] | None:
    """Return the largest difference between some groups, and what finds its interval; None: no two can be compared."""
    gaps = []
    for high, low in combinations(groups, 2):
        if (over_items := standardised.pair(high, low)) is None:
            continue
        first, second, n_classes = over_items
        value = first.figure() - second.figure()
        if math.isfinite(value) and min(len(first.items), len(second.items)) >= FEWEST_ITEMS:  # that have these classes
            gaps.append((abs(value), value, (high, low), (first, second), n_classes))
    if not gaps:
        return None
    size, value, (high, low), (first, second), n_classes = max(gaps, key=itemgetter(0))
    if value < 0:
        high, low, first, second = low, high, second, first
    is_within = bool(np.isin(first.items, second.items).any())
    within = f"{'mean over' * is_of_classes(standardised.metric) or 'over'} the {counted(n_classes, 'class')} that both have"
    figures = first.figure(), second.figure()
    gap = Gap(high, low, figures, size, None, len(gaps), is_within, within if n_classes else "")
    return gap, partial(_find_interval, first, second, standardised.metric, is_within=is_within)


def _find_interval(
    first: MetricOverItems, second: MetricOverItems, metric: Metric, confidence: float, *, is_within: bool
) -> Interval | None:
    """Return the interval of the difference between two groups."""
    if first.is_too_large or second.is_too_large:
        return None
    runs = np.subtract(first.run_figures(), second.run_figures())
    if is_within:
        everyone = np.union1d(first.items, second.items)

        def difference(drawn: NDArray[np.intp]) -> float:
            return math.fsum(
                sign * group.figure(np.flatnonzero(np.isin(group.items, everyone[drawn])))
                for sign, group in ((1, first), (-1, second))
            )

        weights = None
        if first.weights is not None and second.weights is not None:
            weights = np.concatenate([_among(everyone, first), _among(everyone, second)])
        interval = figure_interval(len(everyone), difference, bounds=None, confidence=confidence, runs=runs, weights=weights)
    else:
        interval = independent_difference(
            *(len(first.items), first.figure, len(second.items), second.figure),
            confidence=confidence,
            runs=runs,
            weights=(first.weights, second.weights),
        )
    if interval is not None:
        ends = cut_difference(interval.low, interval.high, metric.bounds)
        interval = interval._replace(low=ends[0], high=ends[1])
    return interval


def _among(everyone: NDArray[np.intp], group: MetricOverItems) -> NDArray[np.float64]:
    """Return the weights of the items of a group among all, 0 for those that it has not."""
    weights = np.zeros((len(group.weights), len(everyone)))  # type: ignore[arg-type]
    weights[:, np.isin(everyone, group.items)] = group.weights
    return weights


def with_intervals(found: Sequence[tuple[Gap, FindInterval] | None]) -> list[Gap | None]:
    """Return the gaps of several columns with intervals by the procedure of Holm.

    With n gaps that are not decided on, those are shown whose interval at the level 0.05 / n, shared among the pairs of their
    groups, excludes 0. The rest is tested again as if there were no others, until none of them is shown.
    """
    gaps = [of_column and of_column[0] for of_column in found]
    n_columns, waiting = sum(gap is not None for gap in gaps), [place for place, gap in enumerate(gaps) if gap]
    while waiting:
        n_waiting, left = len(waiting), []
        for place in waiting:
            gap, find_interval = found[place]  # type: ignore[misc]
            interval = find_interval(1 - _LEVEL / (n_waiting * gap.n_pairs))
            gaps[place] = tested = gap._replace(interval=interval, n_columns=n_columns)
            if not tested.is_shown:
                left.append(place)
        if len(left) == n_waiting:
            break
        waiting = left
    return gaps
