"""VGG-M of a speaker-identification system for examples of one length: VGGVox with a dense layer over time.

It has the layers of vggvox (which names their source), with 256 filters in the third convolution, dropout before each ReLU, a
dense layer over the frames (shared by all channels) instead of their mean, and batch normalisation and dropout after fc7,
without ReLU.

Input: examples (frames, bins, channels) of any size; the original system uses 3 s at 16 kHz, n_fft 1024, hop 160: 301 x 513.
Output: a Keras model with linear outputs; the engine adds softmax and loss. 16,061,523 parameters at 301 x 513 x 1 and 10
classes.
"""

import keras
from keras import layers

from architectures._checks import check_dropout, check_input, check_layers
from architectures._vgg import AXES, convolve_five_times, join_bins, normalize, weigh_frames

reshaping_type = "conv"
task_types = ("classification", "regression")


def build(
    input_shape: tuple[int, ...],
    output_shape: tuple[int, ...],
    *,
    n_filters: tuple[int, ...] = (96, 256, 256, 256, 256),
    n_units: tuple[int, ...] = (4096, 1024),
    dropout: float = 0.0,
) -> keras.Model:
    """Build the network for one size of input.

    Args:
        input_shape: (frames, bins, channels).
        output_shape: Last entry: number of classes, or of values to predict.
        n_filters: Filters of each of the five convolutions.
        n_units: Filters of fc6, and units of fc7.
        dropout: Share of the values after each batch normalisation set to zero in training, 0 to below 1. The original has
            0.5, with which a small dataset stayed at chance (see _vgg.py).

    Returns:
        Model from float32 (n_examples, frames, bins, channels) to float32 (n_examples, output_shape[-1]), linear.

    Raises:
        SettingsError: An option is out of its range, or the input has other axes.
    """
    check_input(__name__, input_shape, AXES)
    check_layers(__name__, n_layers=5, n_filters=n_filters)
    check_layers(__name__, n_layers=2, n_units=n_units)
    check_dropout(__name__, dropout)

    inputs = layers.Input(input_shape)
    x = convolve_five_times(inputs, n_filters, dropout)
    x = join_bins(x, n_units[0], dropout)
    x = weigh_frames(x)
    x = normalize(layers.Dense(n_units[1], name="fc7")(x), dropout)
    outputs = layers.Dense(output_shape[-1])(x)
    return keras.Model(inputs, outputs, name="vgg_net")
