"""Blocks and poolings of cnn_small."""

import keras
import pytest

from architectures import cnn_small
from xval.base.errors import SettingsError


def map_shapes(model: keras.Model) -> list[tuple[int, ...]]:
    return [layer.output.shape[1:] for layer in model.layers if isinstance(layer, keras.layers.MaxPooling2D)]


def test_four_blocks_halve_both_axes():
    model = cnn_small.build((64, 40, 1), (10,))
    assert map_shapes(model) == [(32, 20, 16), (16, 10, 32), (8, 5, 64), (4, 2, 128)]


def test_an_axis_of_one_is_not_pooled():
    model = cnn_small.build((3, 20, 1), (10,), n_filters=(4, 4, 4))
    assert map_shapes(model) == [(1, 10, 4), (1, 5, 4), (1, 2, 4)]


@pytest.mark.parametrize(("pooling", "n_values"), [("frames", 2 * 128), ("frames_and_bins", 128), ("none", 4 * 2 * 128)])
def test_pooling_decides_how_many_values_the_last_layer_reads(pooling, n_values):
    model = cnn_small.build((64, 40, 1), (10,), pooling=pooling)
    assert model.layers[-1].kernel.shape == (n_values, 10)


def test_an_empty_list_of_filters_is_refused():
    with pytest.raises(SettingsError, match=r"'n_filters': received \(\). Allowed: one number or more"):
        cnn_small.build((64, 40, 1), (10,), n_filters=())
