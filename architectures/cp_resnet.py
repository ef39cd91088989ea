"""Residual network with a limited receptive field, small enough for a CPU: the plain form of CP-ResNet.

Koutini et al. 2019 ("The receptive field as a regularizer in deep convolutional neural networks for acoustic scene
classification") found that residual networks (He et al. 2016) generalise better to other devices if a prediction is the mean
over many small parts of the spectrogram, so later kernels are 1x1. Schmid et al. 2023 ("Efficient acoustic scene
classification with CP-Mobile") use this in small networks. Here: a 5x5/2 convolution, then blocks of two convolutions, the
first ``rho`` of them 3x3 and the others 1x1. A block with more filters than the previous one begins with 2x2 max-pooling.

Input: examples (frames, bins, channels), usually normalised log-mel spectrograms. Output: a Keras model with linear outputs;
the engine adds softmax and loss. 85,762 parameters at 64 x 64 x 1 and 10 classes.
"""

from typing import Literal

import keras
from keras import layers

from architectures._checks import check_choice, check_counts, check_dropout, check_input, check_layers, halving

reshaping_type = "conv"
task_types = ("classification", "regression")


def build(
    input_shape: tuple[int, ...],
    output_shape: tuple[int, ...],
    *,
    n_filters: tuple[int, ...] = (24, 24, 48, 48),
    rho: int = 7,
    pooling: Literal["frames", "frames_and_bins"] = "frames",
    dropout: float = 0.3,
) -> keras.Model:
    """Build the network for one size of input.

    Args:
        input_shape: (frames, bins, channels); frames may be None.
        output_shape: Last entry: number of classes, or of values to predict.
        n_filters: Filters of each block; the first convolution has those of the first block.
        rho: Number of 3x3 convolutions in the blocks, which have two convolutions each; it sets the receptive field.
        pooling: The axes over which the last maps are averaged.
        dropout: Share of the values before the last layer set to zero in training, 0 to below 1.

    Returns:
        Model from float32 (n_examples, frames, bins, channels) to float32 (n_examples, output_shape[-1]), linear.

    Raises:
        SettingsError: An option is out of its range, or the input has other axes.
    """
    check_input(__name__, input_shape, ("frames", "bins", "channels"), any_length=True)
    check_layers(__name__, n_filters=n_filters)
    check_counts(__name__, rho=rho)
    check_choice(__name__, ("frames", "frames_and_bins"), pooling=pooling)
    check_dropout(__name__, dropout)

    inputs = layers.Input(input_shape)
    x = layers.ReLU()(_convolution(inputs, n_filters[0], 5, strides=2))
    for number, filters in enumerate(n_filters):
        if filters > x.shape[3]:
            x = layers.MaxPooling2D((halving(x.shape[1]), halving(x.shape[2])))(x)
        first, second = (3 if 2 * number + place < rho else 1 for place in (0, 1))
        within = layers.ReLU()(_convolution(x, filters, first))
        within = _convolution(within, filters, second)
        beside = x if filters == x.shape[3] else _convolution(x, filters, 1)
        x = layers.ReLU()(layers.Add()([within, beside]))
    if pooling == "frames":
        x = layers.Reshape((x.shape[1] or -1, x.shape[2] * x.shape[3]))(x)
        x = layers.GlobalAveragePooling1D()(x)
    else:
        x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, layers.Dense(output_shape[-1])(x), name="cp_resnet")


def _convolution(x: keras.KerasTensor, filters: int, size: int, strides: int = 1) -> keras.KerasTensor:
    x = layers.Conv2D(filters, size, strides=strides, padding="same", use_bias=False)(x)
    return layers.BatchNormalization(momentum=0.9)(x)
