"""Weights that a build() has from elsewhere are named; those that are drawn, constant or computed are not."""

import keras
import numpy as np
import pytest

from architectures._sinc_conv import SincConv
from xval.models.outside_weights import find_outside_weights, network_weights

LOADED = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)


class Computed(keras.layers.Layer):
    """A layer of the user's own, whose weights nothing draws."""

    def build(self, input_shape):
        self.kernel = self.add_weight(
            name="kernel", shape=LOADED.shape, initializer=lambda shape, dtype: LOADED, trainable=False
        )

    def call(self, inputs):
        return keras.ops.matmul(inputs, self.kernel)


def drawn():
    layers = [keras.layers.Dense(3), keras.layers.BatchNormalization(), keras.layers.Dense(3, kernel_initializer="identity")]
    return keras.Sequential(
        [keras.Input((4,)), *layers, keras.layers.Dense(2, bias_initializer=keras.initializers.Constant(0.1))]
    )


def seeded():
    kernel = keras.initializers.GlorotUniform(seed=3)
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, kernel_initializer=kernel), keras.layers.Dense(2)])


def filters():
    layers = [SincConv(4, 9, sample_rate_hz=8000), keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(2)]
    return keras.Sequential([keras.Input((50, 1)), *layers])


def recurrent():
    return keras.Sequential([keras.Input((5, 4)), keras.layers.LSTM(3), keras.layers.Dense(2)])


def loaded():
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="encoder"), keras.layers.Dense(2, name="head")])
    network.get_layer("encoder").set_weights([LOADED, np.zeros(3)])
    return network


def loaded_inside():
    inner = loaded()
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.layers.Dense(2)(inner(inputs)))


def of_a_constant():
    kernel = keras.initializers.Constant(LOADED)
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, kernel_initializer=kernel, name="encoder")])


def of_own_layer():
    return keras.Sequential([keras.Input((4,)), Computed(name="own"), keras.layers.Dense(2)])


def seeds_itself():
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="head")])


def test_of_builds_with_other_numbers_of_weights_nothing_is_known():
    def stack(n_layers):
        return keras.Sequential([keras.Input((4,)), *(keras.layers.Dense(4) for _ in range(n_layers))])

    assert find_outside_weights(stack(2), network_weights(stack(3))) is None


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (drawn, []), (seeded, []), (filters, []), (recurrent, []),
        (loaded, ["encoder/kernel"]), (loaded_inside, ["encoder/kernel"]), (of_a_constant, ["encoder/kernel"]),
        (of_own_layer, ["own/kernel"]), (seeds_itself, ["head/kernel"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)  # fmt: skip
def test_what_two_seeds_do_not_change_comes_from_elsewhere(build, named):
    def whole(seed):
        keras.utils.set_random_seed(seed)
        network = build()
        inputs = keras.Input(network.input_shape[1:])
        return keras.Model(inputs, network(inputs))

    found = find_outside_weights(whole(1), network_weights(whole(2)))

    assert [name.split("/", name.count("/") - 1)[-1] for name in found] == named
