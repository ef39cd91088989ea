"""Frames of each class: which are true, which predicted, and both.

Comes in: targets and predictions of frames, as the metrics of the task take them. Goes out: `Counts`, or a table of truth.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Targets = NDArray[Any]
Predictions = NDArray[np.float32]

THRESHOLD = 0.5


class Counts(NamedTuple):
    """Frames of each class of events, int64 (n_classes,)."""

    n_true: NDArray[np.int64]
    n_predicted: NDArray[np.int64]
    n_correct: NDArray[np.int64]


def count_frames(targets: Targets, predictions: Predictions) -> Counts:
    """Count the frames of each class of events that are true, predicted, and both."""
    true, predicted = (is_on[:, first_event(targets) :] for is_on in all_classes(targets, predictions))
    return Counts(true.sum(axis=0), predicted.sum(axis=0), (true & predicted).sum(axis=0))


def first_event(targets: Targets) -> int:
    """Return the number of the first class of events: behind the background, where there is one."""
    return 1 if targets.ndim == 1 else 0


def all_classes(targets: Targets, predictions: Predictions) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which classes are true and which predicted: bool (n_frames, n_classes), the background too."""
    if targets.ndim > 1:
        return targets > THRESHOLD, predictions >= THRESHOLD
    numbers = np.arange(predictions.shape[1])
    return targets[:, np.newaxis] == numbers, np.argmax(predictions, axis=1)[:, np.newaxis] == numbers
