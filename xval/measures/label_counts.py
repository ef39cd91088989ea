"""Counts of the labels of clips, the figures of a label that follow from them, and decisions at thresholds.

Comes in: targets, float32 (n, n_classes), 0 or 1; predictions, float32 (n, n_classes), the probability of each label. Goes out:
counts and figures of each label.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from xval.measures.arrays import divide

Targets = NDArray[np.float32]
Predictions = NDArray[np.float32]

THRESHOLD = 0.5


class LabelMetrics(TypedDict):
    """The figures of one label on clips; NaN where there is nothing to divide by."""

    n_clips: int
    threshold: float
    average_precision: float
    precision: float
    recall: float
    f1: float
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int


class Counts(NamedTuple):
    """Examples by label, int64 (n_classes,) each."""

    n_true: NDArray[np.int64]
    n_predicted: NDArray[np.int64]
    n_right: NDArray[np.int64]

    @property
    def f1(self) -> NDArray[np.float64]:
        """F1 score of each label; NaN where it is neither true nor predicted."""
        return divide(2 * self.n_right, self.n_true + self.n_predicted)


def count_labels(targets: Targets, predictions: Predictions) -> Counts:
    """Count the examples that have each label, that get it from the probability 0.5 on, and both."""
    true, predicted = targets > THRESHOLD, predictions >= THRESHOLD
    return Counts(true.sum(axis=0), predicted.sum(axis=0), (true & predicted).sum(axis=0))


def average_precisions(targets: Targets, predictions: Predictions) -> NDArray[np.float64]:
    """Return the average precision of each label, float64 (n_classes,); NaN where no target has it."""
    precisions = np.full(targets.shape[1], np.nan)
    for number in np.flatnonzero(targets.any(axis=0)):
        order = np.argsort(-predictions[:, number], kind="stable")
        n_right = np.cumsum(targets[order, number], dtype=np.float64)
        # Examples of one probability are found together.
        last = np.flatnonzero(np.append(np.diff(predictions[order, number]) != 0, True))
        steps = np.diff(n_right[last], prepend=0) / n_right[-1]
        precisions[number] = float(steps @ (n_right[last] / (last + 1)))
    return precisions


def random_average_precision(n_true: NDArray[Any], n_examples: int) -> NDArray[np.float64]:
    """Return the average precision of a random order of examples, the mean over all orders (Bestgen 2015).

    It is the share of the examples that have the label, and more where these are few: one of them may come first.

    Args:
        n_true: How many of the examples have the label, at least one; an array of labels or a number.
        n_examples: How many there are.
    """
    harmonic = np.sum(1 / np.arange(1, n_examples + 1))
    return np.asarray((harmonic + (n_true - 1) / max(1, n_examples - 1) * (n_examples - harmonic)) / n_examples)


def label_metrics(
    targets: Targets, predictions: Predictions, class_names: Sequence[str], thresholds: NDArray[np.float64]
) -> dict[str, LabelMetrics]:
    """Return the figures of each label by its name, counted from the label's threshold on, float64 (n_classes,).

    Average precision and recall are NaN for a label that no clip has, precision for one that is never predicted, F1 for one
    that is neither.
    """
    counts = count_labels(targets, decide(predictions, thresholds))
    areas = average_precisions(targets, predictions)
    return {
        name: LabelMetrics(
            n_clips=int(counts.n_true[number]),
            threshold=float(thresholds[number]),
            average_precision=float(areas[number]),
            precision=float(divide(counts.n_right[number], counts.n_predicted[number])),
            recall=float(divide(counts.n_right[number], counts.n_true[number])),
            f1=float(counts.f1[number]),
            true_positives=int(counts.n_right[number]),
            false_positives=int(counts.n_predicted[number] - counts.n_right[number]),
            false_negatives=int(counts.n_true[number] - counts.n_right[number]),
            true_negatives=int(len(targets) - counts.n_true[number] - counts.n_predicted[number] + counts.n_right[number]),
        )
        for number, name in enumerate(class_names)
    }


def decide(predictions: Predictions, thresholds: NDArray[np.float64]) -> Predictions:
    """Return 1 where a probability reaches the threshold of its label, else 0: float32, as the predictions."""
    return np.asarray(predictions >= thresholds.astype(np.float32), np.float32)


def join_decided(decided: NDArray[Any], class_names: Sequence[str]) -> list[str]:
    """Return the labels of each example in one text, with ``;`` between them: those that are 1 of (n_examples, n_classes)."""
    return [";".join(name for name, is_on in zip(class_names, row, strict=True) if is_on) for row in decided > 0]


def ranking_precision(targets: Targets, predictions: Predictions) -> NDArray[np.float64]:
    """Return the label ranking average precision of each example, float64 (n_examples,)."""
    from scipy.stats import rankdata  # here, because it takes a second and most uses of this module need no value

    true = targets > THRESHOLD
    ranks = rankdata(-predictions, method="max", axis=1)
    among_true = rankdata(np.where(true, -predictions, np.inf), method="max", axis=1)
    sums = np.where(true, among_true / ranks, 0).sum(axis=1)
    n_true = true.sum(axis=1)
    return np.where((n_true == 0) | (n_true == true.shape[1]), 1.0, sums / np.maximum(n_true, 1))
