"""Extrapolate the learning curve over the number of training items, from instances that differ only in train_fraction."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xval.answers.comparison.item_values import measure_items
from xval.answers.learning_curves import learning_curves
from xval.extras.sample_size.power_law import FEWEST_POINTS, Extrapolated, extrapolate
from xval.measures.metrics import find
from xval.measures.statistics.intervals import Bounds
from xval.results.instance import InstanceResults


class ItemCurve(NamedTuple):
    """A learning curve: a metric over the number of training items.

    Attributes:
        instances: The numbers of the instances, the one with the fewest training items first.
        sizes: The mean number of training items of each instance.
        values: float64 (n_items, n_runs, n_points), the metric of each tested item in each training run of each instance.
        share: The number of training items at train_fraction = 1, divided by the number of all items.
        bounds: The lowest and highest possible value of the metric; None if it has no bounds.
        is_rising: Whether a higher value of the metric is better.
    """

    instances: tuple[int, ...]
    sizes: tuple[float, ...]
    values: NDArray[np.float64]
    share: float
    bounds: Bounds | None
    is_rising: bool

    def at(self, sizes: Sequence[float] | NDArray[np.float64], n_points: int | None = None) -> Extrapolated:
        """Return the metric at other numbers of training items.

        Args:
            sizes: Numbers of training items.
            n_points: Fit the curve to only this many points, the smallest first; None: to all.
        """
        return extrapolate(
            self.sizes[:n_points], self.values[..., :n_points], sizes, bounds=self.bounds, is_rising=self.is_rising
        )

    @property
    def n_smaller(self) -> int:
        """The number of points with at most half as many training items as the last; 0 if these are too few for a curve."""
        smaller = [size for size in self.sizes if size <= self.sizes[-1] / 2]
        return len(smaller) if len(set(smaller)) >= FEWEST_POINTS else 0


def find_curve(instances: Sequence[InstanceResults], metric: str, number: int | None) -> ItemCurve | None:
    """Return the learning curve of a metric over the number of training items.

    Args:
        instances: The finished instances of an experiment.
        metric: The name of a test metric.
        number: The number of an instance; of several curves the one with this instance is returned, or else the longest.

    Returns:
        None if fewer than three instances differ only in train_fraction and tested the same items in the same runs.
    """
    by_number = {instance.number: instance for instance in instances}
    curves = []
    for points in learning_curves(instances):
        measured = {
            point: measure_items(by_number[point.instance], metric, by_number[point.instance].folds) for point in points
        }
        by_training = {point: scores.by_training() for point, scores in measured.items() if scores and not scores.too_few}
        if not by_training:
            continue
        largest = list(by_training.values())[-1]
        alike = {
            point: scores
            for point, scores in by_training.items()
            if (scores.items, scores.runs) == (largest.items, largest.runs)
        }
        if len({point.across for point in alike}) < FEWEST_POINTS:
            continue
        last = max(alike, key=lambda point: point.setting)
        described = find(by_number[last.instance].task.name, metric)
        curves.append(
            ItemCurve(
                tuple(point.instance for point in alike),
                tuple(point.across for point in alike),
                np.stack([scores.values for scores in alike.values()], axis=-1),
                last.across / last.setting / len(largest.items),
                described.bounds,
                described.higher_is_better,
            )
        )
    return max(curves, key=lambda curve: (number in curve.instances, len(curve.sizes)), default=None)
