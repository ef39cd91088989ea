"""Group instances that differ only in train_fraction, or only in enrolment_s, into curves over training items or seconds."""

from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

from xval.results.instance import InstanceResults
from xval.results.read import fitted_sides
from xval.settings.parameters import hash_parameters


class CurvePoint(NamedTuple):
    """An instance of a curve.

    Attributes:
        setting: The value of the setting that differs.
        across: The x value: training items, mean over the finished folds; or the setting, in seconds.
    """

    instance: int
    setting: float
    across: float


def learning_curves(instances: Sequence[InstanceResults], name: str = "train_fraction") -> list[tuple[CurvePoint, ...]]:
    """Return the curves among some instances: two or more instances that differ in one setting only, the smallest first.

    The setting is train_fraction or enrolment_s; an instance without enrolment is on no curve over seconds.
    """
    curves: dict[str, dict[float, CurvePoint]] = {}
    for instance in instances:
        value = getattr(instance.settings, name)
        if instance.folds and value is not None:
            others = {other: given for other, given in instance.parameters.items() if other != name}
            fitted = ([record["items"][side] for side in fitted_sides(record)] for record in instance.folds.values())
            n_items = fmean(sum(map(len, fold_items)) for fold_items in fitted)
            point = CurvePoint(instance.number, value, n_items if name == "train_fraction" else value)
            curves.setdefault(hash_parameters(others), {}).setdefault(value, point)
    return [tuple(by_value[value] for value in sorted(by_value)) for by_value in curves.values() if len(by_value) > 1]
