"""Epochs of TensorFlow in loops that XLA compiles, as on a GPU, compiled for the CPU here."""

import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("of TensorFlow alone", allow_module_level=True)

import tensorflow as tf

from xval.backend import tensorflow_loop
from xval.backend.held_examples import HeldExamples
from xval.backend.on_device import build_followed

BATCH_SIZE = 2
N_LOOP = 16 * BATCH_SIZE
"""Examples of a compiled loop."""


@pytest.fixture
def examples():
    rng = np.random.default_rng(0)
    return rng.normal(size=(N_LOOP + 3 * BATCH_SIZE, 4)).astype(np.float32)


@pytest.fixture
def make_model(examples):
    """Return a function that makes the same model each time."""

    def make_model():
        keras.utils.set_random_seed(0)
        layers = [keras.layers.Dense(3, activation="relu"), keras.layers.Dropout(0.5, seed=1), keras.layers.Dense(2)]
        model = keras.Sequential([keras.Input((4,)), *layers, keras.layers.Softmax()])
        model.compile("adam", "categorical_crossentropy", weighted_metrics=["accuracy"], jit_compile=True)
        model.optimizer.build(model.trainable_variables)
        return model

    return make_model


@pytest.fixture
def compiled(examples, make_model, monkeypatch):
    monkeypatch.setattr(tensorflow_loop, "wants_constant_shapes", lambda: True)
    return tensorflow_loop.LoopedSteps(make_model(), HeldExamples(tf.constant(examples)), BATCH_SIZE)


def test_loops_and_single_steps_make_the_epoch_of_keras(examples, make_model, compiled):
    places = np.random.default_rng(1).permutation(len(examples)).astype(np.int32)
    targets = np.eye(2, dtype=np.float32)[places % 2]
    build_followed(compiled._model, targets, None)
    model = make_model()
    history = model.fit(examples[places], targets, batch_size=BATCH_SIZE, shuffle=False, verbose=0).history

    found = compiled.train_epoch(iter([((tf.constant(places),), tf.constant(targets))]))

    wanted = {name: values[0] for name, values in history.items()}
    assert {name: float(value) for name, value in found.items()} == pytest.approx(wanted, rel=1e-5)
    for mine, theirs in zip(compiled._model.variables, model.variables, strict=True):
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("n_examples", [1, N_LOOP, N_LOOP + BATCH_SIZE + 1])
def test_predictions_are_those_of_each_example_however_many_there_are(n_examples, examples, compiled):
    places = np.arange(n_examples, dtype=np.int32)[::-1].copy()

    found = compiled.predict(places)

    np.testing.assert_allclose(found, compiled._model(examples[places], training=False).numpy(), rtol=1e-5)


def test_the_host_needs_not_ask_the_device_after_each_step_whether_the_loop_is_over(compiled):
    places = np.zeros(N_LOOP, np.int32)
    compiled.predict(places)

    (program,) = compiled._functions.values()

    assert '"known_trip_count":{"n":"16"}' in program.experimental_get_compiler_ir(places.astype(np.int64))("optimized_hlo")
