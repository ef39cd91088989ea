"""Make the end of an architecture's network linear, because the engine adds the activation of the task.

If the network ends with the activation that the engine adds, it is removed; a line reports this, or an unsuitable other
activation. Predictions show whether a model already outputs probabilities, regardless of its code.
"""

from typing import Any, Literal

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from xval.backend.keras_internals import last_call, shapes_of
from xval.settings.schema import Settings

Answers = Literal["probabilities", "shares", "numbers"]
"""The range of a network's outputs: 0 to 1 with the sum 1, 0 to 1, or any numbers."""

_WITH_ACTIVATION = (
    layers.Dense, layers.EinsumDense, layers.Activation, layers.Conv1D, layers.Conv2D, layers.Conv3D,
    layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose,
)  # fmt: skip
_ANSWERS_OF = {
    "relu": "of 0 and above", "relu6": "from 0 to 6", "softplus": "above 0", "exponential": "above 0",
    "sigmoid": "from 0 to 1", "hard_sigmoid": "from 0 to 1", "softmax": "from 0 to 1",
    "tanh": "from -1 to 1", "hard_tanh": "from -1 to 1", "softsign": "from -1 to 1",
}  # fmt: skip
_N_DRAWS, _N_EXAMPLES = 8, 4
_TOLERANCE = 0.02  # what shares in bfloat16 add up to
_LARGE = 1000.0


def linear_end(network: keras.Model, settings: Settings) -> tuple[keras.Model, list[str]]:
    """Remove the activation of the task from the end of a network, and return lines on its end.

    It is removed from a Dense, EinsumDense or convolution layer, or with an Activation or Softmax layer, that is the last one
    of a functional or sequential model, or of a nested model at its end. The result is the same network without this
    activation.
    """
    activation, lines = settings.task.activation, list[str]()
    while activation != "linear" and activation_at_end(network) == activation:
        layer = _last_layer(network).name
        lines.append(f"the {activation} at the end of its network, layer '{layer}', is removed, because xval adds it")
        network = _without_activation(network)
    if (line := _describe_misfit(network, settings)) is not None:
        lines.append(line)
    return network, lines


def activation_at_end(network: keras.Model) -> str | None:
    """Return Keras's name of the last activation of a network, ``linear`` for a layer with weights; None: unknown."""
    return _activation_of(_last_layer(network))


def answers_of(network: keras.Model, shape: tuple[int, ...]) -> Answers:
    """Return the range of a network's outputs for any weights and inputs.

    Its weights are changed at random several times, so that the outputs of a linear end do not stay between 0 and 1. The
    weights are restored, because layers may be shared with other networks, such as a pretrained one in a user's module.

    Args:
        network: A model with one output, float (batch, ..., n_outputs).
        shape: Shape of one example, float32.

    Returns:
        The range; ``numbers`` also if no output is finite or all are equal, which is inconclusive.
    """
    rng = np.random.default_rng(0)
    examples = rng.standard_normal((_N_EXAMPLES, *shape), np.float32)
    examples = np.concatenate([examples, _LARGE * examples])
    before = [np.array(keras.ops.convert_to_numpy(variable.value)) for variable in network.trainable_variables]
    try:
        rows = np.concatenate([_answer_changed(network, examples, rng) for _ in range(_N_DRAWS)])
    finally:
        for variable, values in zip(network.trainable_variables, before, strict=True):
            variable.assign(values)
    rows = rows[np.isfinite(rows).all(axis=1)]
    if not rows.size or np.ptp(rows) == 0 or rows.min() < -_TOLERANCE or rows.max() > 1 + _TOLERANCE:
        return "numbers"
    return "probabilities" if np.abs(rows.sum(axis=1) - 1).max() <= _TOLERANCE else "shares"


def _answer_changed(network: keras.Model, examples: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Change each weight by about its own size; return the outputs, float32 (n, n_outputs)."""
    for variable in network.trainable_variables:
        values = keras.ops.convert_to_numpy(keras.ops.cast(variable.value, "float32"))
        deviation = 2 * np.sqrt(np.mean(values**2)) or 0.5  # zeros at the start, as of a bias
        variable.assign(values + deviation * rng.standard_normal(values.shape, np.float32))
    answers: NDArray[np.float32] = keras.ops.convert_to_numpy(keras.ops.cast(network(examples, training=False), "float32"))
    return answers.reshape(-1, answers.shape[-1])


def _last(network: keras.Model) -> Any:
    """Return the last layer, model or operation of a model of Keras's own classes; None: none is the last one."""
    if type(network) is keras.Sequential:
        return network.layers[-1] if network.layers else None
    is_functional = type(network).__module__.partition(".")[0] == "keras" and hasattr(network, "operations")
    if not is_functional or len(network.outputs) != 1:
        return None
    operation, _ = last_call(network)
    return operation if len(shapes_of(operation)) == 1 else None  # what is called elsewhere, too, is to stay as it is


def _last_layer(network: keras.Model) -> Any:
    """Return the last layer or operation, also of a model at the end of a model."""
    last = _last(network)
    return _last_layer(last) if isinstance(last, keras.Model) else last


def _activation_of(layer: Any) -> str | None:
    """Return the name of the activation of a layer, if it is one of Keras's that can be removed."""
    if type(layer) is layers.TimeDistributed:
        layer = layer.layer
    if type(layer) is layers.Softmax:
        has_mask = any(len(inputs) > 1 for inputs, _ in shapes_of(layer))
        return "softmax" if layer.axis == -1 and not has_mask else None
    if type(layer) not in _WITH_ACTIVATION:
        return None
    name = getattr(layer.activation, "__name__", "")
    tells_nothing = type(layer) is layers.Activation and name == "linear"
    return name if getattr(keras.activations, name, None) is layer.activation and not tells_nothing else None


def _without_activation(network: keras.Model) -> keras.Model:
    """Return a network without the activation that its last layer has, or is; the layers are the same ones."""
    last = _last(network)
    if isinstance(last, keras.Model):
        shortened = _without_activation(last)
        return network if shortened is last else _ending_in(network, shortened)
    if type(last) is layers.Softmax:
        return _ending_in(network, None)
    layer = last.layer if type(last) is layers.TimeDistributed else last
    layer.activation = keras.activations.linear
    return network


def _ending_in(network: keras.Model, successor: keras.Model | None) -> keras.Model:
    """Return a network with another last layer, or without it."""
    if type(network) is keras.Sequential:
        network.pop()
        if successor is not None:
            network.add(successor)
        return network
    _, (read,) = last_call(network)
    return keras.Model(network.inputs, read if successor is None else successor(read), name=network.name)


def _describe_misfit(network: keras.Model, settings: Settings) -> str | None:
    """Return a line on an end whose answers are bounded where what follows wants answers of any size; None: it is none."""
    task, last = settings.task, _last_layer(network)
    name = _activation_of(last) or type(last).__name__.lower()
    if name not in _ANSWERS_OF or name == task.activation:
        return None
    if task.activation != "linear":
        reason = f"xval adds {task.activation}, whose inputs may have any size"
    elif settings.scales_targets:
        reason = "targets are scaled to mean 0 and standard deviation 1 (target_scaling), which exceeds this range"
    elif task.target == "input" and settings.normalization != "none":
        reason = "the features that it reconstructs are normalised, which exceeds this range"
    else:
        return None
    return f"its network ends in {name}, so its outputs are numbers {_ANSWERS_OF[name]}, but {reason}. Remove {name}"
