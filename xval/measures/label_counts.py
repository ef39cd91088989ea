"""Count true and predicted labels in multi-label data, and compute scores of each label and decisions at thresholds.

Targets are float32 (n, n_classes), 0 or 1; predictions float32 (n, n_classes), the probability of each label.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xval.measures.confusion import THRESHOLD, by_class, count_classes

Targets = NDArray[np.float32]
Predictions = NDArray[np.float32]


def average_precisions(targets: Targets, predictions: Predictions) -> NDArray[np.float64]:
    """Return the average precision of each label: float64 (n_classes,); NaN if no target has the label."""
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
    """Return the expected average precision of a random order of examples (Bestgen 2015).

    It is the share of examples with the label, and larger if these are few, because one of them may come first.

    Args:
        n_true: Number of examples with the label, at least 1; a number, or an array with a number per label.
        n_examples: Number of examples.
    """
    harmonic = np.sum(1 / np.arange(1, n_examples + 1))
    return np.asarray((harmonic + (n_true - 1) / max(1, n_examples - 1) * (n_examples - harmonic)) / n_examples)


def label_metrics(
    targets: Targets, predictions: Predictions, class_names: Sequence[str], thresholds: NDArray[np.float64]
) -> dict[str, dict[str, float]]:
    """Return the scores of each label at its threshold, by name; `thresholds` is float64 (n_classes,).

    Average precision and recall are NaN for a label that no clip has, precision for one that is never predicted, F1 for one
    that is neither.
    """
    counts = count_classes(targets, decide(predictions, thresholds))
    scores = {
        "n_clips": counts.n_true,
        "threshold": thresholds,
        "average_precision": average_precisions(targets, predictions),
        "precision": counts.precision,
        "recall": counts.recall,
        "f1": counts.f1,
        "true_positives": counts.n_correct,
        "false_positives": counts.n_predicted - counts.n_correct,
        "false_negatives": counts.n_true - counts.n_correct,
        "true_negatives": len(targets) - counts.n_true - counts.n_predicted + counts.n_correct,
    }
    return by_class(scores, class_names)


def decide(predictions: Predictions, thresholds: NDArray[np.float64]) -> Predictions:
    """Return 1 where a probability reaches the threshold of its label, else 0: float32, in the shape of the predictions."""
    return np.asarray(predictions >= thresholds.astype(np.float32), np.float32)


def join_decided(decided: NDArray[Any], class_names: Sequence[str]) -> list[str]:
    """Return the labels of each example as one text, joined by ``;``: those that are 1 in (n_examples, n_classes)."""
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
