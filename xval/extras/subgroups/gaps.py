"""The largest gap in a metric between two groups of clips, computed within the classes that both groups have.

Groups may have different mixes of classes, and some classes are harder. Therefore a gap compares the same classes: the metric
is computed within each class that both groups have, and averaged over these classes. This is direct standardisation with equal
weights (Keiding and Clayton, Statistical Science 29, 2014). If a metric is undefined within one class, as F1 and AUC are, it is
computed once over all clips of these classes.
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
from xval.base.errors import counted, verb_of
from xval.measures.metrics import Metric, MetricFunction
from xval.measures.statistics.differences import cut_difference, independent_difference
from xval.measures.statistics.intervals import FEWEST_ITEMS, Interval, score_interval
from xval.results.tested_examples import TestedExamples

_LEVEL = 0.05

FindInterval = Callable[[float], Interval | None]
"""A function that returns the interval of a gap at a confidence (0 to 1), or None if it cannot be estimated."""


class Gap(NamedTuple):
    """The largest difference in a metric between two groups with 3 items or more, within the classes that both groups have.

    Attributes:
        higher: The name of the group with the higher score.
        lower: The name of the group with the lower score.
        scores: The scores of the higher and the lower group within these classes.
        value: The higher score minus the lower score, in the unit of the metric.
        interval: The interval of the value over items, at the level at which Holm's procedure tests this gap; None if it
            cannot be estimated.
        n_pairs: The number of pairs of groups of the column.
        is_within_items: Whether some items have clips in both groups, so that the interval is paired within items.
        within: The classes that the gap is computed from, in words; empty if examples have no classes.
        n_columns: The number of columns whose gaps are tested together.
    """

    higher: str
    lower: str
    scores: tuple[float, float]
    value: float
    interval: Interval | None
    n_pairs: int
    is_within_items: bool
    within: str = ""
    n_columns: int = 1

    @property
    def is_shown(self) -> bool:
        """Whether the gap is significant, that is, whether its interval excludes 0."""
        return self.interval is not None and not self.interval.low <= 0 <= self.interval.high


def is_classwise(metric: Metric) -> bool:
    """Return whether a metric is defined within one class, as a mean over examples or over the recalls of classes is."""
    return metric.is_mean or metric.credit is not None


class StandardisedMetric:
    """A metric of groups of examples, computed over the classes that two groups share.

    Args:
        metric: The metric.
        repeats: The tested examples of each repeat and seed.
        groups: For each of these, the name of the group of each example, object (n_examples,).
        all_classes: The metric of each group over all of its classes, by the name of the group.
        has_classes: Whether each example has one class; if not, pairs are compared by `all_classes`.
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
        self._cached: dict[tuple[str, tuple[int, ...], bool | None], MetricOverItems] = {}
        self._classes: dict[str, set[int]] | None = None
        if has_classes:
            table = pd.DataFrame({"group": groups[0], "target": repeats[0].targets, "item": repeats[0].items})
            n_items = table.groupby(["group", "target"])["item"].nunique()
            large_enough = n_items.index[n_items >= FEWEST_ITEMS]
            self._classes = {group: {int(target) for name, target in large_enough if name == group} for group in all_classes}

    def pair(self, first: str, second: str) -> tuple[MetricOverItems, MetricOverItems, int] | None:
        """Return the metric of two groups over the classes that both have, and the number of these; None if there are none."""
        if self._classes is None:
            return self._all_classes[first], self._all_classes[second], 0
        shared = tuple(sorted(self._classes[first] & self._classes[second]))
        if not shared:
            return None
        both = self._over(first, shared), self._over(second, shared)
        if not all(math.isfinite(over_items.score()) for over_items in both):  # not every item has every class
            both = self._over(first, shared, is_mean=False), self._over(second, shared, is_mean=False)
        return *both, len(shared)

    def _over(self, group: str, classes: tuple[int, ...], *, is_mean: bool | None = None) -> MetricOverItems:
        """Return the metric of a group over some classes; `is_mean` as in `MetricOverItems`."""
        if (group, classes, is_mean) not in self._cached:
            metric = self.metric
            if is_classwise(metric):
                metric = metric._replace(function=partial(_mean_of_classes, metric.function, classes))
            keep = [
                (names == group) & np.isin(examples.targets, classes)
                for examples, names in zip(self._repeats, self._groups, strict=True)
            ]
            self._cached[group, classes, is_mean] = MetricOverItems(
                metric, self._repeats, keep, is_mean=is_mean, has_classes=True
            )
        return self._cached[group, classes, is_mean]


