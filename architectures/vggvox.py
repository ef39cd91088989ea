"""VGGVox, the VGG-M of VoxCeleb's speaker identification: five convolutions, one over all bins, and the mean over time.

Nagrani, Chung & Zisserman 2017, "VoxCeleb: a large-scale speaker identification dataset". Convolutions 7x7/2, 5x5/2 and three
of 3x3, with 3x3/2 max-pooling after the first two and 3x5, 2x3 after the last; fc6, a convolution over the remaining bins;
the mean over the frames; fc7 with ReLU. Batch normalisation and ReLU follow each convolution. The original has no dropout.

Input: examples (frames, bins, channels) of any size; the original system uses linear STFT magnitudes of 3 s, 300 frames of
512 bins. If the number of frames is not fixed, it must be 65 or more. In smaller examples, windows that are longer than a map
are cut to its size. Output: a Keras model with linear outputs; the engine adds softmax and loss. 17,919,907
parameters at 300 x 512 x 1 and 1251 classes (10,688 of them are moving statistics).
"""

import keras
from keras import layers

from architectures._checks import check_dropout, check_input, check_layers
from architectures._vgg import AXES, convolve_five_times, join_bins

reshaping_type = "conv"
task_types = ("classification", "regression")


def build(
    input_shape: tuple[int | None, ...],
    output_shape: tuple[int, ...],
    *,
    n_filters: tuple[int, ...] = (96, 256, 384, 256, 256),
    n_units: tuple[int, ...] = (4096, 1024),
    dropout: float = 0.0,
) -> keras.Model:
    """Build the network for one size of input, or for any number of frames.

    Args:
        input_shape: (frames, bins, channels); frames may be None.
        output_shape: Last entry: number of classes, or of values to predict.
        n_filters: Filters of each of the five convolutions.
        n_units: Filters of fc6, and units of fc7.
        dropout: Share of the values after each batch normalisation set to zero in training, 0 to below 1.

    Returns:
        Model from float32 (n_examples, frames, bins, channels) to float32 (n_examples, output_shape[-1]), linear.

    Raises:
        SettingsError: An option is out of its range, or the input has other axes.
    """
    check_input(__name__, input_shape, AXES, any_length=True)
    check_layers(__name__, n_layers=5, n_filters=n_filters)
    check_layers(__name__, n_layers=2, n_units=n_units)
    check_dropout(__name__, dropout)

    inputs = layers.Input(input_shape)
    x = convolve_five_times(inputs, n_filters, dropout)
    x = join_bins(x, n_units[0], dropout)
    x = layers.GlobalAveragePooling1D()(x)
    x = layers.Dense(n_units[1], activation="relu", name="fc7")(x)
    outputs = layers.Dense(output_shape[-1])(x)
    return keras.Model(inputs, outputs, name="vggvox")
