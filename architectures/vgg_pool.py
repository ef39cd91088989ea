"""vgg_mini with pooling over time, for clips of any length: trained on crops, tested on whole utterances.

It has the layers of vgg_mini (which names their source), with the mean or the maximum over the frames instead of the dense
layer.

Input: examples (frames, bins, channels) of any size; if the number of frames is not fixed, 33 or more. Output: a Keras model
with linear outputs; the engine adds softmax and loss. 2,482,282 parameters at 301 x 513 x 1 and 10 classes.
"""

from typing import Literal

import keras

from architectures._checks import check_choice
from architectures._vgg import build_two_convolutions

reshaping_type = "conv"
task_types = ("classification", "regression")


def build(
    input_shape: tuple[int | None, ...],
    output_shape: tuple[int, ...],
    *,
    pooling: Literal["average", "max"] = "average",
    n_filters: tuple[int, ...] = (96, 1024),
    dropout: float = 0.2,
) -> keras.Model:
    """Build the network for one size of input, or for any number of frames.

    Args:
        input_shape: (frames, bins, channels); frames may be None.
        output_shape: Last entry: number of classes, or of values to predict.
        pooling: How the frames of each channel become one value.
        n_filters: Filters of the first and of the second convolution.
        dropout: Share of the values set to zero in training, 0 to below 1; the original's is 0.5 (see _vgg.py).

    Returns:
        Model from float32 (n_examples, frames, bins, channels) to float32 (n_examples, output_shape[-1]), linear.

    Raises:
        SettingsError: An option is out of its range, or the input has other axes.
    """
    check_choice(__name__, ("average", "max"), pooling=pooling)
    return build_two_convolutions(
        __name__, input_shape, output_shape, n_filters=n_filters, dropout=dropout, over_frames=pooling
    )
