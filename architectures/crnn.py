"""Convolutional recurrent network (CRNN): convolutions find local patterns, a recurrent layer follows them over time.

Blocks of 3x3 convolution, batch normalisation, ReLU and 2x2 max-pooling, then a GRU over the remaining frames and the mean of
its outputs (Choi et al. 2017, "Convolutional recurrent neural networks for music classification"). With ``pool_frames=False``
the blocks pool only over the bins and every frame reaches the GRU, as in Cakir et al. 2017, "Convolutional recurrent neural
networks for polyphonic sound event detection". frame_classification always does this: the columns of the spectrogram in a
labelled frame are pooled before the GRU, and each frame gets its own prediction.

Input: examples (frames, bins, channels), usually normalised log-mel spectrograms. Output: a Keras model with linear outputs;
the engine adds softmax or sigmoid and loss. 246,874 parameters at 64 x 64 x 1 and 10 classes.
"""

import keras
from keras import layers

from architectures._checks import check_counts, check_dropout, check_input, check_layers, halving

reshaping_type = "conv"
task_types = ("classification", "regression", "frame_classification")


def build(
    input_shape: tuple[int, ...],
    output_shape: tuple[int, ...],
    *,
    n_filters: tuple[int, ...] = (16, 32, 64),
    n_units: int = 64,
    bidirectional: bool = True,
    pool_frames: bool = True,
    dropout: float = 0.3,
) -> keras.Model:
    """Build the network for one size of input.

    Args:
        input_shape: (frames, bins, channels); frames may be None if clips have labels.
        output_shape: (n_outputs,), the number of classes, or of values to predict; or (n_labelled_frames, n_classes), and then
            frames has to be a multiple of n_labelled_frames.
        n_filters: Filters of each convolution block.
        n_units: Units of the GRU, in each direction.
        bidirectional: Whether the GRU also runs backwards; its outputs are then twice as many.
        pool_frames: Whether the blocks halve the number of frames, too, and not only the bins; only if clips have labels.
        dropout: Share of the values set to zero in training, after each block and after the GRU, 0 to below 1.

    Returns:
        Model from float32 (n_examples, frames, bins, channels) to float32 (n_examples, *output_shape), linear.

    Raises:
        SettingsError: An option is out of its range, or the input has other axes.
        ValueError: The number of frames is not a multiple of n_labelled_frames.
    """
    by_frame = len(output_shape) > 1
    check_input(__name__, input_shape, ("frames", "bins", "channels"), any_length=not by_frame)
    columns, rest = divmod(input_shape[0], output_shape[0]) if by_frame else (1, 0)
    if rest:
        raise ValueError(f"{input_shape[0]} frames cannot be shared among {output_shape[0]} labels")
    check_layers(__name__, n_filters=n_filters)
    check_counts(__name__, n_units=n_units)
    check_dropout(__name__, dropout)

    inputs = x = layers.Input(input_shape)
    for filters in n_filters:
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        # The maximum before the ReLU gives the same numbers as after it, and the ReLU has a quarter of the work.
        x = layers.MaxPooling2D((halving(x.shape[1]) if pool_frames and not by_frame else 1, halving(x.shape[2])))(x)
        x = layers.ReLU()(x)
        x = layers.Dropout(dropout)(x)
    x = layers.Reshape((x.shape[1] or -1, x.shape[2] * x.shape[3]))(x)
    x = layers.MaxPooling1D(columns)(x) if columns > 1 else x
    gru = layers.GRU(n_units, return_sequences=True)
    x = layers.Bidirectional(gru)(x) if bidirectional else gru(x)
    x = x if by_frame else layers.GlobalAveragePooling1D()(x)
    x = layers.Dropout(dropout)(x)
    outputs = layers.Dense(output_shape[-1])(x)
    return keras.Model(inputs, outputs, name="crnn")
