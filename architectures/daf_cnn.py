"""Convolutional network of deep_audio_features: four wide blocks and three dense layers on coarse frames of 50 ms.

Four blocks of 5x5 convolution, batch normalisation, LeakyReLU and 2x2 max-pooling; dropout and a dense layer with LeakyReLU,
twice; a dense layer to the classes (the original has a LeakyReLU there too). Source: the package deep_audio_features
(Theodoros Giannakopoulos, https://github.com/tyiannak/deep_audio_features), from a description of its layers.

Input: examples (frames, bins, channels) of any size; the original system uses log-mel, n_fft = hop = 50 ms, 128 bins,
stretched to the mean number of frames. An axis of one value is not pooled. Output: a Keras model with linear outputs; the
engine adds softmax and loss. 7,635,850 parameters at 60 x 128 x 1 and 10 classes.
"""

import keras
from keras import layers

from architectures._checks import check_dropout, check_input, check_layers, halving

reshaping_type = "conv"
task_types = ("classification", "regression")

_SLOPE = 0.01


def build(
    input_shape: tuple[int, ...],
    output_shape: tuple[int, ...],
    *,
    n_filters: tuple[int, ...] = (32, 64, 128, 256),
    n_units: tuple[int, ...] = (1024, 256),
    dropout: float = 0.75,
    hidden_dropout: float = 0.5,
) -> keras.Model:
    """Build the network for one size of input.

    Args:
        input_shape: (frames, bins, channels).
        output_shape: Last entry: number of classes, or of values to predict.
        n_filters: Filters of each block.
        n_units: Units of each hidden dense layer.
        dropout: Share of the values of the flattened maps set to zero in training, 0 to below 1.
        hidden_dropout: The same before every further hidden dense layer.

    Returns:
        Model from float32 (n_examples, frames, bins, channels) to float32 (n_examples, output_shape[-1]), linear.

    Raises:
        SettingsError: An option is out of its range, or the input has other axes.
    """
    check_input(__name__, input_shape, ("frames", "bins", "channels"))
    check_layers(__name__, n_filters=n_filters, n_units=n_units)
    check_dropout(__name__, dropout)
    check_dropout(__name__, hidden_dropout, option="hidden_dropout")

    inputs = x = layers.Input(input_shape)
    for filters in n_filters:
        x = layers.Conv2D(filters, 5, padding="same")(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.LeakyReLU(_SLOPE)(x)
        x = layers.MaxPooling2D((halving(x.shape[1]), halving(x.shape[2])))(x)
    x = layers.Flatten()(x)
    for number, units in enumerate(n_units):
        x = layers.Dropout(hidden_dropout if number else dropout)(x)
        x = layers.Dense(units)(x)
        x = layers.LeakyReLU(_SLOPE)(x)
    outputs = layers.Dense(output_shape[-1])(x)
    return keras.Model(inputs, outputs, name="daf_cnn")
