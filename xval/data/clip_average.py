"""Combine the predictions of the examples of each clip to one of the clip.

Comes in: predictions per example, and the clip of each. Goes out: predictions per clip.
"""

import numpy as np
from numpy.typing import NDArray


def combine_examples(predictions: NDArray[np.float32], clip_of: NDArray[np.int64], clip_average: str) -> NDArray[np.float32]:
    """Combine the predictions of the examples of each clip.

    Args:
        predictions: float32 (n_examples, n_outputs).
        clip_of: int64 (n_examples,), the number of the clip of each, from 0 without gaps.
        clip_average: probabilities: their mean; logits: the mean of their logarithms, scaled to the sum 1; votes: the share
            of the examples that have this class as the most probable one.

    Returns:
        float32 (n_clips, n_outputs).
    """
    if clip_average == "logits":
        predictions = np.log(np.maximum(predictions, np.finfo(np.float32).tiny))
    elif clip_average == "votes":
        predictions = np.eye(predictions.shape[1], dtype=np.float32)[predictions.argmax(axis=1)]
    sums = np.zeros((clip_of.max() + 1, predictions.shape[1]))
    np.add.at(sums, clip_of, predictions)
    means = sums / np.bincount(clip_of)[:, None]
    if clip_average == "logits":
        means = np.exp(means - means.max(axis=1, keepdims=True))
        means /= means.sum(axis=1, keepdims=True)
    return means.astype(np.float32)
