"""Metrics of classification: how well class probabilities fit the true classes.

Comes in: targets, int64 (n_examples,), class numbers; predictions, float32 (n_examples, n_classes), probabilities. Goes
out: one float per metric, the figures of each class, the confusion matrix. The predicted class is the most probable one,
the first of them in a tie.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from xval.errors import JobError
from xval.metrics.registry import metric

Targets = NDArray[np.int64]
Predictions = NDArray[np.float32]


class ClassMetrics(TypedDict):
    """The figures of one class on clips; NaN where there is nothing to divide by."""

    precision: float
    recall: float
    f1: float
    n_clips: int


@metric(higher_is_better=True)
def accuracy(targets: Targets, predictions: Predictions) -> float:
    """Return the share of examples whose predicted class is the true one."""
    return float(np.mean(np.argmax(predictions, axis=1) == targets))


@metric(higher_is_better=True)
def balanced_accuracy(targets: Targets, predictions: Predictions) -> float:
    """Return the unweighted average recall (UAR): the mean recall of the classes that occur in the targets."""
    return float(np.nanmean(_per_class(targets, predictions).recall))


@metric(higher_is_better=True)
def macro_f1(targets: Targets, predictions: Predictions) -> float:
    """Return the mean F1 score of the classes that occur in the targets or among the predicted classes."""
    return float(np.nanmean(_per_class(targets, predictions).f1))


@metric(higher_is_better=True)
def precision(targets: Targets, predictions: Predictions) -> float:
    """Return the macro precision: the mean over the classes that occur in the targets or among the predicted classes.

    A class that is never predicted counts as 0, as in scikit-learn.
    """
    figures = _per_class(targets, predictions)
    return float(np.mean(np.nan_to_num(figures.precision)[~np.isnan(figures.f1)]))


@metric(higher_is_better=True)
def recall(targets: Targets, predictions: Predictions) -> float:
    """Return the macro recall: the mean over the classes that occur in the targets or among the predicted classes.

    A class that is predicted but never true counts as 0, as in scikit-learn; `balanced_accuracy` leaves it out.
    """
    figures = _per_class(targets, predictions)
    return float(np.mean(np.nan_to_num(figures.recall)[~np.isnan(figures.f1)]))


@metric(higher_is_better=True)
def auc(targets: Targets, predictions: Predictions) -> float:
    """Return the area under the ROC curve, each class against the rest, averaged over classes (Fawcett 2006).

    Classes that all or none of the targets belong to have no curve and are left out; NaN when no class is left. The area is the
    share of pairs, one example of the class and one of the others, that the probabilities put in the right order, ties counted
    half; it follows from the ranks of the class (Hanley & McNeil 1982).
    """
    from scipy.stats import rankdata  # here, because it takes a second and most uses of this module need no value

    present = np.unique(targets)
    if len(present) == 1:
        return float("nan")
    is_class = targets[:, np.newaxis] == present
    n_class = is_class.sum(axis=0)
    sums = (rankdata(predictions[:, present], axis=0) * is_class).sum(axis=0)
    return float(np.mean((sums - n_class * (n_class + 1) / 2) / (n_class * (len(targets) - n_class))))


@metric(higher_is_better=False)
def eer(targets: Targets, predictions: Predictions) -> float:
    """Return the equal error rate, each class against the rest, averaged over classes.

    The threshold on the probability of a class is where as large a share of its examples is missed as of the others is
    accepted, read off the ROC curve with straight lines between its points. Classes are left out as in `auc`.
    """
    from sklearn.metrics import roc_curve  # here, because it takes seconds

    present = np.unique(targets)
    if len(present) == 1:
        return float("nan")
    rates = []
    for number in present:
        accepted, found, _ = roc_curve(targets == number, predictions[:, number], drop_intermediate=False)
        rates.append(np.interp(0.0, accepted - (1 - found), accepted))
    return float(np.mean(rates))


@metric(higher_is_better=True, least_outputs=6)
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
    counts = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(counts, (targets, np.argmax(predictions, axis=1)), 1)
    return counts
