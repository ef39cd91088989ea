"""SincNet on single frames or chunks of a waveform: band-pass filters with learned cut-offs, convolutions, dense layers.

Ravanelli & Bengio 2018, "Speaker recognition from raw waveform with SincNet". Layer normalisation of the samples, SincConv,
its absolute values, then two convolutions, each with max-pooling, layer normalisation over the channels and LeakyReLU; dense
layers with batch normalisation. Each frame is predicted separately, without its neighbours.

Input: sequences of frames of samples (frames, samples, 1), or for classification chunks of samples (samples, 1). Output: a
Keras model with linear outputs for each frame or chunk; the engine adds softmax or sigmoid and loss. 10,675,562 parameters at
10 x 800 x 1 and 2 classes.

As in the paper, a clip gets one label from chunks of 200 ms. Training uses random chunks (``crop_s = 0.2``). For tests the
log posteriors of chunks every 10 ms are averaged (``example_length_s = 0.2``, ``example_overlap = 0.95``, ``clip_average =
logits``), with ``features = waveform`` and ``normalization = none``.
"""

import keras
from keras import layers, ops

from architectures._checks import check_counts, check_dropout, check_layers
from architectures._frames import check_filters, check_frames, merge_frames, shortest_input, split_frames
from architectures._sinc_conv import SincConv

reshaping_type = "none"
task_types = ("frame_classification", "classification")
features = "waveform"

_POOL = 3
_CONVOLUTION_LENGTH = 5
_SLOPE = 0.2
_SMALLEST_VARIANCE = 1e-6


def build(
    input_shape: tuple[int, ...],
    output_shape: tuple[int, ...],
    *,
    n_filters: int = 80,
    kernel_length: int = 251,
    n_conv_filters: tuple[int, ...] = (60, 60),
    n_units: tuple[int, ...] = (2048, 2048, 2048),
    dropout: float = 0.0,
    sample_rate_hz: int = 16000,
) -> keras.Model:
    """Build the network for one size of input.

    Args:
        input_shape: (n_frames, samples_per_frame, 1), or (samples, 1).
        output_shape: (n_frames, n_classes), or (n_classes,).
        n_filters: Number of band-pass filters.
        kernel_length: Taps of each filter, odd.
        n_conv_filters: Filters of each convolution after them.
        n_units: Units of each dense layer.
        dropout: Share of the values after each dense layer set to zero in training, 0 to below 1.
        sample_rate_hz: Sample rate (Hz); xval passes the feature setting of this name.

    Returns:
        Model from float32 (n_examples, *input_shape) to float32 (n_examples, *output_shape), linear.

    Raises:
        SettingsError: An option is out of its range, the input has other axes, or no step is left after the last pooling.
    """
    check_counts(__name__, n_filters=n_filters)
    check_filters(__name__, kernel_length=kernel_length, sample_rate_hz=sample_rate_hz)
    check_layers(__name__, n_conv_filters=n_conv_filters, n_units=n_units)
    check_dropout(__name__, dropout)
    is_chunk = len(input_shape) == len(output_shape) + 1 == 2
    frames = (1, *input_shape) if is_chunk else input_shape
    block = [(_CONVOLUTION_LENGTH, 1), (_POOL, _POOL)]
    check_frames(
        __name__,
        frames,
        (1, *output_shape) if is_chunk else output_shape,
        shortest_input([(kernel_length, 1), (_POOL, _POOL), *block * len(n_conv_filters)]),
    )

    inputs = layers.Input(input_shape)
    # On torch, Keras normalises only the last axis.
    x = layers.Reshape(frames[:2])(inputs)
    x = layers.LayerNormalization(epsilon=_SMALLEST_VARIANCE)(x)
    x = merge_frames(layers.Reshape(frames)(x))
    x = ops.abs(SincConv(n_filters, kernel_length, sample_rate_hz)(x))
    x = _pool_and_normalize(x)
    for filters in n_conv_filters:
        x = _pool_and_normalize(layers.Conv1D(filters, _CONVOLUTION_LENGTH)(x))
    x = layers.LayerNormalization()(split_frames(x, frames[0]))
    for units in n_units:
        x = layers.Dense(units, use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.LeakyReLU(_SLOPE)(x)
        x = layers.Dropout(dropout)(x)
    outputs = layers.Dense(output_shape[-1])(layers.Flatten()(x) if is_chunk else x)
    return keras.Model(inputs, outputs, name="sincnet")


def _pool_and_normalize(x: keras.KerasTensor) -> keras.KerasTensor:
    x = layers.MaxPooling1D(_POOL)(x)
    return layers.LeakyReLU(_SLOPE)(layers.LayerNormalization()(x))
