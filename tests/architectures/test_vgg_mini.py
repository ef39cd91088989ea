"""Layer sizes of the VGGs with two convolutions against those of the system they come from."""

import keras
import numpy as np
import pytest

from architectures import vgg_mini, vgg_pool, vgg_ultramini
from xval.base.errors import SettingsError


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """Return vgg_mini for 3 s at 16 kHz: 301 frames of 513 bins."""
    return vgg_mini.build((301, 513, 1), (1251,))


def sizes(model: keras.Model) -> list[tuple[int, ...]]:
    kinds = (keras.layers.Conv2D, keras.layers.MaxPooling2D, keras.layers.Dense)
    return [layer.output.shape[1:] for layer in model.layers if isinstance(layer, kinds)]


def test_each_layer_has_the_size_of_the_original(model):
    assert sizes(model) == [
        (149, 255, 96),
        (74, 127, 96),
        (36, 63, 1024),
        (17, 31, 1024),
        (17, 1024, 1),  # the bins of each frame and channel
        (1024, 1),  # the frames of each channel
        (1251,),
    ]


def test_vgg_ultramini_is_vgg_mini_with_128_filters(model):
    smaller = [tuple(128 if size == 1024 else size for size in shape) for shape in sizes(model)]
    assert sizes(vgg_ultramini.build((301, 513, 1), (1251,))) == smaller


def test_dense_layers_over_bins_and_frames_are_shared_by_the_channels(model):
    assert model.get_layer("over_bins").kernel.shape == (31, 1)
    assert model.get_layer("over_frames").kernel.shape == (17, 1)


def test_each_convolution_is_followed_by_normalization_dropout_relu_and_pooling(model):
    block = ["ZeroPadding2D", "Conv2D", "BatchNormalization", "Dropout", "ReLU", "MaxPooling2D"]
    assert [type(layer).__name__ for layer in model.layers[1:13]] == block * 2


def test_dropout_is_the_option_everywhere():
    model = vgg_mini.build((33, 33, 1), (2,), dropout=0.2)
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [0.2] * 3


def test_windows_are_cut_to_maps_from_32_frames_or_bins_down():
    def last_window(n_frames: int, n_bins: int) -> tuple[int, int]:
        model = vgg_mini.build((n_frames, n_bins, 1), (2,), n_filters=(2, 2))
        return [layer for layer in model.layers if isinstance(layer, keras.layers.MaxPooling2D)][-1].pool_size

    assert last_window(33, 33) == (3, 3)
    assert last_window(32, 33) == (2, 3)
    assert last_window(33, 28) == (3, 2)
    assert last_window(1, 1) == (1, 1)


def test_it_takes_exactly_two_numbers_of_filters():
    with pytest.raises(SettingsError, match=r"'vgg_mini', option 'n_filters': received \(96,\). Allowed: exactly 2 numbers"):
        vgg_mini.build((33, 33, 1), (2,), n_filters=(96,))


@pytest.mark.parametrize(("pooling", "reduce"), [("average", np.mean), ("max", np.max)])
def test_vgg_pool_takes_the_average_or_the_maximum_over_the_frames(pooling, reduce):
    model = vgg_pool.build((None, 40, 1), (3,), pooling=pooling, n_filters=(4, 8))
    frames = keras.Model(model.input, model.layers[-3].output)
    examples = np.random.default_rng(1).standard_normal((2, 90, 40, 1)).astype("float32")
    of_frames = keras.ops.convert_to_numpy(frames(examples))
    assert of_frames.shape == (2, 4, 8)
    kernel, bias = model.layers[-1].get_weights()
    expected = reduce(of_frames, axis=1) @ kernel + bias
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model(examples)), expected, atol=1e-5)
