"""`Answered`: a model's predictions for the examples, clips or items of a side next to the targets, to compute any score."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xval.data.clip_average import Averaging, combine_examples

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Answered:
    """Targets and predictions of examples or clips; `xval.measures.events.recordings` has those of frames.

    Attributes:
        rows: DataFrame, a row each: item, clip, and what else names it; of items with one decision also n_clips, how many
            clips it is of.
        targets: As the metrics of the task take them.
        predictions: float32 (n, n_outputs); of a representation (n,).
    """

    rows: "pd.DataFrame"
    targets: NDArray[Any]
    predictions: NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of examples or clips."""
        return len(self.predictions)

    @property
    def n_clips(self) -> int:
        """The number of clips, where a row is a clip or a decision; those of a decision are all counted."""
        return int(self.rows["n_clips"].sum()) if "n_clips" in self.rows else len(self)

    def counted(self) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Return the targets and predictions that metrics see."""
        return self.targets, self.predictions

    def counted_items(self) -> NDArray[Any]:
        """Return the items' names, str (n,)."""
        return self.rows["item"].to_numpy(dtype=str)

    def by_clip(self, averaging: Averaging) -> "Answered":
        """Return the clips, or items, in the order of their first examples, whose predictions are combined."""
        answered = self
        for column, how in averaging.levels:
            codes = answered.rows[column].factorize()[0]
            first = np.unique(codes, return_index=True)[1]
            targets, predictions = combine_clips(answered.targets, answered.predictions, codes, how)
            rows = answered.rows.iloc[first].reset_index(drop=True)
            if column == "item":
                rows["n_clips"] = np.bincount(codes)
            answered = Answered(rows, targets, predictions)
        return answered

    def by_item(self) -> Iterator[tuple[str, "Answered"]]:
        """Yield each item, in the order of their names, with what was answered on it."""
        items = self.counted_items()
        for item in sorted(set(items.tolist())):
            own = np.flatnonzero(items == item)
            yield item, Answered(self.rows.iloc[own], self.targets[own], self.predictions[own])

    def tables(self) -> "dict[str, pd.DataFrame]":
        """Return the tables that are kept next to the predictions, by the names of their files."""
        return {}


def combine_clips(
    targets: NDArray[Any], predictions: NDArray[np.float32], clip_of: NDArray[np.int64], clip_average: str
) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Return targets and predictions of clips from those of examples: combined, but for targets that all of its examples share.

    Args:
        targets: As the metrics of the task take them.
        predictions: float32 (n_examples, n_outputs); of a representation (n_examples,), and targets are errors too.
        clip_of: int64 (n_examples,), the number of each example's clip, from 0 without gaps.
        clip_average: As of `combine_examples`.
    """
    if predictions.ndim == 1:
        combined = combine_examples(np.stack([targets, predictions], axis=1), clip_of, clip_average)
        return combined[:, 0], combined[:, 1]
    return targets[np.unique(clip_of, return_index=True)[1]], combine_examples(predictions, clip_of, clip_average)
