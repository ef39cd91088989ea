"""The confusion matrices of the page.

Comes in: metric dicts. Goes out: counts and shares.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xval.answers.metric_dict import MetricDict
from xval.answers.summary import done_records

MOST_CLASSES = 25
"""With more classes the most frequent confusions are listed in the place of a matrix."""

_MOST_CONFUSIONS = 30


class Confusion(NamedTuple):
    """The answers of an instance over all folds.

    Attributes:
        class_names: Of rows (true) and columns (answered).
        counts: int64 (n_classes, n_classes), of the test clips.
        shares: float64, counts over the sum of their row; 0 in empty rows.
    """

    class_names: tuple[str, ...]
    counts: NDArray[np.int64]
    shares: NDArray[np.float64]

    @property
    def most_frequent(self) -> list[tuple[str, str, int, float]]:
        """The most frequent confusions: true class, answer, how often, and the share of the true class."""
        wrong = self.counts.copy()
        np.fill_diagonal(wrong, 0)
        places = [np.unravel_index(flat, wrong.shape) for flat in np.argsort(-wrong, axis=None, kind="stable")]
        return [
            (self.class_names[row], self.class_names[column], int(wrong[row, column]), float(self.shares[row, column]))
            for row, column in places[:_MOST_CONFUSIONS]
            if wrong[row, column]
        ]


def confusion(metric_dict: MetricDict) -> Confusion | None:
    """Return the confusion matrix over all folds; None where there is none."""
    records = [record for record in done_records(metric_dict) if "confusion_matrix" in record]
    if not records:
        return None
    counts = np.sum([record["confusion_matrix"]["test"] for record in records], axis=0)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return Confusion(tuple(records[0]["class_names"]), counts, shares)
