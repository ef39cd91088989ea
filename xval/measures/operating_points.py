"""ROC, precision-recall and DET curves of one class against the others, and sensitivity at a fixed specificity.

Scores are larger for positive examples.

A point is read of the scores of all examples at once: the threshold is that of these examples, as always where a sensitivity at
a fixed specificity is reported, and not one that was set before. Sources: Fawcett, Pattern Recognition Letters 27, 2006 (ROC);
Martin et al., Eurospeech 1997 (DET).
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
"""What is held fixed, and where, by the name of the metric: ``sensitivity_at_specificity_90`` and its like."""


class Point(NamedTuple):
    """An operating point: an example is taken for positive where its score reaches the threshold."""

    threshold: float
    sensitivity: float
    specificity: float


class Curves(NamedTuple):
    """Curves over all thresholds, each float64 (2, n_points): what is across, and up.

    Attributes:
        roc: False positive rate (1 - specificity) and sensitivity.
        precision_recall: Recall (sensitivity) and precision.
        det: False positive rate and false negative rate (1 - sensitivity).
    """

    roc: NDArray[np.float64]
    precision_recall: NDArray[np.float64]
    det: NDArray[np.float64]


def point_at(name: str, is_positive: NDArray[np.bool_], scores: NDArray[np.floating]) -> Point | None:
    """Return the operating point of one of `FIXED`: the best where at least so much is kept of what is held fixed.

    Args:
        name: Of the metric.
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