def _mean_of_classes(
    function: MetricFunction, classes: Sequence[int], targets: NDArray[np.intp], predictions: NDArray[np.float32]
) -> float:
    """Return the metric within each class, averaged over classes; NaN if a class has no examples."""
    class_masks = [targets == number for number in classes]
    if not all(mask.any() for mask in class_masks):
        return math.nan
    return math.fsum(function(targets[mask], predictions[mask]) for mask in class_masks) / len(classes)


def find_gap(groups: Sequence[str], standardised: StandardisedMetric, items: str) -> tuple[Gap, FindInterval] | None:
    """Return the largest gap between groups, without an interval, and the function that computes it; None if there is no gap.

    Only pairs that share a class, with at least 3 items in each group, are compared. `items` is the word for several items.
    """
    gaps = []
    for high, low in combinations(groups, 2):
        if (over_items := standardised.pair(high, low)) is None:
            continue
        first, second, n_classes = over_items
        value = first.score() - second.score()
        if math.isfinite(value) and min(len(first.items), len(second.items)) >= FEWEST_ITEMS:  # that have these classes
            gaps.append((abs(value), value, (high, low), (first, second), n_classes))
    if not gaps:
        return None
    size, value, (high, low), (first, second), n_classes = max(gaps, key=itemgetter(0))
    if value < 0:
        high, low, first, second = low, high, second, first
    is_within = bool(np.isin(first.items, second.items).any())
    within = (
        f"{'mean over' * is_classwise(standardised.metric) or 'over'} the {counted(n_classes, 'class')} that "
        f"{verb_of(n_classes, 'have')} at least {FEWEST_ITEMS} {items} in both"
    )
    scores = first.score(), second.score()
    gap = Gap(high, low, scores, size, None, len(gaps), is_within, within if n_classes else "")
    return gap, partial(_find_interval, first, second, standardised.metric, is_within=is_within)


def _find_interval(
    first: MetricOverItems, second: MetricOverItems, metric: Metric, confidence: float, *, is_within: bool
) -> Interval | None:
    """Return the interval of the difference between two groups over items; None if it cannot be estimated in minutes."""
    if first.is_too_large or second.is_too_large:
        return None
    runs = np.subtract(first.run_scores(), second.run_scores())
    if is_within:
        all_items = np.union1d(first.items, second.items)

        def difference(drawn: NDArray[np.intp]) -> float:
            return math.fsum(
                sign * group.score(np.flatnonzero(np.isin(group.items, all_items[drawn])))
                for sign, group in ((1, first), (-1, second))
            )

        weights = None
        if first.weights is not None and second.weights is not None:
            weights = np.concatenate([_spread_weights(all_items, first), _spread_weights(all_items, second)])
        interval = score_interval(len(all_items), difference, bounds=None, confidence=confidence, runs=runs, weights=weights)
    else:
        interval = independent_difference(
            *(len(first.items), first.score, len(second.items), second.score),
            confidence=confidence,
            runs=runs,
            weights=(first.weights, second.weights),
        )
    if interval is not None:
        ends = cut_difference(interval.low, interval.high, metric.bounds)
        interval = interval._replace(low=ends[0], high=ends[1])
    return interval


def _spread_weights(all_items: NDArray[np.intp], group: MetricOverItems) -> NDArray[np.float64]:
    """Return the weights of a group's items in an array over all items, float64 (n_classes, n_items), 0 for other items."""
    weights = np.zeros((len(group.weights), len(all_items)))  # type: ignore[arg-type]
    weights[:, np.isin(all_items, group.items)] = group.weights
    return weights


def with_intervals(largest_gaps: Sequence[tuple[Gap, FindInterval] | None]) -> list[Gap | None]:
    """Return the gaps of several columns with intervals adjusted by the procedure of Holm.

    Each round tests the n gaps that are not yet significant, at the level 0.05 / n, divided by the number of pairs of groups of
    the column (Bonferroni). A gap is significant if its interval excludes 0. Rounds end when no further gap is significant.
    """
    gaps = [column_gap and column_gap[0] for column_gap in largest_gaps]
    n_columns, waiting = sum(gap is not None for gap in gaps), [place for place, gap in enumerate(gaps) if gap]
    while waiting:
        n_waiting, left = len(waiting), []
        for place in waiting:
            gap, find_interval = largest_gaps[place]  # type: ignore[misc]
            interval = find_interval(1 - _LEVEL / (n_waiting * gap.n_pairs))
            gaps[place] = tested = gap._replace(interval=interval, n_columns=n_columns)
            if not tested.is_shown:
                left.append(place)
        if len(left) == n_waiting:
            break
        waiting = left
    return gaps
