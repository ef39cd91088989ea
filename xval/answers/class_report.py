"""Confusions between classes; precision, recall, F1 score and support of each class with averages, as in scikit-learn."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xval.answers.label_scores import label_scores
from xval.measures.confusion import ClassCounts
from xval.results.instance import InstanceResults, mean_of

MOST_CONFUSIONS = 30
"""What `Confusion.most_frequent` lists."""


class Confusion(NamedTuple):
    """The confusion matrix of an instance over all folds; for a fold with repeats, the mean over them.

    Attributes:
        class_names: Names of rows (true) and columns (predicted).
        counts: Number of test clips or frames by true and predicted class; fractions only in means.
    """

    class_names: tuple[str, ...]
    counts: list[list[float]]

    @property
    def shares(self) -> NDArray[np.float64]:
        """float64 (n_classes, n_classes): counts over the sum of their row; 0 in empty rows."""
        counts = np.array(self.counts)
        return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))

    @property
    def most_frequent(self) -> list[tuple[str, str, int, float]]:
        """The most frequent confusions: true class, predicted class, count, and share of the true class."""
        wrong, shares = np.array(self.counts), self.shares
        np.fill_diagonal(wrong, 0)
        places = [np.unravel_index(flat, wrong.shape) for flat in np.argsort(-wrong, axis=None, kind="stable")]
        return [
            (self.class_names[row], self.class_names[column], int(wrong[row, column]), float(shares[row, column]))
            for row, column in places[:MOST_CONFUSIONS]
            if wrong[row, column]
        ]


def find_confusion(instance: InstanceResults) -> Confusion | None:
    """Return the confusion matrix over all folds; None where there is none."""
    fold_matrices: dict[int, list[list[list[int]]]] = {}
    for key, record in instance.done.items():
        if "confusion_matrix" in record:
            fold_matrices.setdefault(key.fold, []).append(record["confusion_matrix"]["test"])
    if not fold_matrices:
        return None
    names = next(iter(instance.folds.values()))["class_names"]
    cells = range(len(names))
    counts = [
        [sum(mean_of([repeat[true][answer] for repeat in repeats]) for repeats in fold_matrices.values()) for answer in cells]
        for true in cells
    ]
    return Confusion(tuple(names), counts)


class ClassScores(NamedTuple):
    """A row of the report: a class or an average.

    Attributes:
        precision: NaN: the class is never predicted; None: the row has no precision, as for accuracy.
        recall: NaN: no clip has the class.
        support: Number of clips (or frames) of the class.
    """

    name: str
    precision: float | None
    recall: float | None
    f1: float
    support: float


class ClassReport(NamedTuple):
    """The test scores of each class over all finished folds together.

    Attributes:
        classes: The classes in their order.
        averages: ``accuracy`` for one class per clip, ``micro avg`` for several; then ``macro avg`` and ``weighted avg``.
    """

    classes: list[ClassScores]
    averages: list[ClassScores]


def class_report(instance: InstanceResults) -> ClassReport | None:
    """Return the report of an instance; None where it predicts no classes, or no fold is finished.

    Predictions of all folds are counted together: the mean over several seeds, the sum over several repeats of the
    cross-validation. Macro averages are over the classes that are true or predicted somewhere; a class that is never predicted
    counts of them. Macro averages are over the classes that are true or predicted somewhere; a class that is never predicted
    counts with a precision of 0, as in the metrics of the task.
    """
    if confusion := find_confusion(instance):
        matrix = np.array(confusion.counts)
        names, counts = confusion.class_names, ClassCounts(matrix.sum(axis=1), matrix.sum(axis=0), np.diag(matrix))
    elif labels := label_scores(instance):
        names = tuple(label.label for label in labels)
        n_predicted = np.array([label.true_positives + label.false_positives for label in labels])
        n_correct = np.array([label.true_positives for label in labels])
        counts = ClassCounts(np.array([label.n_clips for label in labels]), n_predicted, n_correct)
    else:
        return None
    columns = (counts.precision.tolist(), counts.recall.tolist(), counts.f1.tolist(), counts.n_true.tolist())
    classes = [ClassScores(name, *scores) for name, *scores in zip(names, *columns, strict=True)]
    n_true, total = float(counts.n_true.sum()), counts.total
    occurs = ~np.isnan(counts.f1)
    scores = [np.nan_to_num(values)[occurs] for values in (counts.precision, counts.recall, counts.f1)]
    weights = counts.n_true[occurs]
    if confusion:
        overall = ClassScores("accuracy", None, None, float(total.recall), n_true)
    else:
        overall = ClassScores("micro avg", float(total.precision), float(total.recall), float(total.f1), n_true)
    macro, weighted = (
        ClassScores(name, float(precision), float(recall), float(f1), n_true)
        for name, (precision, recall, f1) in (
            ("macro avg", [values.mean() for values in scores]),
            ("weighted avg", [np.average(values, weights=weights) for values in scores]),
        )
    )
    return ClassReport(classes, [overall, macro, weighted])
