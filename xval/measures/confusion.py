"""Counts of each pair of true and predicted class, and the figures of a class that follow from them.

Comes in: targets, int64 (n,), class numbers; predictions, float32 (n, n_classes), probabilities. Goes out: counts, and
figures of each class.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

Targets = NDArray[np.int64]
Predictions = NDArray[np.float32]


class ClassMetrics(TypedDict):
    """The figures of one class on clips; NaN where there is nothing to divide by."""

    precision: float
    recall: float
    f1: float
    n_clips: int


class PerClass(NamedTuple):
    """float64 (n_classes,) each; NaN where there is nothing to divide by."""

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]


def per_class(targets: Targets, predictions: Predictions) -> PerClass:
    """Return precision, recall and F1 score of each class."""
    counts = _count(targets, predictions)
    n_correct, n_true, n_predicted = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    with np.errstate(invalid="ignore"):  # 0/0 is NaN; a numerator above 0 has a denominator above 0
        return PerClass(precision=n_correct / n_predicted, recall=n_correct / n_true, f1=2 * n_correct / (n_true + n_predicted))


def _count(targets: Targets, predictions: Predictions) -> NDArray[np.int64]:
    """Return int64 (n_classes, n_classes): rows true, columns predicted."""
    n_classes = predictions.shape[1]
    pairs = targets * n_classes + np.argmax(predictions, axis=1)
    return np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)


def confusion_matrix(targets: Targets, predictions: Predictions) -> list[list[int]]:
    """Return the number of examples of each pair of classes: a row per true class, a column per predicted one."""
    counts: list[list[int]] = _count(targets, predictions).tolist()
    return counts


def class_metrics(targets: Targets, predictions: Predictions, class_names: Sequence[str]) -> dict[str, ClassMetrics]:
    """Return precision, recall, F1 score and number of clips by class name.

    Precision is NaN for a class that is never predicted, recall for one that is never true, F1 for one that is neither.
    """
    figures = per_class(targets, predictions)
    n_clips = np.bincount(targets, minlength=len(class_names))
    return {
        name: ClassMetrics(
            precision=float(figures.precision[number]),
            recall=float(figures.recall[number]),
            f1=float(figures.f1[number]),
            n_clips=int(n_clips[number]),
        )
        for number, name in enumerate(class_names)
    }
