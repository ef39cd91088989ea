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
        rows: A row for each: item, clip and other identifying columns; with one decision per item also n_clips, the number of
            its clips.
        targets: As the metrics of the task take them.
        predictions: float32 (n, n_outputs), or (n,) for a representation.
    """

    rows: "pd.DataFrame"
    targets: NDArray[Any]
    predictions: NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of examples or clips."""
        return len(self.predictions)

    @property
    def n_clips(self) -> int:
        """The number of clips if a row is a clip or a decision; all clips of a decision count."""
        return int(self.rows["n_clips"].sum()) if "n_clips" in self.rows else len(self)

    def counted(self) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Return the targets and predictions for metrics."""
        return self.targets, self.predictions

    def counted_items(self) -> NDArray[Any]:
        """Return the item of each row: str (n,)."""
        return self.rows["item"].to_numpy(dtype=str)

    def by_clip(self, averaging: Averaging) -> "Answered":
        """Return the combined predictions of clips or items, in the order of their first examples."""
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
        """Yield each item, sorted by name, with its targets and predictions."""
        items = self.counted_items()
        for item in sorted(set(items.tolist())):
            own = np.flatnonzero(items == item)
            yield item, Answered(self.rows.iloc[own], self.targets[own], self.predictions[own])

    def tables(self) -> "dict[str, pd.DataFrame]":
        """Return the tables to store next to the predictions, by file name."""
        return {}


def combine_clips(
    targets: NDArray[Any], predictions: NDArray[np.float32], clip_of: NDArray[np.int64], clip_average: str
) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Combine targets and predictions of examples into those of clips.

    Targets that all examples of a clip share stay as they are.

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
