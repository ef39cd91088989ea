"""Functions for clips of different lengths in one batch: find their ends, and pool the frames of each to one vector.

NaN follows the end of a clip (``padding = masked``); no clip itself has NaN. Therefore the array alone shows the lengths of its
clips, also in a saved or exported model. An architecture that reads such arrays has ``defaults = {"padding": "masked"}`` in its
file, and begins with `split_padding`.

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
    """Return the inputs with 0 instead of NaN after the ends of clips, and which frames are inside their clips.

    Args:
        inputs: float32 (batch, n_frames, ...), with NaN after the end of each clip.

    Returns:
        float32 in the shape of the inputs, and bool (batch, n_frames).
    """
    is_behind = ops.isnan(inputs)
    first_values = is_behind
    while len(first_values.shape) > 2:
        first_values = first_values[..., 0]
    return ops.where(is_behind, 0.0, inputs), ops.logical_not(first_values)


def cut_behind(frames: Any, is_frame: Any) -> Any:
    """Return frames (batch, n_frames, ...) with 0 after the ends of clips, which equals the padding of a convolution."""
    counts = ops.cast(is_frame, frames.dtype)
    for _ in frames.shape[2:]:
        counts = ops.expand_dims(counts, -1)
    return frames * counts


def pool_frames(frames: Any, is_frame: Any, pooling: str) -> Any:
    """Pool the frames of each clip to one vector.

    Args:
        frames: float32 (batch, n_frames, n_values).
        is_frame: bool (batch, n_frames), whether a frame is inside its clip.
        pooling: mean; attentive: a weighted mean, whose weights a small network computes from each frame; statistics: mean and
            standard deviation; attentive_statistics: both, with such weights.

    Returns:
        float32 (batch, n_values); for statistics (batch, 2 * n_values).
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
    """Return frames after self-attention over the frames of their clip, with a residual connection (Vaswani et al. 2017)."""
    n_values = frames.shape[-1]
    attention = keras.layers.MultiHeadAttention(n_heads, max(1, n_values // n_heads), dropout=dropout)
    normalised = keras.layers.LayerNormalization()(frames)
    attended = attention(normalised, normalised, attention_mask=ops.expand_dims(is_frame, 1))
    return keras.layers.Add()([frames, keras.layers.Dropout(dropout)(attended)])
