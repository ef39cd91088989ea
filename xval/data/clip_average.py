"""Combine the predictions for the examples of each clip into one per clip, and those for the clips of an item into one."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_OF_TIES = np.float32(1e-4)  # share of the mean probability in a majority: it decides only between equal votes


class Averaging(NamedTuple):
    """The settings for combining predictions, one level after the other.

    Attributes:
        clips: How to combine the examples of each clip: probabilities, logits or votes.
        items: How to combine the clips of each item to one decision: none, mean or vote.
    """

    clips: str
    items: str = "none"

    @property
    def levels(self) -> list[tuple[str, str]]:
        """For each level, the column whose values are combined, and the method of `combine_examples`."""
        item_levels = {"none": [], "mean": [("item", "probabilities")], "vote": [("item", "majority")]}
        return [("clip", self.clips), *item_levels[self.items]]


def combine_examples(predictions: NDArray[np.float32], clip_of: NDArray[np.int64], clip_average: str) -> NDArray[np.float32]:
    """Combine the predictions of the examples of each clip.

    Args:
        predictions: float32 (n_examples, n_outputs).
        clip_of: int64 (n_examples,), the number of the clip of each example, from 0 without gaps.
        clip_average: probabilities: their mean; logits: the mean of their logarithms, scaled to the sum 1; votes: the share of
            examples for which this class is the most probable one; majority: the same, with ties broken by the mean
            probability.

    Returns:
        float32 (n_clips, n_outputs).
    """
    if clip_average == "logits":
        predictions = np.log(np.maximum(predictions, np.finfo(np.float32).tiny))
    elif clip_average in ("votes", "majority"):
        votes = np.eye(predictions.shape[1], dtype=np.float32)[predictions.argmax(axis=1)]
        predictions = votes if clip_average == "votes" else (1 - _OF_TIES) * votes + _OF_TIES * predictions
    sums = np.zeros((clip_of.max() + 1, predictions.shape[1]))
    np.add.at(sums, clip_of, predictions)
    means = sums / np.bincount(clip_of)[:, None]
    if clip_average == "logits":
        means = np.exp(means - means.max(axis=1, keepdims=True))
        means /= means.sum(axis=1, keepdims=True)
    return means.astype(np.float32)
