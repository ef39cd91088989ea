"""Losses that layers of a network add: `add_loss`, `activity_regularizer`, an ActivityRegularization.

Such layers are found without running the model. Their losses and the penalties of weights are computed as in Keras's
`evaluate`.
"""

import inspect
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from types import CodeType, FunctionType
from typing import Any

import keras

from xval.backend.keras_internals import all_layers
from xval.data.batches import Batches
from xval.data.fold import Examples

_NAME = "add_loss"
_OTHERS = ("keras", "tensorflow", "torch", "jax", "numpy", "builtins")  # packages whose code is not the user's own


def adds_losses(model: keras.Model) -> bool:
    """Return whether a layer of a model adds losses, by a regularizer of its output or in the code of its class."""
    layers = all_layers(model)
    return any(layer.activity_regularizer is not None for layer in layers) or any(map(_has_own, {*map(type, layers)}))


def added_loss(model: keras.Model, examples: Examples, batch_size: int) -> float:
    """Return the mean over batches of the losses that layers add, with the penalties of the weights.

    Batches are those of training and are weighted by their number of examples.
    """
    batches = Batches(examples, batch_size)
    total = 0.0
    with _no_gradients():
        for index in range(batches.num_batches):
            model(batches[index][0], training=False)
            total += len(batches.positions(index)) * sum(float(keras.ops.convert_to_numpy(loss)) for loss in model.losses)
    return total / len(examples)


def _no_gradients() -> AbstractContextManager[Any]:
    if keras.backend.backend() != "torch":
        return nullcontext()
    import torch

    nothing: AbstractContextManager[Any] = torch.no_grad()
    return nothing


def _has_own(layer_class: type) -> bool:
    """Return whether a class outside Keras calls `add_loss`, directly or through its own functions."""
    found = [member for kind in inspect.getmro(layer_class) if not _is_of_others(kind) for member in vars(kind).values()]
    known: set[CodeType] = set()
    while found:
        function = inspect.unwrap(getattr(member := found.pop(), "__func__", member))
        if not isinstance(function, FunctionType) or function.__code__ in known or _is_of_others(function):
            continue
        names = {name for code in _codes(function.__code__) for name in code.co_names}
        if _NAME in names:
            return True
        known.add(function.__code__)
        found += [function.__globals__[name] for name in names if name in function.__globals__]
    return False


def _is_of_others(part: type | FunctionType) -> bool:
    return str(part.__module__).partition(".")[0] in _OTHERS


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Yield a code object and those of the functions within it."""
    yield code
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield from _codes(part)
