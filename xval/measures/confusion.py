"""Count how often each class or label is true, predicted, and confused with another, and compute the scores that follow."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xval.measures.arrays import divide

Targets = NDArray[np.int64]
Predictions = NDArray[np.float32]

THRESHOLD = 0.5
"""The probability from which on a label is predicted."""


class ClassCounts(NamedTuple):
    """Counts of examples or frames of each class, int64 (n_classes,); the scores are float64 (n_classes,)."""

    n_true: NDArray[np.int64]
    n_predicted: NDArray[np.int64]
    n_correct: NDArray[np.int64]

    @property
    def precision(self) -> NDArray[np.float64]:
        """NaN for a class that is never predicted."""
        return divide(self.n_correct, self.n_predicted)

    @property
    def recall(self) -> NDArray[np.float64]:
        """NaN for a class that is never true."""
        return divide(self.n_correct, self.n_true)

    @property
    def f1(self) -> NDArray[np.float64]:
        """NaN for a class that is neither true nor predicted."""
        return divide(2 * self.n_correct, self.n_true + self.n_predicted)

    @property
    def total(self) -> "ClassCounts":
        """The counts of all classes together, whose scores are micro averages; arrays without axes."""
        return ClassCounts(self.n_true.sum(), self.n_predicted.sum(), self.n_correct.sum())


def all_classes(targets: NDArray[Any], predictions: NDArray[np.float32]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which classes are true and which are predicted: two bool (n, n_classes), including the background of frames.

    Args:
        targets: int64 (n,) class numbers, of which the most probable one is predicted; or (n, n_classes), 0 or 1.
        predictions: float32 (n, n_classes), probabilities.
    """
    if targets.ndim > 1:
        return targets > THRESHOLD, predictions >= THRESHOLD
    numbers = np.arange(predictions.shape[1])
    return targets[:, np.newaxis] == numbers, np.argmax(predictions, axis=1)[:, np.newaxis] == numbers


def count_classes(targets: NDArray[Any], predictions: NDArray[np.float32]) -> ClassCounts:
    """Count the examples of each class from the arrays of `all_classes`."""
    true, predicted = all_classes(targets, predictions)
    return ClassCounts(true.sum(axis=0), predicted.sum(axis=0), (true & predicted).sum(axis=0))


def per_class(targets: Targets, predictions: Predictions) -> ClassCounts:
    """Count the examples of each class, faster than `count_classes`."""
    counts = _count(targets, predictions)
    return ClassCounts(counts.sum(axis=1), counts.sum(axis=0), np.diag(counts))


def _count(targets: Targets, predictions: Predictions) -> NDArray[np.int64]:
    """Return int64 (n_classes, n_classes): rows true, columns predicted."""
    n_classes = predictions.shape[1]
    pairs = targets * n_classes + np.argmax(predictions, axis=1)
    return np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)


def confusion_matrix(targets: Targets, predictions: Predictions) -> list[list[int]]:
    """Return the number of examples of each pair of classes: a row per true class, a column per predicted one."""
    counts: list[list[int]] = _count(targets, predictions).tolist()
    return counts


def class_metrics(targets: Targets, predictions: Predictions, class_names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return precision, recall, F1 score and number of clips by class name.

    Precision is NaN for a class that is never predicted, recall for one that is never true, F1 for one that is neither.
    """
    counts = per_class(targets, predictions)
    scores = {"precision": counts.precision, "recall": counts.recall, "f1": counts.f1, "n_clips": counts.n_true}
    return by_class(scores, class_names)


def by_class(scores: Mapping[str, NDArray[Any]], class_names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return the scores of each class by class name, from arrays (n_classes,) by score name."""
    return {
        class_name: {name: values[number].item() for name, values in scores.items()}
        for number, class_name in enumerate(class_names)
    }
