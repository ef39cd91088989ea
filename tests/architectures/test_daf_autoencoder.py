"""The code of daf_autoencoder, and outputs of the shape of its inputs."""

from itertools import pairwise

import keras
import numpy as np
import pytest

from architectures import daf_autoencoder
from xval.base.errors import SettingsError

SMALL = {"n_filters": (3, 4, 5), "representation_channels": 2}


@pytest.mark.parametrize("shape", [(16, 32, 1), (60, 128, 1), (59, 41, 1), (17, 33, 2), (3, 1, 1), (1, 1, 1)], ids=str)
def test_outputs_have_the_shape_of_the_inputs(shape):
    model = daf_autoencoder.build(shape, shape, **SMALL)
    examples = np.zeros((2, *shape), "float32")
    assert keras.ops.shape(model(examples)) == examples.shape


@pytest.mark.parametrize(("shape", "n_values"), [((60, 128, 1), 4 * 8 * 2), ((17, 16, 1), 2 * 1 * 2)], ids=str)
def test_the_embedding_is_the_flattened_code(shape, n_values):
    model = daf_autoencoder.build(shape, shape, **SMALL)
    embedding = keras.Model(model.input, model.get_layer("embedding").output)
    assert embedding.output_shape == (None, n_values)


def test_everything_behind_the_embedding_sees_the_code_alone():
    shape = (20, 24, 1)
    model = daf_autoencoder.build(shape, shape, **SMALL)
    both = keras.Model(model.input, [model.get_layer("embedding").output, model.output])
    examples = np.random.default_rng(1).standard_normal((2, *shape)).astype("float32")
    codes, outputs = both(examples)
    at = [layer.name for layer in model.layers].index("embedding")
    values = codes
    for layer in model.layers[at + 1 :]:
        values = layer(values)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(values), keras.ops.convert_to_numpy(outputs), atol=1e-6)


def test_it_has_the_weights_of_the_layer_table():
    channels = (1, 64, 128, 256, 10, 256, 128, 64, 1)
    convolutions = sum((25 * before + 1) * after for before, after in pairwise(channels))
    normalization = 4 * 2 * (64 + 128 + 256)
    shape = (60, 128, 1)
    assert daf_autoencoder.build(shape, shape).count_params() == convolutions + normalization


def test_outputs_of_another_shape_are_refused_with_the_task_that_it_does():
    with pytest.raises(SettingsError, match=r"targets of shape \(3,\) for .*\(20, 24, 1\).*task_type to representation"):
        daf_autoencoder.build((20, 24, 1), (3,))
