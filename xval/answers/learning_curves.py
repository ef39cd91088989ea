"""Instances that differ in train_fraction alone: the points of a learning curve over items.

Comes in: instances. Goes out: the instances of each curve, with how many items trained them.
"""

from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

from xval.results.instance import InstanceResults
from xval.settings.parameters import hash_parameters


class CurvePoint(NamedTuple):
    """An instance of a learning curve.

    Attributes:
        fraction: Its train_fraction, in (0, 1].
        n_items: Training items, mean over the finished folds.
    """

    instance: int
    fraction: float
    n_items: float


def learning_curves(instances: Sequence[InstanceResults]) -> list[tuple[CurvePoint, ...]]:
    """Return the learning curves among some instances: two or more that differ in train_fraction alone, the smallest first."""
    curves: dict[str, dict[float, CurvePoint]] = {}
    for instance in instances:
        if records := instance.folds.values():
            others = {name: value for name, value in instance.parameters.items() if name != "train_fraction"}
            fraction = float(str(instance.parameters.get("train_fraction", 1.0)))
            n_items = fmean(len(record["items"]["training"]) for record in records)
            point = CurvePoint(instance.number, fraction, n_items)
            curves.setdefault(hash_parameters(others), {}).setdefault(fraction, point)
    return [
        tuple(by_fraction[fraction] for fraction in sorted(by_fraction))
        for by_fraction in curves.values()
        if len(by_fraction) > 1
    ]
