"""ROC, precision-recall and DET curves of one class against the others, and sensitivity at a fixed specificity.

Scores are larger for positive examples.

The threshold of a point is chosen on the same examples that are scored, as usual for a sensitivity at a fixed specificity; it
is not set in advance. Sources: Fawcett, Pattern Recognition Letters 27, 2006 (ROC); Martin et al., Eurospeech 1997 (DET).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_ROUNDING = 1e-9
FIXED = {
    f"{read}_at_{fixed}_{percent}": (fixed, percent / 100)
    for read, fixed in (("sensitivity", "specificity"), ("specificity", "sensitivity"))
    for percent in (90, 95)
}
"""The fixed rate and its value, by the name of the metric, such as ``sensitivity_at_specificity_90``."""


class Point(NamedTuple):
    """An operating point: an example is predicted positive if its score reaches the threshold."""

    threshold: float
    sensitivity: float
    specificity: float


class Curves(NamedTuple):
    """Curves over all thresholds, each float64 (2, n_points): x and y values.

    Attributes:
        roc: False positive rate (1 - specificity) and sensitivity.
        precision_recall: Recall (sensitivity) and precision.
        det: False positive rate and false negative rate (1 - sensitivity).
    """

    roc: NDArray[np.float64]
    precision_recall: NDArray[np.float64]
    det: NDArray[np.float64]


def point_at(name: str, is_positive: NDArray[np.bool_], scores: NDArray[np.floating]) -> Point | None:
    """Return the operating point of one of `FIXED`: the best one whose fixed rate is at least the required value.

    Args:
        name: Name of the metric.
        is_positive: bool (n,).
        scores: float (n,).

    Returns:
        None: all examples are positive, or none is.
    """
    from sklearn.metrics import roc_curve  # here, because it takes a while and few ask for it

    if not 0 < np.count_nonzero(is_positive) < len(is_positive):
        return None
    false_alarms, found, thresholds = roc_curve(is_positive, scores, drop_intermediate=False)
    fixed, least = FIXED[name]
    rejected = 1 - false_alarms
    held, free = (rejected, found) if fixed == "specificity" else (found, rejected)
    place = int(np.where(held >= least - _ROUNDING, free, -1).argmax())
    return Point(float(thresholds[place]), float(found[place]), float(rejected[place]))


def find_curves(is_positive: NDArray[np.bool_], scores: NDArray[np.floating]) -> Curves | None:
    """Return the curves; None: all examples are positive, or none is."""
    from sklearn.metrics import det_curve, precision_recall_curve, roc_curve

    if not 0 < np.count_nonzero(is_positive) < len(is_positive):
        return None
    false_alarms, found, _ = roc_curve(is_positive, scores)
    precision, recall, _ = precision_recall_curve(is_positive, scores, drop_intermediate=True)
    accepted, missed, _ = det_curve(is_positive, scores)
    return Curves(*(np.array(pair, np.float64) for pair in ((false_alarms, found), (recall, precision), (accepted, missed))))
