import gc

import keras
import numpy as np
import pytest

from xval.backend.traced_functions import forget_traced_gradients

tf = pytest.importorskip("tensorflow")


def fit(model):
    model.fit(np.ones((4, 3), np.float32), np.array([0, 1, 0, 1]), verbose=0)
    return [np.array(each) for each in model.get_weights()]


def make_model():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation=custom)])
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    return model


@tf.custom_gradient
def custom(x):
    return keras.ops.softmax(x), lambda upstream: 2 * upstream


def count_graphs():
    gc.collect()
    return sum(type(each).__name__ == "FuncGraph" for each in gc.get_objects())


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of TensorFlow")
def test_the_graphs_of_models_that_are_gone_are_gone_too_and_living_models_train_on():
    forget_traced_gradients()
    before = count_graphs()
    fit(make_model())
    assert count_graphs() > before  # what this is about: TensorFlow holds them
    forget_traced_gradients()
    assert count_graphs() <= before

    one, other = make_model(), make_model()
    for model in (one, other):
        fit(model)
    wanted = fit(one)
    forget_traced_gradients()
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(fit(other), wanted, strict=True))
