"""Convert a network (functional, sequential or a user's class) to one graph of its layers.

The result is a functional model of the same layers and weights without nested models.
"""

import inspect
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import keras

from xval.backend.keras_internals import all_layers, operations_behind
from xval.base.errors import brief
from xval.models.build import PARTS_BEFORE


class NoGraphError(Exception):
    """The reason why a network cannot be converted to a graph."""


def is_part_before(layer: keras.layers.Layer) -> bool:
    """Return whether a layer is a model before the network; a user's layer may have the same name."""
    return isinstance(layer, keras.Model) and layer.name in PARTS_BEFORE


def functional(network: keras.Model) -> keras.Model:
    """Return a network as a functional model of the layers and models that it calls, in order of the calls.

    A network of a user's class is called once with a placeholder, like the layers of a functional model, which shows its
    computation. If layers have equal names, all but the first are renamed: see `names_kept`.

    Raises:
        NoGraphError: Its code does not only call layers and operations of Keras.
    """
    if hasattr(network, "operations"):
        return network
    if isinstance(network, keras.Sequential):
        return keras.Model(network.inputs[0], network.outputs[0])
    try:
        inputs = keras.Input(batch_shape=network.input.shape, dtype=network.input.dtype)
        has_training = "training" in inspect.signature(network.call).parameters
        outputs = network.call(inputs, training=False) if has_training else network.call(inputs)
        _name_apart(operations_behind(outputs), network.name)
        graph = keras.Model(inputs, outputs)
    except Exception as error:  # it is code of the user's own
        raise NoGraphError(f"its call() cannot be followed ({brief(error, 150)})") from error
    return _with_all_weights(graph, network)


def layer_graph(network: keras.Model) -> keras.Model:
    """Return a network as a functional model of only layers, in the order in which they are called.

    A network that already is one is returned unchanged. Names are as in `functional`; layers of nested models with the name of
    another layer also get the name of their model.

    Raises:
        NoGraphError: As for `functional`; or it has several inputs or outputs.
    """
    graph = functional(network)
    while within := {id(layer): functional(layer) for layer in graph.layers if _is_inner(layer)}:
        names = [operation for operation in graph.operations if id(operation) not in within]
        for layer in (layer for layer in graph.layers if id(layer) in within):
            names += _name_apart(within[id(layer)].operations, layer.name, names)

        def call(layer: Any, *arguments: Any, within: dict[int, keras.Model] = within, **options: Any) -> Any:
            return within[id(layer)].call(*arguments, **options) if id(layer) in within else layer(*arguments, **options)

        try:
            graph = keras.models.clone_model(graph, clone_function=lambda layer: layer, call_function=call)
        except Exception as error:  # a model within it may be called with anything
            raise NoGraphError(f"a model within it cannot be followed ({brief(error, 150)})") from error
    if not len(graph.inputs) == len(graph.outputs) == 1:
        raise NoGraphError("it has several inputs or outputs")
    return _with_all_weights(graph, network)


def called_layers(network: keras.Model) -> list[keras.layers.Layer]:
    """Return the layers and models that a network calls, in this order.

    For a user's class whose code cannot be followed, they are in the order in which the class makes them.
    """
    if hasattr(network, "operations") or isinstance(network, keras.Sequential):
        return list(network.layers)
    if network not in _CALLED:
        try:
            with names_kept(network):
                graph = functional(network)
            _CALLED[network] = [weakref.ref(layer) for layer in graph.layers if not isinstance(layer, keras.layers.InputLayer)]
        except NoGraphError:
            _CALLED[network] = [weakref.ref(layer) for layer in network.layers]
    return [layer for reference in _CALLED[network] if (layer := reference()) is not None]


# Asked for in every epoch where layers learn at their own rates. The layers would keep their network alive.
_CALLED: WeakKeyDictionary[keras.Model, list[weakref.ref[keras.layers.Layer]]] = WeakKeyDictionary()


@contextmanager
def names_kept(model: keras.Model) -> Iterator[None]:
    """Restore the names of a model's layers after this block, in which graphs of its parts are made."""
    parts = [part for layer in all_layers(model) for part in (layer, *getattr(layer, "operations", ()))]
    names = [(part, part.name) for part in parts]
    try:
        yield
    finally:
        for part, name in names:
            part.name = name


def _name_apart(operations: Iterable[Any], prefix: str, others: Iterable[Any] = ()) -> list[Any]:
    """Rename operations with equal names, because names in a graph are unique; return all operations except placeholders."""
    owners = {other.name: other for other in others}
    named = [operation for operation in operations if not isinstance(operation, keras.layers.InputLayer)]
    for operation in named:
        name, number = operation.name, 1
        while owners.setdefault(name, operation) is not operation:
            name, number = f"{prefix}_{operation.name}" + (f"_{number}" if number > 1 else ""), number + 1
        operation.name = name
    return named


def _with_all_weights(graph: keras.Model, network: keras.Model) -> keras.Model:
    """Return a graph if its layers have all weights of the network; otherwise it could not be saved."""
    seen = {id(weight) for weight in graph.weights}
    lacking = [weight.name for weight in network.weights if id(weight) not in seen]
    if lacking:
        raise NoGraphError(f"its class has a weight outside of its layers, '{lacking[0]}'")
    return graph


def _is_inner(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.Model) and not is_part_before(layer)
