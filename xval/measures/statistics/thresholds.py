"""Choose the threshold of each label, the probability from which on it is predicted, on validation clips."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

DEFAULT_THRESHOLD = 0.5
"""The threshold of a label that no validation clip has."""


def find_thresholds(targets: NDArray[Any], probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return for each label the threshold with the largest F1 score; ties are broken by the distance to 0.5.

    A threshold is half-way between two probabilities that occur. Labels are tuned separately, which maximises macro F1 (Lipton,
    Elkan & Naryanaswamy, Optimal thresholding of classifiers to maximize F1 measure, 2014).

    Args:
        targets: float32 (n_clips, n_classes), 0 or 1, of validation clips.
        probabilities: float32 (n_clips, n_classes).

    Returns:
        float64 (n_classes,); 0.5 for labels that no clip has.
    """
    return np.array([_best(targets[:, label] > 0, probabilities[:, label]) for label in range(targets.shape[1])])


def _best(is_true: NDArray[np.bool_], probabilities: NDArray[np.float32]) -> float:
    if not is_true.any():
        return DEFAULT_THRESHOLD
    order = np.argsort(-probabilities, kind="stable")
    falling = probabilities[order]
    last = np.flatnonzero(np.append(np.diff(falling) != 0, True))  # of those of one probability
    f1 = 2 * np.cumsum(is_true[order])[last] / (is_true.sum() + last + 1)
    lowest = falling[last]
    below = np.append(lowest[1:], np.float32(0))
    between = ((lowest + below) / 2).astype(np.float32)
    between = np.where(between > below, between, lowest)
    best = np.flatnonzero(f1 == f1.max())
    return float(between[best[np.argmin(np.abs(between[best] - DEFAULT_THRESHOLD))]])
