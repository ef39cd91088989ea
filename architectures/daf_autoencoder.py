"""Convolutional autoencoder of deep_audio_features: it learns a small code of a spectrogram without labels.

The encoder has 5x5 convolutions with 2x2 max-pooling, and batch normalisation and LeakyReLU after all but the last one, whose
few channels are the code. The decoder has up-sampling and 5x5 transposed convolutions back to the input. Source: the package
deep_audio_features (Theodoros Giannakopoulos, https://github.com/tyiannak/deep_audio_features), from a description of its
layers. The original unpools at the positions of the encoder's maxima, which are not part of the code. Here each value of the
code is repeated instead.

Input: examples (frames, bins, channels) of any size. Odd sizes are pooled to the next larger half, and the repeated last
frame or bin is cropped in the decoder. Output: a Keras model with linear outputs of the same shape as its input; its layer
`embedding` gives the flattened code. 2,183,691 parameters at 60 x 128 x 1.
"""

import keras
from keras import layers

from architectures._checks import check_counts, check_input, check_layers
from xval.base.errors import SettingsError

reshaping_type = "conv"
task_types = ("representation",)

_KERNEL_SIZE = 5
_SLOPE = 0.01


def build(
    input_shape: tuple[int, ...],
    output_shape: tuple[int, ...],
    *,
    n_filters: tuple[int, ...] = (64, 128, 256),
    representation_channels: int = 10,
) -> keras.Model:
    """Build the network for one size of input.

    Args:
        input_shape: (frames, bins, channels).
        output_shape: The same shape.
        n_filters: Filters of the encoder's convolutions except the last; the decoder has them in reverse order.
        representation_channels: Channels of the code; with f frames and b bins, each has about f b / 256 values.

    Returns:
        Model from float32 (n_examples, frames, bins, channels) to float32 of the same shape, linear.

    Raises:
        SettingsError: An option is out of its range, the input has other axes, or the output another shape.
    """
    check_input(__name__, input_shape, ("frames", "bins", "channels"))
    check_layers(__name__, n_filters=n_filters)
    check_counts(__name__, representation_channels=representation_channels)
    if tuple(output_shape) != tuple(input_shape):
        raise SettingsError(
            f"architecture 'daf_autoencoder': received targets of shape {output_shape} for examples of {input_shape}; it gives "
            "examples back. Set task_type to representation, or choose another architecture."
        )

    inputs = x = layers.Input(input_shape)
    sizes = []
    for filters in (*n_filters, representation_channels):
        sizes.append(x.shape[1:3])
        x = layers.Conv2D(filters, _KERNEL_SIZE, padding="same")(x)
        if len(sizes) <= len(n_filters):
            x = _activate(x)
        x = layers.MaxPooling2D(2, padding="same")(x)
    code_shape = x.shape[1:]
    x = layers.Flatten(name="embedding")(x)
    x = layers.Reshape(code_shape)(x)
    for filters, size in zip(reversed(n_filters), reversed(sizes[1:]), strict=True):
        x = _activate(layers.Conv2DTranspose(filters, _KERNEL_SIZE, padding="same")(_enlarge(x, size)))
    x = _enlarge(x, sizes[0])
    outputs = layers.Conv2DTranspose(input_shape[-1], _KERNEL_SIZE, padding="same")(x)
    return keras.Model(inputs, outputs, name="daf_autoencoder")


def _activate(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.LeakyReLU(_SLOPE)(layers.BatchNormalization(momentum=0.9)(x))


def _enlarge(x: keras.KerasTensor, size: tuple[int, int]) -> keras.KerasTensor:
    """Return the maps enlarged by repeating each value in both directions, and cropped to a size (frames, bins)."""
    x = layers.UpSampling2D(2)(x)
    n_frames, n_bins = x.shape[1:3]
    return layers.Cropping2D(((0, n_frames - size[0]), (0, n_bins - size[1])))(x)
