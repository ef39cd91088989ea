"""Convolutional recurrent network with attentive pooling, for clips of any length.

Blocks of 3x3 convolution, batch normalisation over the frames of clips without padding, ReLU and 2x2 max-pooling, a GRU over
the remaining frames (Choi et al. 2017, "Convolutional recurrent neural networks for music classification"), and attentive
statistics of its outputs (Okabe et al. 2018). Unlike `crnn` it ignores padding, so a longer padding does not change
predictions.

Input: examples (frames, bins, channels) with NaN after the ends of clips (padding = masked), usually log-mel spectrograms.
Output: a Keras model with linear outputs; the engine adds softmax and loss. 108,696 parameters at 64 x 64 x 1 and 8 classes.
"""

import keras
from keras import layers, ops

from architectures._checks import check_counts, check_dropout, check_input, check_layers, halving
from architectures._masked_pooling import cut_behind, pool_frames, split_padding

reshaping_type = "conv"
task_types = ("classification", "regression")
defaults = {"padding": "masked"}


def build(
    input_shape: tuple[int, ...],
    output_shape: tuple[int, ...],
    *,
    n_filters: tuple[int, ...] = (16, 32, 48),
    n_units: int = 32,
    dropout: float = 0.3,
) -> keras.Model:
    """Build the network for one size of input.

    Args:
        input_shape: (frames, bins, channels); frames may be None.
        output_shape: Last entry: number of classes, or of values to predict.
        n_filters: Filters of each convolution block.
        n_units: Units of the GRU, in each direction.
        dropout: Share of the values set to zero in training, before the GRU and before the last layer, 0 to below 1.

    Returns:
        Model from float32 (n_examples, frames, bins, channels) to float32 (n_examples, output_shape[-1]), linear.

    Raises:
        SettingsError: An option is out of its range, or the input has other axes.
    """
    check_input(__name__, input_shape, ("frames", "bins", "channels"), any_length=True)
    check_layers(__name__, n_filters=n_filters)
    check_counts(__name__, n_units=n_units)
    check_dropout(__name__, dropout)

    inputs = layers.Input(input_shape)
    x, is_frame = split_padding(inputs)
    for filters in n_filters:
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        in_clips = ops.logical_and(ops.expand_dims(is_frame, 2), ops.ones_like(x[..., 0], dtype="bool"))
        x = layers.BatchNormalization(momentum=0.9)(x, mask=in_clips)
        x = cut_behind(layers.ReLU()(x), is_frame)  # ahead of the maximum, in which a 0 behind the end then counts nothing
        x = layers.MaxPooling2D((2, halving(x.shape[2])), padding="same")(x)
        shares = ops.expand_dims(ops.cast(is_frame, "float32"), 2)
        is_frame = layers.MaxPooling1D(2, padding="same")(shares)[..., 0] > 0
    x = layers.Reshape((x.shape[1] or -1, x.shape[2] * x.shape[3]))(x)
    x = layers.Dropout(dropout)(x)
    x = layers.Bidirectional(layers.GRU(n_units, return_sequences=True))(x, mask=is_frame)
    x = layers.Dropout(dropout)(pool_frames(x, is_frame, "attentive_statistics"))
    return keras.Model(inputs, layers.Dense(output_shape[-1])(x), name="crnn_attention")
