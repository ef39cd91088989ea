"""Metrics of a classification of frames: how well the frames' probabilities fit what is heard in them.

Comes in: all frames that count, of all examples in one row. One class per frame: targets int64 (n_frames,), class numbers, 0
the background; predictions float32 (n_frames, n_classes), probabilities; the predicted class is the most probable one, the
first of them in a tie. Several labels per frame: targets float32 (n_frames, n_classes), 0 or 1; predictions likewise,
probabilities; a label is predicted from 0.5 on. Goes out: one float per metric, NaN where it is not defined.

The names mean the same in both forms: F1, precision, recall and average precision are those of the classes of events, so that
the background, which most frames are, does not lift them.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import JobError
from xval.measures.metrics import Chance, ChanceFunction, metric
from xval.measures.tasks._arrays import check_zeros_and_ones, divide, mean_of_defined

Targets = NDArray[Any]
Predictions = NDArray[np.float32]

_THRESHOLD = 0.5
_MOST_FREQUENT, _ALL_EVENTS = "always the most frequent event", "always all events"
_GUESS_EVENTS = "always some event, each as often as it occurs, never the background"

EVENT_METRICS = {
    f"{unit}_{name}": not name.endswith("_rate")
    for unit in ("segment", "event")
    for name in (
        "f1", "precision", "recall", "error_rate", "substitution_rate", "deletion_rate", "insertion_rate",
        "macro_f1", "macro_precision", "macro_recall", "macro_error_rate",
    )
}  # fmt: skip
"""The metrics of segments and events, and whether more of each is better; xval/measures/events/metrics.py computes them."""
SCORE_METRICS = {"psds1": True, "psds2": True}
"""The metrics of events at all thresholds, and whether more of each is better; xval/measures/events/psds.py computes them."""


def _shares(targets: Targets, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each class of events that occurs the share of frames that have it, float64 (n_classes,)."""
    found = np.bincount(targets, weights)[1:] if targets.ndim == 1 else weights @ targets.astype(np.float64)
    return np.asarray(found[found > 0])


def _chance_accuracy(targets: Targets, weights: NDArray[np.float64]) -> Chance:
    if targets.ndim == 1:
        return Chance(float(np.bincount(targets, weights).max()), "always the most frequent class")
    shares = weights @ targets.astype(np.float64)
    return Chance(float(np.mean(np.maximum(shares, 1 - shares))), "each label always or never, whichever is more frequent")


def _chance_balanced(targets: Targets, weights: NDArray[np.float64]) -> Chance:
    n_classes = np.count_nonzero(np.bincount(targets, weights)) if targets.ndim == 1 else 2
    return Chance(float(1 / n_classes), "any constant answer, or guessing")


def _of_events(best: Callable[[NDArray[np.float64], bool], Chance]) -> ChanceFunction:
    """Return a chance level that follows from the shares of the events, and whether a frame may have several at once."""

    def chance(targets: Targets, weights: NDArray[np.float64]) -> Chance:
        shares = _shares(targets, weights)
        return best(shares, targets.ndim > 1) if len(shares) else Chance(float("nan"), "no event is annotated")

    return chance


def _best_f1(shares: NDArray[np.float64], is_multi_label: bool) -> Chance:
    """Return the best F1 of answering the same events in every frame; only one of them if a frame has one class."""
    n_on = np.arange(1, len(shares) + 1 if is_multi_label else 2)
    reached = 2 * np.cumsum(np.sort(shares)[::-1])[: len(n_on)] / (shares.sum() + n_on)
    best = int(reached.argmax())
    return Chance(float(reached[best]), f"always the {best + 1} most frequent events" if best else _MOST_FREQUENT)


def _best_precision(shares: NDArray[np.float64], is_multi_label: bool) -> Chance:  # noqa: ARG001 - all take both
    return Chance(float(shares.max()), _MOST_FREQUENT)


def _best_recall(shares: NDArray[np.float64], is_multi_label: bool) -> Chance:
    return Chance(1.0, _ALL_EVENTS) if is_multi_label else Chance(float(shares.max() / shares.sum()), _MOST_FREQUENT)


def _best_macro_f1(shares: NDArray[np.float64], is_multi_label: bool) -> Chance:
    """Return the best mean F1 of answers that do not listen.

    If an answer names several events, each is best always on: 2 p / (1 + p) of its share p. If it names one class, a class of
    share p that is answered with probability q reaches 2 p q / (p + q), and the mean is best where q is in proportion to p.
    """
    if is_multi_label:
        return Chance(float(np.mean(2 * shares / (1 + shares))), _ALL_EVENTS)
    return Chance(float(2 * shares.sum() / (1 + shares.sum()) / len(shares)), _GUESS_EVENTS)


def _best_macro_recall(shares: NDArray[np.float64], is_multi_label: bool) -> Chance:
    return Chance(1.0, _ALL_EVENTS) if is_multi_label else Chance(float(1 / len(shares)), _GUESS_EVENTS)


def _mean_share(shares: NDArray[np.float64], is_multi_label: bool) -> Chance:  # noqa: ARG001
    return Chance(float(shares.mean()), "the same answer to all frames")


@metric(higher_is_better=True, bounds=(0, 1), is_mean=True, chance=_chance_accuracy)
def accuracy(targets: Targets, predictions: Predictions) -> float:
    """Return the share of right decisions: frames with the right class, background too; or labels of frames, heard or not."""
    true, predicted = _all_classes(targets, predictions)
    if targets.ndim == 1:
        return float(np.mean((true & predicted).any(axis=1)))
    return float(np.mean(true == predicted))


