"""Layer sizes of vgg_mini against those of the system it comes from."""

import keras
import pytest

from architectures import vgg_mini
from xval.errors import SettingsError


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """Return the model for 3 s at 16 kHz: 301 frames of 513 bins."""
    return vgg_mini.build((301, 513, 1), (1251,))


def test_each_layer_has_the_size_of_the_original(model):
    kinds = (keras.layers.Conv2D, keras.layers.MaxPooling2D, keras.layers.Dense)
    assert [layer.output.shape[1:] for layer in model.layers if isinstance(layer, kinds)] == [
        (149, 255, 96),
        (74, 127, 96),
        (36, 63, 1024),
        (17, 31, 1024),
        (17, 1024, 1),  # the bins of each frame and channel
        (1024, 1),  # the frames of each channel
        (1251,),
    ]


def test_dense_layers_over_bins_and_frames_are_shared_by_the_channels(model):
    assert model.get_layer("over_bins").kernel.shape == (31, 1)
    assert model.get_layer("over_frames").kernel.shape == (17, 1)


def test_each_convolution_is_followed_by_normalization_dropout_relu_and_pooling(model):
    block = ["ZeroPadding2D", "Conv2D", "BatchNormalization", "Dropout", "ReLU", "MaxPooling2D"]
    assert [type(layer).__name__ for layer in model.layers[1:13]] == block * 2


def test_dropout_is_the_option_everywhere():
    model = vgg_mini.build((33, 33, 1), (2,), dropout=0.2)
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [0.2] * 3


@pytest.mark.parametrize("shape", [(32, 33, 1), (33, 32, 1)])
def test_an_input_below_33_x_33_is_refused_with_that_size(shape):
    with pytest.raises(SettingsError, match="smallest allowed size is 33 x 33"):
        vgg_mini.build(shape, (2,))


def test_it_takes_exactly_two_numbers_of_filters():
    with pytest.raises(SettingsError, match=r"'vgg_mini', option 'n_filters': received \(96,\). Allowed: exactly 2 numbers"):
        vgg_mini.build((33, 33, 1), (2,), n_filters=(96,))
