"""Two-convolution VGG of a speaker-identification system, for a few seconds of speech as a log-magnitude STFT.

A cut-down VGG-M as in VGGVox (Nagrani, Chung & Zisserman 2017, "VoxCeleb: a large-scale speaker identification dataset"):
convolution 7x7/2 and 5x5/2, each with batch normalisation, dropout, ReLU and 3x3/2 max-pooling; then one dense layer over the
bins and one over the frames, both shared by all channels, and a dense layer to the classes.

In come examples (frames, bins, channels), at least 33 x 33; the system's own are 3 s at 16 kHz, n_fft 1024, hop 160: 301 x 513.
A Keras model with linear outputs goes out, to which the engine adds softmax and loss.
2,482,300 parameters at 301 x 513 x 1 and 10 classes.
"""

import keras
from keras import layers

from architectures._checks import check_dropout, check_input, check_layers

reshaping_type = "conv"
task_types = ("classification", "regression")

SMALLEST_SIZE = (33, 33)  # leaves one frame and one bin after the last pooling


def build(
    input_shape: tuple[int, ...],
    output_shape: tuple[int, ...],
    *,
    n_filters: tuple[int, ...] = (96, 1024),
    dropout: float = 0.5,
) -> keras.Model:
    """Build the network for one size of input.

    Args:
        input_shape: (frames, bins, channels), at least 33 frames and 33 bins.
        output_shape: Last entry: number of classes, or of values to predict.
        n_filters: Filters of the first and of the second convolution.
        dropout: Share of the values set to zero in training, 0 to below 1.

    Returns:
        Model from float32 (n_examples, frames, bins, channels) to float32 (n_examples, output_shape[-1]), linear.

    Raises:
        SettingsError: An option is out of its range, or the input is too small or has other axes.
    """
    check_input(__name__, input_shape, ("frames", "bins", "channels"), SMALLEST_SIZE)
    check_layers(__name__, n_layers=2, n_filters=n_filters)
    check_dropout(__name__, dropout)

    inputs = x = layers.Input(input_shape)
    for filters, kernel_size in zip(n_filters, (7, 5), strict=True):
        x = layers.ZeroPadding2D(1)(x)
        x = layers.Conv2D(filters, kernel_size, strides=2)(x)
        x = _normalize(x, dropout)
        x = layers.MaxPooling2D(3, strides=2)(x)
    n_channels = n_filters[-1]
    x = layers.Permute((1, 3, 2))(x)
    x = layers.Dense(1, name="over_bins")(x)
    x = layers.Reshape((-1, n_channels))(x)
    x = _normalize(x, dropout)
    x = layers.Permute((2, 1))(x)
    x = layers.Dense(1, name="over_frames")(x)
    x = layers.Reshape((n_channels,))(x)
    outputs = layers.Dense(output_shape[-1])(x)
    return keras.Model(inputs, outputs, name="vgg_mini")


def _normalize(x: keras.KerasTensor, dropout: float) -> keras.KerasTensor:
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.Dropout(dropout)(x)
    return layers.ReLU()(x)
