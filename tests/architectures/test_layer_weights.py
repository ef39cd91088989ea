"""The layers of an embedding are averaged by weights that are learned, saved, and loaded like any others."""

import keras
import numpy as np
import pytest

from architectures._layer_weights import weigh_layers
from xval.models.saved.load import read_keras_model


@pytest.mark.parametrize("shape", [(5, 6), (6,)])
def test_layers_are_weighted_by_a_softmax_that_is_learned(shape, tmp_path):
    layers = np.random.default_rng(0).normal(size=(4, *shape)).astype(np.float32)
    apart = layers.reshape(4, *shape[:-1], 3, 2)
    inputs = keras.Input(shape)
    model = keras.Model(inputs, weigh_layers(shape, 3)(inputs))
    np.testing.assert_allclose(model.predict_on_batch(layers), apart.mean(axis=-2), atol=1e-6)
    (kernel,) = model.trainable_variables
    kernel.assign([[0.0, 1.0, 3.0]])
    weights = np.exp([0, 1, 3]) / np.exp([0, 1, 3]).sum()
    expected = np.tensordot(apart, weights, axes=([-2], [0]))
    np.testing.assert_allclose(model.predict_on_batch(layers), expected, atol=1e-6)
    model.save(tmp_path / "model.keras")
    loaded = read_keras_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict_on_batch(layers), expected, atol=1e-6)
    loaded.compile(keras.optimizers.SGD(1.0), loss="mse")
    loaded.fit(layers, apart[..., 0, :], epochs=30, verbose=0)
    learned = keras.ops.convert_to_numpy(loaded.trainable_variables[0])[0]
    assert learned.argmax() == 0  # the first layer is what was asked for
