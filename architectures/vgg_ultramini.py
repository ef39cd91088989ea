"""vgg_mini with an eighth of the filters in its second convolution: the smallest VGG of the speaker-identification system.

It has the layers of vgg_mini (which names their source), with 128 filters instead of 1024 in the second convolution.

Input: examples (frames, bins, channels) of any size; the original system uses 301 x 513. Output: a Keras model with linear
outputs; the engine adds softmax and loss. 314,876 parameters at 301 x 513 x 1 and 10 classes.
"""

import keras

from architectures._vgg import build_two_convolutions

reshaping_type = "conv"
task_types = ("classification", "regression")


def build(
    input_shape: tuple[int, ...],
    output_shape: tuple[int, ...],
    *,
    n_filters: tuple[int, ...] = (96, 128),
    dropout: float = 0.2,
) -> keras.Model:
    """Build the network for one size of input.

    Args:
        input_shape: (frames, bins, channels).
        output_shape: Last entry: number of classes, or of values to predict.
        n_filters: Filters of the first and of the second convolution.
        dropout: Share of the values set to zero in training, 0 to below 1; the original's is 0.5 (see _vgg.py).

    Returns:
        Model from float32 (n_examples, frames, bins, channels) to float32 (n_examples, output_shape[-1]), linear.

    Raises:
        SettingsError: An option is out of its range, or the input has other axes.
    """
    return build_two_convolutions(
        __name__, input_shape, output_shape, n_filters=n_filters, dropout=dropout, over_frames="dense"
    )
