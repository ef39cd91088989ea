"""`ClipFolds`: the folds of an experiment as a ``cv`` of scikit-learn, whose ``split`` yields rows of the table of clips."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import FoldsError
from xval.folds.plan import FoldPlan

if TYPE_CHECKING:
    import pandas as pd

ValidationSide = Literal["train", "leave_out"]


class ClipFolds:
    """The folds of an experiment as a `cv` for scikit-learn's functions; `xval.Experiment.folds` makes them.

    Attributes:
        clips: The table of clips of the corpus, whose rows ``split`` yields: clip, path, item, label and further columns. X, y
            and groups must have the order of this table.
        validation: ``train``: clips of validation items are used for training as well; ``leave_out``: they are on neither side.
    """

    def __init__(self, plan: FoldPlan, clips: "pd.DataFrame", validation: ValidationSide = "train") -> None:
        if validation not in ("train", "leave_out"):
            raise FoldsError(f"folds: received validation={validation!r}; allowed: 'train', 'leave_out'.")
        self._plan, self.clips, self.validation = plan, clips, validation

    def __repr__(self) -> str:
        """Return the numbers of folds and clips."""
        return f"<ClipFolds: {len(self._plan.folds)} folds of {len(self.clips)} clips, validation={self.validation!r}>"

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:  # noqa: ARG002, N803 - as scikit-learn calls it
        """Return the number of folds of all repeats together."""
        return len(self._plan.folds)

    def split(
        self,
        X: Any = None,  # noqa: N803 - as scikit-learn calls it
        y: Any = None,
        groups: Any = None,
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Yield the training and test rows of `clips` for each fold: two int64 arrays, ascending.

        Augmented copies are only used for training, as in the experiment.

        Args:
            X: Features of the clips; only their number is checked.
            y: Labels of the clips, or another target.
            groups: Items of the clips, which are not required.

        Raises:
            FoldsError: The number of values differs from that of the clips, or labels or items have another order, which would
                put clips of one item on two sides.
        """
        for name, values, column in (("X", X, ""), ("y", y, "label"), ("groups", groups, "item")):
            if values is not None:
                self._check(name, values, column)
        items, are_copies = self.clips["item"].astype(str), self.clips["augmented"].astype(bool)
        for fold in self._plan.folds:
            training = (*fold.training, *fold.validation) if self.validation == "train" else fold.training
            trains, is_tested = items.isin(training), items.isin(fold.test) & ~are_copies
            yield np.flatnonzero(trains), np.flatnonzero(is_tested)

    def _check(self, name: str, values: Any, column: str) -> None:
        """Raise an error for values that cannot be in the order of the clips."""
        n_rows = values.shape[0] if hasattr(values, "shape") else len(values)
        how = "Put the clips in the order of the table experiment.folds().clips"
        if n_rows != len(self.clips):
            n_copies = int(self.clips["augmented"].sum())
            copies = f", {n_copies} of them augmented copies" if n_copies else ""
            raise FoldsError(f"split: {name} has {n_rows} rows, but the dataset has {len(self.clips)} clips{copies}. {how}.")
        if column in self.clips and _is_reordered(np.asarray(values), self.clips[column].astype(str).tolist()):
            raise FoldsError(
                f"split: {name} has the column {column} of the clips in another order. {how}. If {name} is something else, "
                "write it as other texts."
            )


def _is_reordered(values: NDArray[Any], column: list[str]) -> bool:
    """Return whether values are those of a column in another order; whole numbers may replace its texts."""
    texts = values.astype(str).ravel().tolist()
    if texts == column or len(texts) != len(column):
        return False
    if sorted(texts) == sorted(column):
        return True
    has_as_many = sorted(Counter(texts).values()) == sorted(Counter(column).values())
    stands_for = set(zip(texts, column, strict=True))
    return values.dtype.kind in "iu" and has_as_many and len(stands_for) > len(set(column))
