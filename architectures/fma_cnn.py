"""Convolutional network for music genres in windows of 3 s; the prediction for a clip is the mean over its windows.

Four blocks of 3x3 convolution, ReLU, 2x2 max-pooling and dropout, then one hidden dense layer on the flattened maps, as used
with FMA (Defferrard et al. 2017, "FMA: a dataset for music analysis"). Flattened maps keep the position of a sound in the
window.

Input: examples (frames, bins, channels) of any size; the original system uses log-mel windows of 3 s at 44.1 kHz, n_fft 2048,
hop 512, scaled per clip: 259 x 128. An axis of one value is not pooled. Output: a Keras model with linear outputs; the engine
adds softmax and loss. 2,195,464 parameters at 259 x 128 x 1 and 8 classes.
"""

import keras
from keras import layers

from architectures._checks import check_counts, check_dropout, check_input, check_layers, halving

reshaping_type = "conv"
task_types = ("classification", "regression")


def build(
    input_shape: tuple[int, ...],
    output_shape: tuple[int, ...],
    *,
    n_filters: tuple[int, ...] = (16, 32, 64, 128),
    n_units: int = 128,
    dropout: float = 0.2,
) -> keras.Model:
    """Build the network for one size of input.

    Args:
        input_shape: (frames, bins, channels).
        output_shape: Last entry: number of classes, or of values to predict.
        n_filters: Filters of each block.
        n_units: Units of the hidden dense layer.
        dropout: Share of the values after each block set to zero in training, 0 to below 1.

    Returns:
        Model from float32 (n_examples, frames, bins, channels) to float32 (n_examples, output_shape[-1]), linear.

    Raises:
        SettingsError: An option is out of its range, or the input has other axes.
    """
    check_input(__name__, input_shape, ("frames", "bins", "channels"))
    check_layers(__name__, n_filters=n_filters)
    check_counts(__name__, n_units=n_units)
    check_dropout(__name__, dropout)

    inputs = x = layers.Input(input_shape)
    for filters in n_filters:
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D((halving(x.shape[1]), halving(x.shape[2])))(x)
        x = layers.Dropout(dropout)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(n_units, activation="relu")(x)
    outputs = layers.Dense(output_shape[-1])(x)
    return keras.Model(inputs, outputs, name="fma_cnn")
