"""What more training items would bring, from instances that differ in train_fraction alone.

Comes in: the instances of a pilot. Goes out: an `ItemCurve`, its values at other numbers of items, and how far those of its
smaller half were off.
"""

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
    """A metric over the number of training items.

    Attributes:
        instances: Numbers of its instances, the smallest share of the items first.
        sizes: Mean number of training items of each.
        values: float64 (n_items, n_runs, n_points), of each tested item.
        share: Training items of a whole training side over all items.
        is_rising: Whether more of the metric is better.
    """

    instances: tuple[int, ...]
    sizes: tuple[float, ...]
    values: NDArray[np.float64]
    share: float
    bounds: Bounds | None
    is_rising: bool

    def at(self, sizes: Sequence[float] | NDArray[np.float64], n_points: int | None = None) -> Extrapolated:
        """Return the values at numbers of training items, from the first points alone if their number is given."""
        return extrapolate(
            self.sizes[:n_points], self.values[..., :n_points], sizes, bounds=self.bounds, is_rising=self.is_rising
        )

    @property
    def n_smaller(self) -> int:
        """How many points have at most half as many training items as the last; 0: too few for a curve."""
        smaller = [size for size in self.sizes if size <= self.sizes[-1] / 2]
        return len(smaller) if len(set(smaller)) >= FEWEST_POINTS else 0


def find_curve(instances: Sequence[InstanceResults], metric: str, number: int | None) -> ItemCurve | None:
    """Return the learning curve of a metric; None: there are fewer than three points, of the same items and trainings.

    Of several it is that with the instance of a number, or else that with most points.
    """
    by_number = {instance.number: instance for instance in instances}
    curves = []
    for points in learning_curves(instances):
        measured = {
            point: measure_items(by_number[point.instance], metric, by_number[point.instance].folds) for point in points
        }
        known = {point: of_point.by_training() for point, of_point in measured.items() if of_point and not of_point.too_few}
        if not known:
            continue
        largest = list(known.values())[-1]
        alike = {point: one for point, one in known.items() if (one.items, one.runs) == (largest.items, largest.runs)}
        if len({point.across for point in alike}) < FEWEST_POINTS:
            continue
        last = max(alike, key=lambda point: point.setting)
        described = find(by_number[last.instance].task.name, metric)
        curves.append(
            ItemCurve(
                tuple(point.instance for point in alike),
                tuple(point.across for point in alike),
                np.stack([one.values for one in alike.values()], axis=-1),
                last.across / last.setting / len(largest.items),
                described.bounds,
                described.higher_is_better,
            )
        )
    return max(curves, key=lambda curve: (number in curve.instances, len(curve.sizes)), default=None)
