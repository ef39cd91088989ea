"""Find pretrained weights of a network, which are equal in builds with two seeds, for example from a file.

Their training data are unknown. Weights with only one value (biases, scales of normalisation) do not count, nor weights that a
layer of Keras or xval computes from its configuration, such as a filter bank or a matrix of ones. Weights that a user's layer
computes cannot be distinguished from weights that it loads.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from xval.backend.keras_internals import all_layers
from xval.base.config_file import ROOT
from xval.models.build import CONSTANT_LAYERS, PARTS_BEFORE
from xval.settings.architectures import may_load_weights

# They are made of code or files that their configuration names.
_WRAPPERS = ("TorchModule", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "TFSMLayer")


def network_weights(model: keras.Model) -> list[NDArray[Any]]:
    """Return copies of the network's weights of a model of `build_model`, without the layers that xval adds."""
    return [np.array(keras.ops.convert_to_numpy(weight.value)) for layer in _network(model) for weight in layer.weights]


def find_outside_weights(model: keras.Model, others: Sequence[NDArray[Any]]) -> list[str] | None:
    """Return the names of pretrained weights, such as ``block1_conv1/kernel``; None: not known.

    They are not known if the models differ in the number of weights, as for a build() with random layers.

    Args:
        model: A model of `build_model`.
        others: The `network_weights` of a model that was built in the same way with another seed.
    """
    own = network_weights(model)
    names = [weight.path for layer in _network(model) for weight in layer.weights]
    if len(own) != len(others):
        return None
    given = [_is_same(one, other) for one, other in zip(own, others, strict=True)]
    if any(given):
        computed = _computed(model, own)
        given = [is_given and not is_computed for is_given, is_computed in zip(given, computed, strict=True)]
    return [name for name, is_given in zip(names, given, strict=True) if is_given]


def _network(model: keras.Model) -> list[keras.Layer]:
    apart = (*CONSTANT_LAYERS, *PARTS_BEFORE)
    return [layer for layer in model.layers if layer.name not in apart]


def _is_same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Return whether a weight has the same values in two builds, and more than one value."""
    return one.size > 1 and bool((one != one.flat[0]).any()) and np.array_equal(one, other)


def _computed(model: keras.Model, own: Sequence[NDArray[Any]]) -> list[bool]:
    """Return for each weight whether a known layer computes it from its configuration."""
    is_computed: list[bool] = []
    for layer in _network(model):
        values = own[len(is_computed) : len(is_computed) + len(layer.weights)]
        made_again = _made_again(layer)
        unknown = {id(weight) for part in all_layers(layer) if not _is_known(type(part)) for weight in part.weights}
        is_computed += [
            id(weight) not in unknown and len(made_again) == len(values) and np.array_equal(value, made_again[place])
            for place, (weight, value) in enumerate(zip(layer.weights, values, strict=True))
        ]
    return is_computed


def _made_again(layer: keras.Layer) -> list[NDArray[Any]]:
    """Return the weights of a layer made again from its configuration; empty if that has values, or fails."""
    try:
        config = layer.get_config()
        if _holds_values(config):
            return []
        again = type(layer).from_config(config)
        if not again.built:
            again.build_from_config(layer.get_build_config())
        return [np.array(keras.ops.convert_to_numpy(weight.value)) for weight in again.weights]
    except Exception:  # noqa: BLE001 - a layer of the user's own may raise anything
        return []


def _holds_values(config: object) -> bool:
    """Return whether a configuration has an initialiser with an array of values, instead of one number."""
    if isinstance(config, Mapping):
        own = config.get("config")
        if (
            config.get("class_name") == "Constant"
            and isinstance(own, Mapping)
            and not isinstance(own.get("value"), int | float)
        ):
            return True
        return any(map(_holds_values, config.values()))
    return isinstance(config, list | tuple) and any(map(_holds_values, config))


def _is_known(kind: type) -> bool:
    """Return whether a class is a layer of Keras or of xval that draws or computes its weights."""
    package, _, rest = kind.__module__.partition(".")
    if kind.__name__ in _WRAPPERS or package not in ("keras", "xval", "architectures"):
        return False
    name = rest.partition(".")[0]
    file = Path(getattr(sys.modules.get(kind.__module__), "__file__", None) or "")
    return package != "architectures" or (file.is_relative_to(ROOT) and (name.startswith("_") or not may_load_weights(name)))
