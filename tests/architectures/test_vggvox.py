"""Layer sizes and weights of vggvox and vgg_net against the layer table of VGGVox."""

import keras
import numpy as np
import pytest

from architectures import vgg_net, vggvox

# (kernel over bins, over frames, channels in, channels out), from conv1 to fc8, with a bias for each channel out
VGGVOX = (
    (7, 7, 1, 96), (5, 5, 96, 256), (3, 3, 256, 384), (3, 3, 384, 256), (3, 3, 256, 256),
    (9, 1, 256, 4096), (1, 1, 4096, 1024), (1, 1, 1024, 1251),
)  # fmt: skip


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """Return vggvox for 3 s: 300 frames of 512 bins."""
    return vggvox.build((300, 512, 1), (1251,))


def test_each_map_has_the_size_of_the_original(model):
    kinds = (keras.layers.Conv2D, keras.layers.MaxPooling2D)
    assert [layer.output.shape[1:] for layer in model.layers if isinstance(layer, kinds)] == [
        (148, 254, 96),
        (73, 126, 96),
        (36, 62, 256),
        (17, 30, 256),
        (17, 30, 384),
        (17, 30, 256),
        (17, 30, 256),
        (8, 9, 256),
        (8, 1, 4096),
    ]


def test_it_has_the_weights_of_the_layer_table(model):
    of_layers = sum((height * width * before + 1) * after for height, width, before, after in VGGVOX)
    of_normalization = 4 * sum(after for *_, after in VGGVOX[:6])
    assert model.count_params() == of_layers + of_normalization == 17_919_907


def test_a_whole_clip_gets_the_average_over_its_frames():
    model = vggvox.build((None, 40, 1), (3,), n_filters=(2, 2, 2, 2, 4), n_units=(6, 5))
    (average,) = (layer for layer in model.layers if isinstance(layer, keras.layers.GlobalAveragePooling1D))
    inside = keras.Model(model.input, [average.input, average.output])
    examples = np.random.default_rng(1).standard_normal((2, 200, 40, 1)).astype("float32")
    frames, vector = (keras.ops.convert_to_numpy(values) for values in inside(examples))
    assert frames.shape == (2, 5, 6)
    np.testing.assert_allclose(vector, frames.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize(("n_frames", "n_bins", "last_window"), [(65, 97, (3, 5)), (64, 97, (2, 5)), (65, 96, (3, 4))])
def test_windows_are_cut_to_maps_from_64_frames_or_96_bins_down(n_frames, n_bins, last_window):
    model = vggvox.build((n_frames, n_bins, 1), (2,), n_filters=(2,) * 5, n_units=(2, 2))
    pools = [layer for layer in model.layers if isinstance(layer, keras.layers.MaxPooling2D)]
    assert [layer.pool_size for layer in pools] == [(3, 3), (3, 3), last_window]


def test_vgg_net_differs_in_its_third_convolution_and_over_the_frames():
    model = vgg_net.build((301, 513, 1), (10,))
    convolutions = [layer.filters for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert convolutions == [96, 256, 256, 256, 256, 4096]
    assert model.get_layer("over_frames").kernel.shape == (8, 1)


def test_vgg_net_normalizes_after_fc7_without_relu():
    model = vgg_net.build((65, 97, 1), (10,), n_filters=(2,) * 5, n_units=(4, 3), dropout=0.4)
    names = [type(layer).__name__ for layer in model.layers]
    assert names[-4:] == ["Dense", "BatchNormalization", "Dropout", "Dense"]
    assert names.count("ReLU") == 6
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [0.4] * 7
