"""Networks that do not end linearly: what is taken off, what is said, and what their answers are taken for."""

import json
import re
from importlib.util import find_spec
from pathlib import Path

import keras
import pytest
from keras import layers

from xval.models.network_end import answers_of, linear_end

PROJECT_ROOT = Path(__file__).parents[3]
BACKENDS = [
    pytest.param(name, marks=[pytest.mark.skipif(find_spec(name) is None, reason=f"{name} is not installed"), *marks])
    for name, *marks in (("tensorflow",), ("torch",), ("jax", pytest.mark.slow))
]
ANSWERS = {
    **dict.fromkeys(["ops", "lambda", "function", "subclass", "dropped out", "linear behind it"], "probabilities"),
    "sigmoid": "shares",
    **dict.fromkeys(["linear subclass", "zeros at the start", "relu", "logarithms"], "numbers"),
}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_softmax_is_taken_off_to_the_bit_or_seen_by_its_answers(backend, run_on):
    found = json.loads(run_on(backend, Path(__file__).with_name("network_end_probe.py"), path=[PROJECT_ROOT]))

    assert found["backend"] == backend
    for name, (lines, is_same) in found["taken_off"].items():
        assert is_same, name
        assert len(lines) == 1 + (name == "both"), lines
        assert all(line.startswith("the softmax at the end of its network, layer '") for line in lines)
    assert found["answers"] == ANSWERS


def network_with(activation):
    inputs = keras.Input((4,))
    return keras.Model(inputs, layers.Dense(3, activation=activation)(inputs))


REGRESSION = {"task_type": "regression"}


@pytest.mark.parametrize(
    ("activation", "chosen", "said"),
    [
        (None, {}, None),
        ("relu", {}, "its network ends in relu, so its outputs are numbers of 0 and above, but xval adds softmax"),
        ("tanh", {"task_type": "multilabel_classification"}, "numbers from -1 to 1, but xval adds sigmoid"),
        ("softmax", {"task_type": "multilabel_classification"}, "ends in softmax, .* from 0 to 1, but xval adds sigmoid"),
        ("sigmoid", REGRESSION, "targets are scaled to mean 0 and standard deviation 1"),
        ("sigmoid", REGRESSION | {"target_scaling": "none"}, None),
        ("log_softmax", {}, None),
    ],
)
def test_an_end_that_caps_what_follows_is_said(activation, chosen, said, make_settings):
    network, lines = linear_end(network_with(activation), make_settings(architecture="mlp", **chosen))

    assert network.layers[-1].activation is getattr(keras.activations, activation or "linear")
    assert len(lines) == (said is not None)
    if said:
        (line,) = lines
        assert re.search(said, line), line


def test_the_activation_of_the_task_is_taken_off_each_frame(make_settings):
    inputs = keras.Input((7, 4))
    for head in (layers.TimeDistributed(layers.Dense(3, activation="sigmoid")), layers.Conv1D(3, 1, activation="sigmoid")):
        settings = make_settings(architecture="mlp", task_type="multilabel_classification")
        network, lines = linear_end(keras.Model(inputs, head(inputs)), settings)

        assert lines
        assert getattr(head, "layer", head).activation is keras.activations.linear
        assert answers_of(network, (7, 4)) == "numbers"


def test_a_layer_that_is_used_elsewhere_keeps_its_softmax(make_settings):
    inputs, shared = keras.Input((3,)), layers.Dense(3, activation="softmax")
    network, lines = linear_end(keras.Model(inputs, shared(shared(inputs))), make_settings(architecture="mlp"))

    assert not lines
    assert answers_of(network, (3,)) == "probabilities"
