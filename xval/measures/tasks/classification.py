"""Metrics of classification: how well class probabilities fit the true classes.

Comes in: targets, int64 (n_examples,), class numbers; predictions, float32 (n_examples, n_classes), probabilities. Goes
out: one float per metric, the figures of each class, the confusion matrix. The predicted class is the most probable one,
the first of them in a tie.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import JobError
from xval.measures.metrics import Chance, metric
from xval.measures.tasks._arrays import area_under_roc, mean_of_defined

Targets = NDArray[np.int64]
Predictions = NDArray[np.float32]


class ClassMetrics(TypedDict):
    """The figures of one class on clips; NaN where there is nothing to divide by."""

    precision: float
    recall: float
    f1: float
    n_clips: int


def _most_frequent(targets: Targets, weights: NDArray[np.float64], n_named: int = 1) -> Chance:
    share = float(np.sort(np.bincount(targets, weights))[-n_named:].sum())
    return Chance(share, "always the most frequent class" if n_named == 1 else f"always the {n_named} most frequent classes")


def _five_most_frequent(targets: Targets, weights: NDArray[np.float64]) -> Chance:
    return _most_frequent(targets, weights, 5)


def _one_of_all(targets: Targets, weights: NDArray[np.float64]) -> Chance:
    """Return 1 / (number of classes that occur): the mean recall of every constant answer and of guessing."""
    return Chance(float(1 / np.count_nonzero(np.bincount(targets, weights))), "any constant answer, or guessing")


def _guess(targets: Targets, weights: NDArray[np.float64]) -> Chance:
    """Return the mean precision, recall and F1 of guessing: those of a class are its share, and the shares add up to 1."""
    return _one_of_all(targets, weights)._replace(strategy="guessing each class as often as it occurs")


def _half(targets: Targets, weights: NDArray[np.float64]) -> Chance:  # noqa: ARG001 - every chance level takes both
    return Chance(0.5, "any answer that does not depend on the audio")


@metric(higher_is_better=True, bounds=(0, 1), is_mean=True, chance=_most_frequent, aliases=("war",))
def accuracy(targets: Targets, predictions: Predictions) -> float:
    """Return the share of examples whose predicted class is the true one."""
    return float(np.mean(np.argmax(predictions, axis=1) == targets))


@metric(higher_is_better=True, bounds=(0, 1), chance=_one_of_all, aliases=("uar",))
def balanced_accuracy(targets: Targets, predictions: Predictions) -> float:
    """Return the unweighted average recall (UAR): the mean recall of the classes that occur in the targets."""
    return float(np.nanmean(_per_class(targets, predictions).recall))


@metric(higher_is_better=True, bounds=(0, 1), chance=_guess, aliases=("f1_macro",))
def macro_f1(targets: Targets, predictions: Predictions) -> float:
    """Return the mean F1 score of the classes that occur in the targets or among the predicted classes."""
    return float(np.nanmean(_per_class(targets, predictions).f1))


@metric(higher_is_better=True, bounds=(0, 1), chance=_guess, aliases=("precision_macro",))
def precision(targets: Targets, predictions: Predictions) -> float:
    """Return the macro precision: the mean over the classes that occur in the targets or among the predicted classes.

    A class that is never predicted counts as 0, as in scikit-learn.
    """
    figures = _per_class(targets, predictions)
    return float(np.mean(np.nan_to_num(figures.precision)[~np.isnan(figures.f1)]))


@metric(higher_is_better=True, bounds=(0, 1), chance=_one_of_all, aliases=("recall_macro",))
def recall(targets: Targets, predictions: Predictions) -> float:
    """Return the macro recall: the mean over the classes that occur in the targets or among the predicted classes.

    A class that is predicted but never true counts as 0, as in scikit-learn; `balanced_accuracy` leaves it out.
    """
    figures = _per_class(targets, predictions)
    return float(np.mean(np.nan_to_num(figures.recall)[~np.isnan(figures.f1)]))


@metric(higher_is_better=True, bounds=(0, 1), chance=_half, aliases=("roc_auc",))
def auc(targets: Targets, predictions: Predictions) -> float:
    """Return the area under the ROC curve, each class against the rest, averaged over classes (Fawcett 2006).

    Classes that all or none of the targets belong to have no curve and are left out; NaN when no class is left. The area is the
    share of pairs, one example of the class and one of the others, that the probabilities put in the right order, ties counted
    half (Hanley & McNeil 1982).
    """
    areas = [area_under_roc(predictions[:, number], targets == number) for number in np.unique(targets)]
    return mean_of_defined(np.array(areas))


@metric(higher_is_better=False, bounds=(0, 1), chance=_half)
def eer(targets: Targets, predictions: Predictions) -> float:
    """Return the equal error rate of a closed set: each class against the rest (one-vs-rest), averaged over classes.

    It says how well the probability of a class tells its examples from those of the other classes, all of which the model has
    trained on. It is no verification of speakers, where pairs of recordings of unknown speakers are compared; that is
    `xval.measures.verification.verification_eer`. Classes are left out as in `auc`.
    """
    present = np.unique(targets)
    if len(present) == 1:
        return float("nan")
    return float(np.mean([equal_error_rate(targets == number, predictions[:, number]) for number in present]))


def equal_error_rate(is_target: NDArray[np.bool_], scores: NDArray[Any]) -> float:
    """Return the error rate at the threshold that misses as large a share of the targets as it accepts of the others.

    It is read off the ROC curve with straight lines between its points.

    Args:
        is_target: bool (n,), at least one of each.
        scores: float (n,), larger for targets.
    """
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # of those that share a score
    n_found = np.cumsum(is_target[order])[last]
    found = np.append(0, n_found) / n_found[-1]
    accepted = np.append(0, last + 1 - n_found) / (len(scores) - n_found[-1])
    return float(np.interp(0.0, accepted - (1 - found), accepted))


@metric(higher_is_better=True, least_outputs=6, bounds=(0, 1), is_mean=True, chance=_five_most_frequent)
def top_5_accuracy(targets: Targets, predictions: Predictions) -> float:
    """Return the share of examples whose true class is among the five most probable ones, the first of them in a tie."""
    best = np.argsort(-predictions, axis=1, kind="stable")[:, :5]
    return float(np.mean((best == targets[:, np.newaxis]).any(axis=1)))


def confusion_matrix(targets: Targets, predictions: Predictions) -> list[list[int]]:
    """Count the examples of each pair of true and predicted class.

    Args:
        targets: int64 (n_examples,), class numbers.
        predictions: float32 (n_examples, n_classes), probabilities.

    Returns:
        A row of counts per true class, a column per predicted class.
    """
    counts: list[list[int]] = _count(targets, predictions).tolist()
    return counts


def class_metrics(targets: Targets, predictions: Predictions, class_names: Sequence[str]) -> dict[str, ClassMetrics]:
    """Return precision, recall, F1 score and number of clips of each class.

    Args:
        targets: int64 (n_clips,), class numbers.
        predictions: float32 (n_clips, n_classes), probabilities.
        class_names: The name of each class number.

    Returns:
        The figures by class name. Precision is NaN for a class that is never predicted, recall for one that is never
        true, F1 for one that is neither.
    """
    figures = _per_class(targets, predictions)
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


def check(targets: Targets, predictions: Predictions) -> None:
    """Refuse arrays that are no targets and predictions of one classification.

    Raises:
        JobError: A wrong shape, or a target that is no class number.
    """
    if targets.ndim != 1 or predictions.ndim != 2:
        raise JobError(
            f"metrics of classification: received targets {targets.shape} and predictions {predictions.shape}; "
            f"(n_examples,) and (n_examples, n_classes) are wanted."
        )
    n_classes = predictions.shape[1]
    if not np.issubdtype(targets.dtype, np.integer) or targets.min() < 0 or targets.max() >= n_classes:
        raise JobError(
            f"metrics of classification: received targets from {targets.min()} to {targets.max()} ({targets.dtype}); "
            f"whole numbers from 0 to {n_classes - 1} are wanted."
        )


class _PerClass(NamedTuple):
    """float64 (n_classes,) each; NaN where there is nothing to divide by."""

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]


def _per_class(targets: Targets, predictions: Predictions) -> _PerClass:
    counts = _count(targets, predictions)
    n_correct, n_true, n_predicted = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    with np.errstate(invalid="ignore"):  # 0/0 is NaN; a numerator above 0 has a denominator above 0
        return _PerClass(
            precision=n_correct / n_predicted, recall=n_correct / n_true, f1=2 * n_correct / (n_true + n_predicted)
        )


def _count(targets: Targets, predictions: Predictions) -> NDArray[np.int64]:
    """Return int64 (n_classes, n_classes): rows true, columns predicted."""
    n_classes = predictions.shape[1]
    pairs = targets * n_classes + np.argmax(predictions, axis=1)
    return np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)
