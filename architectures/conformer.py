"""Small conformer for clips of any length: self-attention for distant frames, convolutions for neighbouring ones.

Each block adds half a feed-forward layer, self-attention, a convolution over frames and another half (Gulati et al. 2020,
"Conformer: convolution-augmented transformer for speech recognition"). The convolution has layer normalisation instead of
batch normalisation, and there is no positional encoding. Attentive statistics pool the frames into one vector per clip (Okabe
et al. 2018).

Input: examples (frames, bins) with NaN after the ends of clips (padding = masked). Output: a Keras model with linear outputs;
the engine adds softmax and loss. 141,768 parameters at 64 x 64 and 8 classes.
"""

from typing import Any

import keras
from keras import layers

from architectures._checks import check_counts, check_dropout, check_input
from architectures._masked_pooling import cut_behind, pool_frames, self_attention, split_padding

reshaping_type = "rnn"
task_types = ("classification", "regression")
defaults = {"padding": "masked"}


def build(
    input_shape: tuple[int, ...],
    output_shape: tuple[int, ...],
    *,
    n_units: int = 64,
    n_blocks: int = 2,
    n_heads: int = 4,
    kernel_frames: int = 15,
    dropout: float = 0.2,
) -> keras.Model:
    """Build the network for one size of input.

    Args:
        input_shape: (frames, bins); frames may be None.
        output_shape: Last entry: number of classes, or of values to predict.
        n_units: Values of a frame in the network; the feed-forward parts have twice as many.
        n_blocks: Number of blocks.
        n_heads: Heads of the self-attention.
        kernel_frames: Kernel size of the convolutions (frames).
        dropout: Share of the values set to zero in training, in each part, 0 to below 1.

    Returns:
        Model from float32 (n_examples, frames, bins) to float32 (n_examples, output_shape[-1]), linear.

    Raises:
        SettingsError: An option is out of its range, or the input has other axes.
    """
    check_input(__name__, input_shape, ("frames", "bins"), any_length=True)
    check_counts(__name__, n_units=n_units, n_blocks=n_blocks, n_heads=n_heads, kernel_frames=kernel_frames)
    check_dropout(__name__, dropout)

    inputs = layers.Input(input_shape)
    x, is_frame = split_padding(inputs)
    x = layers.Dropout(dropout)(layers.Dense(n_units)(x))
    for _ in range(n_blocks):
        x = layers.Add()([x, 0.5 * _feed_forward(x, n_units, dropout)])
        x = self_attention(x, is_frame, n_heads, dropout)
        x = layers.Add()([x, _convolution(x, is_frame, n_units, kernel_frames, dropout)])
        x = layers.Add()([x, 0.5 * _feed_forward(x, n_units, dropout)])
        x = layers.LayerNormalization()(x)
    x = layers.Dropout(dropout)(pool_frames(x, is_frame, "attentive_statistics"))
    return keras.Model(inputs, layers.Dense(output_shape[-1])(x), name="conformer")


def _feed_forward(x: Any, n_units: int, dropout: float) -> Any:
    x = layers.Dense(2 * n_units, activation="silu")(layers.LayerNormalization()(x))
    return layers.Dropout(dropout)(layers.Dense(n_units)(layers.Dropout(dropout)(x)))


def _convolution(x: Any, is_frame: Any, n_units: int, kernel_frames: int, dropout: float) -> Any:
    x = layers.LayerNormalization()(x)
    x = layers.Multiply()([layers.Dense(n_units)(x), layers.Dense(n_units, activation="sigmoid")(x)])
    x = layers.DepthwiseConv1D(kernel_frames, padding="same")(cut_behind(x, is_frame))
    x = layers.Dense(n_units)(layers.Activation("silu")(layers.LayerNormalization()(x)))
    return layers.Dropout(dropout)(x)
