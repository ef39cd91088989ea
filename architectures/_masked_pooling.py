"""Clips of any length in one batch: where they end, and one vector of the frames of each.

Behind the end of a clip stands NaN, which no clip has (``padding = masked``), so that one array also says how long its
clips are: in a batch, a saved model, an export. A network that reads it names ``defaults = {"padding": "masked"}`` in its
file and begins with `split_padding`.

Sources: Okabe et al. 2018, "Attentive statistics pooling for deep speaker embedding" (attention); Snyder et al. 2018,
"X-vectors: robust DNN embeddings for speaker recognition" (mean and standard deviation).
"""

from typing import Any

import keras
from keras import ops

POOLINGS = ("mean", "attentive", "statistics", "attentive_statistics")
_ATTENTION_UNITS = 128
_SMALLEST_VARIANCE = 1e-6


def split_padding(inputs: Any) -> tuple[Any, Any]:
    """Return what clips are made of, with 0 behind their ends, and where that is not behind the end.

    Args:
        inputs: float32 (batch, n_frames, ...); NaN from some frame on.

    Returns:
        float32 in the shape of the inputs, and bool (batch, n_frames).
    """
    is_behind = ops.isnan(inputs)
    first_values = is_behind
    while len(first_values.shape) > 2:
        first_values = first_values[..., 0]
    return ops.where(is_behind, 0.0, inputs), ops.logical_not(first_values)


def cut_behind(frames: Any, is_frame: Any) -> Any:
    """Return frames (batch, n_frames, ...) with 0 behind the ends of clips, as convolutions pad them at the end of a batch."""
    counts = ops.cast(is_frame, frames.dtype)
    for _ in frames.shape[2:]:
        counts = ops.expand_dims(counts, -1)
    return frames * counts


def pool_frames(frames: Any, is_frame: Any, pooling: str) -> Any:
    """Return a vector for each clip.

    Args:
        frames: float32 (batch, n_frames, n_values).
        is_frame: bool (batch, n_frames): whether a frame counts.
        pooling: mean; attentive: a mean with weights that are learned of each frame; statistics: mean and standard deviation;
            attentive_statistics: both, with learned weights.

    Returns:
        float32 (batch, n_values), of statistics (batch, 2 * n_values).
    """
    if pooling.startswith("attentive"):
        hidden = keras.layers.Dense(_ATTENTION_UNITS, activation="tanh", name="attention_hidden")(frames)
        scores = keras.layers.Dense(1, use_bias=False, dtype="float32", name="attention_scores")(hidden)
        weights = keras.layers.Softmax(axis=1, dtype="float32", name="attention")(scores, mask=ops.expand_dims(is_frame, 2))
    else:
        counts = ops.expand_dims(ops.cast(is_frame, "float32"), 2)
        weights = counts / ops.sum(counts, axis=1, keepdims=True)
    mean = ops.sum(weights * frames, axis=1)
    if pooling in ("mean", "attentive"):
        return mean
    variance = ops.sum(weights * ops.square(frames - ops.expand_dims(mean, 1)), axis=1)
    return ops.concatenate([mean, ops.sqrt(ops.maximum(variance, _SMALLEST_VARIANCE))], axis=1)


def self_attention(frames: Any, is_frame: Any, n_heads: int, dropout: float) -> Any:
    """Return frames, to each of which is added what the frames of its clip have to do with it (Vaswani et al. 2017)."""
    n_values = frames.shape[-1]
    attention = keras.layers.MultiHeadAttention(n_heads, max(1, n_values // n_heads), dropout=dropout)
    normalised = keras.layers.LayerNormalization()(frames)
    attended = attention(normalised, normalised, attention_mask=ops.expand_dims(is_frame, 1))
    return keras.layers.Add()([frames, keras.layers.Dropout(dropout)(attended)])
