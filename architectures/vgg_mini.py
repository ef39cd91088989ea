"""Two-convolution VGG of a speaker-identification system, for a few seconds of speech as a log-magnitude STFT.

A smaller VGG-M than in VGGVox (Nagrani, Chung & Zisserman 2017, "VoxCeleb: a large-scale speaker identification dataset"):
convolution 7x7/2 and 5x5/2, each with batch normalisation, dropout, ReLU and 3x3/2 max-pooling; then one dense layer over the
bins and one over the frames, both shared by all channels, and a dense layer to the classes.

Input: examples (frames, bins, channels) of any size; the original system uses 3 s at 16 kHz, n_fft 1024, hop 160: 301 x 513.
Below 33 x 33 the last windows are cut to the size of the maps. Output: a Keras model with linear outputs; the
engine adds softmax and loss. 2,482,300 parameters at 301 x 513 x 1 and 10 classes.
"""

import keras

from architectures._vgg import build_two_convolutions

reshaping_type = "conv"
task_types = ("classification", "regression")


def build(
    input_shape: tuple[int, ...],
    output_shape: tuple[int, ...],
    *,
    n_filters: tuple[int, ...] = (96, 1024),
    dropout: float = 0.5,
) -> keras.Model:
    """Build the network for one size of input.

    Args:
        input_shape: (frames, bins, channels).
        output_shape: Last entry: number of classes, or of values to predict.
        n_filters: Filters of the first and of the second convolution.
        dropout: Share of the values set to zero in training, 0 to below 1. The default is the original's; use less for a small
            dataset.

    Returns:
        Model from float32 (n_examples, frames, bins, channels) to float32 (n_examples, output_shape[-1]), linear.

    Raises:
        SettingsError: An option is out of its range, or the input has other axes.
    """
    return build_two_convolutions(
        __name__, input_shape, output_shape, n_filters=n_filters, dropout=dropout, over_frames="dense"
    )