@metric(higher_is_better=True, bounds=(0, 1), chance=_chance_balanced, aliases=("uar",))
def balanced_accuracy(targets: Targets, predictions: Predictions) -> float:
    """Return the unweighted average recall of what there is to be told apart.

    One class per frame: the mean recall of the classes that occur in the targets, background too. Several labels: the mean over
    the labels that are heard in some frames and not in others, of the recall of the frames with the label and of those without.
    """
    true, predicted = _all_classes(targets, predictions)
    recalls = divide((true & predicted).sum(axis=0), true.sum(axis=0))
    if targets.ndim == 1:
        return mean_of_defined(recalls)
    return mean_of_defined((recalls + divide((~true & ~predicted).sum(axis=0), (~true).sum(axis=0))) / 2)


@metric(higher_is_better=True, bounds=(0, 1), chance=_of_events(_best_f1))
def f1(targets: Targets, predictions: Predictions) -> float:
    """Return the F1 score of all classes of events together (micro average); NaN where none is true or predicted."""
    counts = _count(targets, predictions)
    return float(divide(2 * counts.n_correct.sum(), counts.n_true.sum() + counts.n_predicted.sum()))


@metric(higher_is_better=True, bounds=(0, 1), chance=_of_events(_best_precision))
def precision(targets: Targets, predictions: Predictions) -> float:
    """Return the share of the predicted events' frames that are true (micro average); NaN where none is predicted."""
    counts = _count(targets, predictions)
    return float(divide(counts.n_correct.sum(), counts.n_predicted.sum()))


@metric(higher_is_better=True, bounds=(0, 1), chance=_of_events(_best_recall))
def recall(targets: Targets, predictions: Predictions) -> float:
    """Return the share of the true events' frames that are predicted (micro average); NaN where none is true."""
    counts = _count(targets, predictions)
    return float(divide(counts.n_correct.sum(), counts.n_true.sum()))


@metric(higher_is_better=True, bounds=(0, 1), chance=_of_events(_best_macro_f1))
def macro_f1(targets: Targets, predictions: Predictions) -> float:
    """Return the mean F1 score of the classes of events that are true or predicted in any frame."""
    counts = _count(targets, predictions)
    return mean_of_defined(divide(2 * counts.n_correct, counts.n_true + counts.n_predicted))


@metric(higher_is_better=True, bounds=(0, 1), chance=_of_events(_best_precision))
def macro_precision(targets: Targets, predictions: Predictions) -> float:
    """Return the mean precision of the classes of events that are predicted in any frame."""
    counts = _count(targets, predictions)
    return mean_of_defined(divide(counts.n_correct, counts.n_predicted))


@metric(higher_is_better=True, bounds=(0, 1), chance=_of_events(_best_macro_recall))
def macro_recall(targets: Targets, predictions: Predictions) -> float:
    """Return the mean recall of the classes of events that are true in any frame."""
    counts = _count(targets, predictions)
    return mean_of_defined(divide(counts.n_correct, counts.n_true))


@metric(higher_is_better=True, bounds=(0, 1), chance=_of_events(_mean_share))
def mean_average_precision(targets: Targets, predictions: Predictions) -> float:
    """Return the area under the curve of precision over recall, each class of events against the rest, averaged over classes.

    As in scikit-learn, the sum of precisions weighted by the steps of recall. Classes that are nowhere true have none and are
    left out; NaN when no class is left.
    """
    from sklearn.metrics import average_precision_score  # here, because it takes seconds and most uses need no value

    true, _ = _all_classes(targets, predictions)
    present = [number for number in range(_first_event(targets), true.shape[1]) if true[:, number].any()]
    return mean_of_defined(np.array([average_precision_score(true[:, number], predictions[:, number]) for number in present]))


def check(targets: Targets, predictions: Predictions) -> None:
    """Refuse arrays that are no targets and predictions of frames.

    Raises:
        JobError: A wrong shape; a target that is no class number, or neither 0 nor 1.
    """
    n_frames, n_classes = predictions.shape if predictions.ndim == 2 else (-1, -1)
    if targets.shape not in ((n_frames,), (n_frames, n_classes)):
        raise JobError(
            f"metrics of frame_classification: received targets {targets.shape} and predictions {predictions.shape}; wanted "
            "are (n_frames,) or (n_frames, n_classes), and (n_frames, n_classes)."
        )
    if targets.ndim == 1 and not (np.issubdtype(targets.dtype, np.integer) and 0 <= targets.min() <= targets.max() < n_classes):
        raise JobError(
            f"metrics of frame_classification: received targets from {targets.min()} to {targets.max()} ({targets.dtype}); "
            f"whole numbers from 0 to {n_classes - 1} are wanted."
        )
    if targets.ndim > 1:
        check_zeros_and_ones(targets, "frame_classification")


class _Counts(NamedTuple):
    """Frames of each class of events, int64 (n_classes,)."""

    n_true: NDArray[np.int64]
    n_predicted: NDArray[np.int64]
    n_correct: NDArray[np.int64]


def _count(targets: Targets, predictions: Predictions) -> _Counts:
    true, predicted = (each[:, _first_event(targets) :] for each in _all_classes(targets, predictions))
    return _Counts(true.sum(axis=0), predicted.sum(axis=0), (true & predicted).sum(axis=0))


def _first_event(targets: Targets) -> int:
    """Return the number of the first class of events: behind the background, where there is one."""
    return 1 if targets.ndim == 1 else 0


def _all_classes(targets: Targets, predictions: Predictions) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which classes are true and which predicted: bool (n_frames, n_classes), the background too."""
    if targets.ndim > 1:
        return targets > _THRESHOLD, predictions >= _THRESHOLD
    numbers = np.arange(predictions.shape[1])
    return targets[:, np.newaxis] == numbers, np.argmax(predictions, axis=1)[:, np.newaxis] == numbers
