"""The receptive field and the blocks of cp_resnet."""

import keras
import numpy as np
import pytest

from architectures import cp_resnet


def kernels_of(model: keras.Model) -> list[int]:
    """Return the sizes of the convolutions on the main path, in their order."""
    return [layer.kernel_size[0] for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]


def receptive_field(model: keras.Model) -> int:
    """Return over how many frames of the input a value of the last maps reaches."""
    maps = next(layer for layer in model.layers if isinstance(layer, keras.layers.Reshape)).input
    of_maps = keras.Model(model.input, maps)
    example = np.random.default_rng(0).normal(size=(128, 16, 1)).astype(np.float32)
    changed = example + 10 * np.eye(128, dtype=np.float32)[:, :, np.newaxis, np.newaxis]  # another frame in each
    maps = keras.ops.convert_to_numpy(of_maps(np.concatenate([example[np.newaxis], changed])))
    middle = maps[:, maps.shape[1] // 2]
    reached = np.flatnonzero(np.abs(middle[1:] - middle[0]).max(axis=(1, 2)) > 1e-5)
    return reached[-1] - reached[0] + 1


@pytest.mark.parametrize(("rho", "kernels"), [(1, [5, 3, 1, 1, 1, 1]), (3, [5, 3, 3, 3, 1, 1]), (9, [5, 3, 3, 3, 3, 1])])
def test_the_first_kernels_are_wide_and_those_behind_them_1x1(rho, kernels):
    assert kernels_of(cp_resnet.build((64, 40, 1), (10,), n_filters=(4, 8), rho=rho)) == kernels


def test_the_receptive_field_grows_with_rho():
    # 5 frames of the first convolution, 2 apart: each 3x3 adds 4 of them before the pooling
    assert [receptive_field(cp_resnet.build((128, 16, 1), (2,), n_filters=(4, 4), rho=rho)) for rho in (1, 2, 4)] == [9, 13, 21]


def test_blocks_halve_the_maps_where_filters_grow():
    model = cp_resnet.build((64, 40, 1), (10,), n_filters=(4, 4, 8, 16))

    pooled = [layer.output.shape[1:] for layer in model.layers if isinstance(layer, keras.layers.MaxPooling2D)]
    assert pooled == [(16, 10, 4), (8, 5, 8)]
    assert model.layers[-1].kernel.shape == (5 * 16, 10)
    averaged = cp_resnet.build((64, 40, 1), (10,), n_filters=(4, 16), pooling="frames_and_bins")
    assert averaged.layers[-1].kernel.shape == (16, 10)
