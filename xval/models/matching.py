"""Match layers of a network with layers of a saved model to take weights from: pairs of the same kind and shapes, in order.

The two networks need not be built alike.
"""

from collections.abc import Sequence
from itertools import takewhile

import keras

Pair = tuple[keras.layers.Layer, keras.layers.Layer]


def match_layers(layers: Sequence[keras.layers.Layer], sources: Sequence[keras.layers.Layer], match: str) -> list[Pair]:
    """Return pairs of a layer and the one whose weights it takes, in the order of `layers`.

    Args:
        layers: Of the network.
        sources: Of the saved model.
        match: names: those of the same name. shapes: each layer takes the next one of `sources` that is like it, so that the
            order is kept. prefix: from the input on, one for one, until a pair differs.
    """
    if match == "names":
        named = {source.name: source for source in sources}
        pairs = [(layer, named[layer.name]) for layer in layers if layer.name in named]
        return [pair for pair in pairs if is_alike(pair)]
    if match == "prefix":
        return list(takewhile(is_alike, zip(layers, sources, strict=False)))
    pairs_in_order: list[Pair] = []
    first = 0
    for layer in layers:
        place = next((place for place in range(first, len(sources)) if is_alike((layer, sources[place]))), None)
        if place is not None:
            pairs_in_order.append((layer, sources[place]))
            first = place + 1
    return pairs_in_order


def is_alike(pair: Pair) -> bool:
    """Return whether two layers are of the same kind, with weights of the same shapes."""
    return form(pair[0]) == form(pair[1])


def form(layer: keras.layers.Layer) -> tuple[str, list[tuple[int, ...]]]:
    """Return the kind of a layer and the shapes of its weights."""
    return type(layer).__name__, [tuple(variable.shape) for variable in layer.weights]


def described(layer: keras.layers.Layer) -> str:
    """Return kind and shapes as a text."""
    kind, shapes = form(layer)
    return f"{kind} with weights of shape {', '.join(map(str, shapes))}"
