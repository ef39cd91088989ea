"""DENet: band-pass filters with learned cut-off frequencies, weighted in each frame, and a recurrent layer over frames.

Greco, Roberto, Saggese & Vento 2021, "DENet: a deep architecture for audio surveillance applications". Each frame passes
SincConv, the denoising-enhancement layer, which sums the bands with learned weights, max-pooling, and two convolutions. A
bidirectional GRU and dense layers follow over the frames, so the prediction for a frame uses its neighbours.

Input: sequences of frames of samples (frames, samples, 1). Output: a Keras model with linear outputs for each frame; the
engine adds softmax or sigmoid and loss. 47,815,279 parameters at 10 x 800 x 1 and 2 classes.
"""

import keras
from keras import layers

from architectures._checks import check_counts, check_dropout, check_layers
from architectures._de_layer import DenoisingEnhancement
from architectures._frames import check_filters, check_frames, merge_frames, shortest_input, split_frames
from architectures._sinc_conv import SincConv

reshaping_type = "none"
task_types = ("frame_classification",)
features = "waveform"

_POOL = 3
_CONVOLUTION_LENGTH = 5
_SLOPE = 0.3
_ENHANCEMENT_KERNEL_LENGTH = 7
_ENHANCEMENT_STRIDES = (2, 3, 3)


def build(
    input_shape: tuple[int, ...],
    output_shape: tuple[int, ...],
    *,
    n_filters: int = 80,
    kernel_length: int = 251,
    before_pooling: bool = True,
    n_enhancement_filters: tuple[int, ...] = (30, 30, 10),
    n_enhancement_units: tuple[int, ...] = (128, 64),
    n_conv_filters: tuple[int, ...] = (60, 60),
    n_gru_units: int = 2048,
    n_units: tuple[int, ...] = (1024, 512),
    dropout: float = 0.3,
    sample_rate_hz: int = 16000,
) -> keras.Model:
    """Build the network for one size of input.

    Args:
        input_shape: (n_frames, samples_per_frame, 1).
        output_shape: (n_frames, n_classes).
        n_filters: Number of band-pass filters.
        kernel_length: Taps of each filter, odd.
        before_pooling: Whether the denoising-enhancement layer follows the filters directly; else it follows the first dropout.
        n_enhancement_filters: Filters of each convolution of the denoising-enhancement layer.
        n_enhancement_units: Units of each dense layer in it.
        n_conv_filters: Filters of each convolution after it.
        n_gru_units: Units of the GRU in each direction; the two directions are summed.
        n_units: Units of each dense layer over the GRU.
        dropout: Share set to zero in training, 0 to below 1: of the channels of each frame after each pooling, of the inputs of
            the GRU, and of the values after each dense layer.
        sample_rate_hz: Sample rate (Hz); xval passes the feature setting of this name.

    Returns:
        Model from float32 (n_examples, n_frames, samples_per_frame, 1) to float32 (n_examples, n_frames, n_classes), linear.

    Raises:
        SettingsError: An option is out of its range, the input has other axes, or no step is left after the last pooling.
    """
    check_counts(__name__, n_filters=n_filters, n_gru_units=n_gru_units)
    check_filters(__name__, kernel_length=kernel_length, sample_rate_hz=sample_rate_hz)
    check_layers(__name__, n_layers=len(_ENHANCEMENT_STRIDES), n_enhancement_filters=n_enhancement_filters)
    check_layers(__name__, n_enhancement_units=n_enhancement_units, n_conv_filters=n_conv_filters, n_units=n_units)
    check_dropout(__name__, dropout)
    check_frames(__name__, input_shape, output_shape, _shortest_frame(len(n_conv_filters), before_pooling=before_pooling))

    enhance = DenoisingEnhancement(
        n_enhancement_filters, _ENHANCEMENT_KERNEL_LENGTH, _ENHANCEMENT_STRIDES, n_enhancement_units, name="enhancement"
    )
    inputs = layers.Input(input_shape)
    x = SincConv(n_filters, kernel_length, sample_rate_hz, padding="same")(merge_frames(inputs))
    x = enhance(x) if before_pooling else x
    x = layers.MaxPooling1D(_POOL)(x)
    x = layers.LeakyReLU(_SLOPE)(x)
    x = layers.SpatialDropout1D(dropout)(x)
    x = x if before_pooling else enhance(x)
    for filters in n_conv_filters:
        x = layers.Conv1D(filters, _CONVOLUTION_LENGTH)(x)
        x = layers.MaxPooling1D(_POOL)(x)
        x = layers.LayerNormalization()(x)
        x = layers.LeakyReLU(_SLOPE)(x)
        x = layers.SpatialDropout1D(dropout)(x)
    x = split_frames(x, input_shape[0])
    x = layers.Bidirectional(layers.GRU(n_gru_units, return_sequences=True, dropout=dropout), merge_mode="sum")(x)
    for units in n_units:
        x = layers.Dense(units, use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.LeakyReLU(_SLOPE)(x)
        x = layers.Dropout(dropout)(x)
    outputs = layers.Dense(output_shape[-1])(x)
    return keras.Model(inputs, outputs, name="denet")


def _shortest_frame(n_convolutions: int, *, before_pooling: bool) -> int:
    """Return the smallest number of samples in a frame that both the convolutions and the enhancement layer can read."""
    pool = (_POOL, _POOL)
    blocks = shortest_input([pool, *[(_CONVOLUTION_LENGTH, 1), pool] * n_convolutions])
    within = [(_ENHANCEMENT_KERNEL_LENGTH, stride) for stride in _ENHANCEMENT_STRIDES]
    return max(blocks, shortest_input(within if before_pooling else [pool, *within]))
