"""TensorFlow's own batch normalisation in the place of Keras's."""

import keras
import numpy as np
import pytest

from xval.backend.fused_normalization import fuse_normalization


@pytest.fixture
def make_model():
    def make(**options):
        keras.utils.set_random_seed(3)
        layers = [keras.layers.Conv2D(3, 3, use_bias=False), keras.layers.BatchNormalization(momentum=0.8, **options)]
        model = keras.Sequential([keras.Input((6, 5, 2)), *layers, keras.layers.Flatten(), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
        return model

    return make


def train(model, sizes=(8, 8, 3)):
    """Return losses of batches, what the model answers, and its weights."""
    rng = np.random.default_rng(1)
    batches = [(rng.normal(2, 3, (size, 6, 5, 2)).astype(np.float32), rng.normal(size=(size, 1))) for size in sizes]
    losses = [float(model.train_on_batch(*batch)) for batch in batches]
    return losses, model.predict_on_batch(batches[0][0]), model.get_weights()


@pytest.mark.parametrize(("dtype", "rounding"), [("float32", 1e-4), ("mixed_bfloat16", 2e-2)])
def test_losses_weights_and_statistics_are_those_of_keras_but_for_the_last_digits(make_model, dtype, rounding):
    theirs, ours = make_model(dtype=dtype), make_model(dtype=dtype)
    config = ours.get_config()
    fuse_normalization(ours)
    assert "call" in vars(ours.layers[1])
    assert ours.get_config() == config

    (wanted_losses, wanted, wanted_weights), (losses, found, weights) = train(theirs), train(ours)

    np.testing.assert_allclose(losses, wanted_losses, rtol=rounding)
    np.testing.assert_allclose(found, wanted, rtol=10 * rounding, atol=rounding)
    for one, other in zip(weights, wanted_weights, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=10 * rounding, atol=rounding)


@pytest.mark.parametrize("options", [{"scale": False}, {"center": False}, {"dtype": "mixed_float16"}, {"axis": 1}])
def test_layers_that_the_operation_cannot_stand_for_are_left_to_keras(make_model, options):
    model = make_model(**options)
    fuse_normalization(model)

    assert "call" not in vars(model.layers[1])


def test_a_frozen_layer_keeps_its_statistics(make_model):
    model = make_model()
    model.layers[1].trainable = False
    fuse_normalization(model)
    before = [np.array(value) for value in model.layers[1].get_weights()]

    train(model, sizes=(3,))

    assert all(np.array_equal(one, other) for one, other in zip(before, model.layers[1].get_weights(), strict=True))
