"""One vector of the frames of a clip, of which those behind its end do not count.

Sources: Okabe et al. 2018, "Attentive statistics pooling for deep speaker embedding" (attention); Snyder et al. 2018,
"X-vectors: robust DNN embeddings for speaker recognition" (mean and deviation).
"""

from typing import Any

import keras
from keras import ops

POOLINGS = ("mean", "attentive", "statistics")
_ATTENTION_UNITS = 128
_SMALLEST_VARIANCE = 1e-6


def pool_frames(frames: Any, is_frame: Any, pooling: str) -> Any:
    """Return a vector for each clip.

    Args:
        frames: float32 (batch, n_frames, n_values).
        is_frame: bool (batch, n_frames): whether a frame counts.
        pooling: mean; attentive: a mean with weights that are learned of each frame; statistics: mean and deviation.

    Returns:
        float32 (batch, n_values), of statistics (batch, 2 * n_values).
    """
    counts = ops.expand_dims(ops.cast(is_frame, "float32"), 2)
    if pooling == "attentive":
        hidden = keras.layers.Dense(_ATTENTION_UNITS, activation="tanh", name="attention_hidden")(frames)
        scores = keras.layers.Dense(1, dtype="float32", name="attention_scores")(hidden)
        weights = keras.layers.Softmax(axis=1, dtype="float32", name="attention")(scores, mask=ops.expand_dims(is_frame, 2))
        return ops.sum(weights * frames, axis=1)
    weights = counts / ops.sum(counts, axis=1, keepdims=True)
    mean = ops.sum(weights * frames, axis=1)
    if pooling == "mean":
        return mean
    variance = ops.sum(weights * ops.square(frames - ops.expand_dims(mean, 1)), axis=1)
    return ops.concatenate([mean, ops.sqrt(ops.maximum(variance, _SMALLEST_VARIANCE))], axis=1)
