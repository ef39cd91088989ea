"""Small convolutional network (CNN) for a few thousand short clips: the default, and the baseline for other networks.

Four blocks of 3x3 convolution, batch normalisation, ReLU and 2x2 max-pooling: the block of VGG (Simonyan & Zisserman 2015,
"Very deep convolutional networks for large-scale image recognition") with batch normalisation (Ioffe & Szegedy 2015). The
last maps are averaged over the frames but not over the bins, so the time of a word does not matter and its frequencies do.

Input: examples (frames, bins, channels), usually normalised log-mel spectrograms. Output: a Keras model with linear outputs;
the engine adds softmax and loss. 103,002 parameters at 64 x 64 x 1 and 10 classes.
"""

from typing import Literal

import keras
from keras import layers

from architectures._checks import check_choice, check_dropout, check_input, check_layers, halving

reshaping_type = "conv"
task_types = ("classification", "regression")


def build(
    input_shape: tuple[int, ...],
    output_shape: tuple[int, ...],
    *,
    n_filters: tuple[int, ...] = (16, 32, 64, 128),
    pooling: Literal["frames", "frames_and_bins", "none"] = "frames",
    dropout: float = 0.3,
) -> keras.Model:
    """Build the network for one size of input.

    Args:
        input_shape: (frames, bins, channels); frames may be None unless pooling is none.
        output_shape: Last entry: number of classes, or of values to predict.
        n_filters: Filters of each block.
        pooling: The axes over which the last maps are averaged; none: they are flattened without averaging.
        dropout: Share of the values before the last layer set to zero in training, 0 to below 1.

    Returns:
        Model from float32 (n_examples, frames, bins, channels) to float32 (n_examples, output_shape[-1]), linear.

    Raises:
        SettingsError: An option is out of its range, or the input has other axes.
    """
    check_input(__name__, input_shape, ("frames", "bins", "channels"), any_length=pooling != "none")
    check_layers(__name__, n_filters=n_filters)
    check_choice(__name__, ("frames", "frames_and_bins", "none"), pooling=pooling)
    check_dropout(__name__, dropout)

    inputs = x = layers.Input(input_shape)
    for filters in n_filters:
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        # The maximum before the ReLU gives the same numbers as after it, and the ReLU has a quarter of the work.
        x = layers.MaxPooling2D((halving(x.shape[1]), halving(x.shape[2])))(x)
        x = layers.ReLU()(x)
    if pooling == "frames_and_bins":
        x = layers.GlobalAveragePooling2D()(x)
    else:
        x = layers.Reshape((x.shape[1] or -1, x.shape[2] * x.shape[3]))(x)
        x = layers.GlobalAveragePooling1D()(x) if pooling == "frames" else layers.Flatten()(x)
    x = layers.Dropout(dropout)(x)
    outputs = layers.Dense(output_shape[-1])(x)
    return keras.Model(inputs, outputs, name="cnn_small")
