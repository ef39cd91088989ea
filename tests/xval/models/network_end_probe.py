"""Builds networks that end in softmax, and the same ones without, on this process's backend, and trains both a little.

Run by test_network_end.py as `python network_end_probe.py`, with KERAS_BACKEND set. Prints one line of JSON: {"backend",
"taken_off": {end: [lines, whether weights, loss and answers have the same bits as without]}, "answers": {end: what they are}}.
"""

import json
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from xval.measures.task import find_task
from xval.models.network_end import activation_at_end, answers_of, linear_end

SHAPE, N_UNITS, N_CLASSES = (6,), 5, 3
RNG = np.random.default_rng(0)
EXAMPLES, CLASSES = RNG.normal(size=(9, *SHAPE)).astype(np.float32), np.arange(9) % N_CLASSES
SETTINGS: Any = SimpleNamespace(task=find_task("classification"), scales_targets=False)


def behind(*end: Any) -> keras.Model:
    """Return a functional model that ends in some layers or functions."""
    inputs = keras.Input(SHAPE)
    hidden = layers.Dense(N_UNITS, activation="relu")(inputs)
    for part in end:
        hidden = part(hidden)
    return keras.Model(inputs, hidden)


def sequential(*end: Any, is_built: bool = True) -> keras.Model:
    first = [keras.Input(SHAPE)] if is_built else []
    return keras.Sequential([*first, layers.Dense(N_UNITS, activation="relu"), *end])


def head(*end: Any) -> keras.Model:
    return keras.Sequential([keras.Input((N_UNITS,)), layers.Dense(N_CLASSES), *end])


def functional_head(*end: Any) -> keras.Model:
    inputs = keras.Input((N_UNITS,))
    outputs = layers.Dense(N_CLASSES)(inputs)
    for part in end:
        outputs = part(outputs)
    return keras.Model(inputs, outputs)


def compiled(network: keras.Model) -> keras.Model:
    network.compile("adam", "sparse_categorical_crossentropy")
    return network


class Subclass(keras.Model):
    """Has code of its own."""

    def __init__(self, end: Any, **zeros: Any) -> None:
        super().__init__()
        self.hidden, self.head, self.end = layers.Dense(N_UNITS, activation="relu"), layers.Dense(N_CLASSES, **zeros), end

    def call(self, inputs: Any) -> Any:
        """Return the answers."""
        return self.end(self.head(self.hidden(inputs)))


def dense(activation: Any) -> layers.Layer:
    return layers.Dense(N_CLASSES, activation=activation)


# Each is called twice: with the softmax, and without.
TAKEN_OFF = {
    "dense": lambda softmax: behind(dense("softmax" if softmax else None)),
    "einsum": lambda softmax: behind(layers.EinsumDense("ab,bc->ac", N_CLASSES, activation="softmax" if softmax else None)),
    "activation": lambda softmax: behind(dense(None), *[layers.Activation("softmax")] * softmax),
    "layer": lambda softmax: behind(dense(None), *[layers.Softmax()] * softmax),
    "both": lambda softmax: behind(dense("softmax" if softmax else None), *[layers.Softmax()] * softmax),
    "sequential": lambda softmax: sequential(dense(None), *[layers.Softmax()] * softmax),
    "unbuilt": lambda softmax: sequential(dense(None), *[layers.Softmax()] * softmax, is_built=False),
    "nested": lambda softmax: behind(head(*[layers.Softmax()] * softmax)),
    "nested functional": lambda softmax: behind(functional_head(*[layers.Softmax()] * softmax)),
    "nested in sequential": lambda softmax: sequential(functional_head(*[layers.Softmax()] * softmax)),
    "compiled": lambda softmax: compiled(behind(dense("softmax" if softmax else None))),
}
ANSWERS = {
    "ops": lambda: behind(dense(None), ops.softmax),
    "lambda": lambda: behind(dense(None), layers.Lambda(ops.softmax)),
    "function": lambda: behind(dense(lambda values: ops.softmax(values))),
    "subclass": lambda: Subclass(ops.softmax),
    "dropped out": lambda: behind(dense("softmax"), layers.Dropout(0.5)),
    "linear behind it": lambda: behind(dense("softmax"), layers.Activation("linear")),
    "sigmoid": lambda: behind(dense("sigmoid")),
    "linear subclass": lambda: Subclass(keras.activations.linear),
    "zeros at the start": lambda: Subclass(keras.activations.linear, kernel_initializer="zeros", use_bias=False),
    "relu": lambda: Subclass(ops.relu),
    "logarithms": lambda: Subclass(ops.log_softmax),
}


def train(network: keras.Model) -> bytes:
    """Train as the engine does: behind a softmax; return the bits of the loss, the weights and the answers."""
    inputs = keras.Input(SHAPE)
    whole = keras.Model(inputs, layers.Activation("softmax")(network(inputs)))
    whole.compile("adam", "sparse_categorical_crossentropy", run_eagerly=True)
    losses = [whole.train_on_batch(EXAMPLES, CLASSES) for _ in range(2)]
    values = [*losses, *whole.get_weights(), ops.convert_to_numpy(whole(EXAMPLES))]
    return b"".join(np.asarray(value, np.float32).tobytes() for value in values)


def compare_twins(build: Any) -> tuple[list[str], bool]:
    keras.utils.set_random_seed(1)
    network, lines = linear_end(build(True), SETTINGS)
    trained = train(network)
    keras.utils.set_random_seed(1)
    linear, nothing = linear_end(build(False), SETTINGS)
    return lines, not nothing and train(linear) == trained


def try_answers(build: Any) -> str:
    inputs, network = keras.Input(SHAPE), build()
    model = keras.Model(inputs, network(inputs))
    before, answers = model.get_weights(), answers_of(model, SHAPE)
    is_as_before = all(np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True))
    return answers if is_as_before and activation_at_end(network) != "linear" else "weights or end"


def main() -> None:
    found = {
        "backend": keras.backend.backend(),
        "taken_off": {name: compare_twins(build) for name, build in TAKEN_OFF.items()},
        "answers": {name: try_answers(build) for name, build in ANSWERS.items()},
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
