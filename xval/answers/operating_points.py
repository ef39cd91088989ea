"""How well the probability of one class detects its clips: curves over all thresholds, and points with intervals.

The page draws them.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from xval.answers.instance_predictions import InstancePredictions
from xval.answers.metric_over_items import MetricOverItems
from xval.measures import binary
from xval.measures.arrays import area_under_roc, equal_error_rate
from xval.measures.confusion import Predictions, Targets
from xval.measures.metrics import Metric
from xval.measures.operating_points import FIXED, Curves, find_curves, point_at
from xval.measures.statistics.intervals import Interval
from xval.results.tested_examples import TestedExamples


class Value(NamedTuple):
    """A score of all tested clips, averaged over trainings, with its 95 % interval over items; None: no interval."""

    value: float
    interval: Interval | None


class PointRow(NamedTuple):
    """An operating point.

    Attributes:
        name: The fixed value, such as ``specificity 0.90``.
        threshold: Threshold of the probability of the positive class, averaged over trainings; None: the most probable class
            wins.
        sensitivity: The sensitivity, without an interval if it is the fixed value.
        specificity: The specificity, without an interval if it is the fixed value.
    """

    name: str
    threshold: float | None
    sensitivity: Value
    specificity: Value


class OperatingPoints(NamedTuple):
    """Curves and operating points of one class against the others.

    Attributes:
        positive: The class to detect.
        is_named: Whether the setting positive_class names it; otherwise it is the last of two classes.
        curves: The curves of each training.
        points: The operating points of all trainings together.
        auc: Area under the ROC curve.
        eer: Equal error rate.
    """

    positive: str
    is_named: bool
    curves: tuple[Curves, ...]
    points: tuple[PointRow, ...]
    auc: Value
    eer: Value


def operating_points(
    tested: InstancePredictions, class_names: Sequence[str], positive_class: str | None
) -> OperatingPoints | None:
    """Return curves and points; None: more than two classes and none is named, or one side has no clips.

    Without a name the last class is positive, as in scikit-learn; ROC and DET of the other class are mirror images.
    """
    positive = binary.number_of(positive_class, class_names)
    if not tested.task.has_positive_class or (positive is None and len(class_names) != 2):
        return None
    number = len(class_names) - 1 if positive is None else positive
    curves = [find_curves(examples.targets == number, examples.predictions[:, number]) for examples in tested.repeats]
    if not all(curves):
        return None
    table_scores = {name: _measure(binary.find(name, number), tested.repeats) for name in ("sensitivity", "specificity")}
    rows = [PointRow("most probable class", None, **table_scores)]
    for name, (fixed, least) in FIXED.items():
        points = [point_at(name, examples.targets == number, examples.predictions[:, number]) for examples in tested.repeats]
        defined = [point for point in points if point]
        threshold = float(np.mean([min(point.threshold, 1.0) for point in defined]))
        held = Value(float(np.mean([getattr(point, fixed) for point in defined])), None)
        free = _measure(binary.find(name, number), tested.repeats)
        sides = (
            {"sensitivity": free, "specificity": held} if fixed == "specificity" else {"sensitivity": held, "specificity": free}
        )
        rows.append(PointRow(f"{fixed} {least:.2f}", threshold, **sides))
    auc, eer = (
        _measure(Metric(partial(of, number), higher, bounds=(0, 1), rests_on=binary.rests_on(number)), tested.repeats)
        for of, higher in _OF_CURVE
    )
    return OperatingPoints(class_names[number], positive is not None, tuple(filter(None, curves)), tuple(rows), auc, eer)


def _measure(metric: Metric, repeats: Sequence[TestedExamples]) -> Value:
    over_items = MetricOverItems(metric, repeats, is_mean=False, has_classes=True)
    return Value(over_items.score(), over_items.interval())


def _auc(number: int, targets: Targets, predictions: Predictions) -> float:
    return area_under_roc(predictions[:, number], targets == number)


def _eer(number: int, targets: Targets, predictions: Predictions) -> float:
    is_positive = targets == number
    return equal_error_rate(is_positive, predictions[:, number]) if 0 < is_positive.sum() < len(targets) else math.nan


_OF_CURVE = ((_auc, True), (_eer, False))
