"""Count which class was taken for which, over all folds of an instance, for reports."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xval.results.instance import InstanceResults, mean_of

MOST_CONFUSIONS = 30
"""What `Confusion.most_frequent` lists."""


class Confusion(NamedTuple):
    """The answers of an instance over all folds; of a fold with repeats the mean over them.

    Attributes:
        class_names: Of rows (true) and columns (answered).
        counts: Of the test clips or frames, by true class and answer; whole numbers but for means.
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
        """The most frequent confusions: true class, answer, how often, and the share of the true class."""
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
