"""The private parts of Keras and TensorFlow that xval uses, all of them; each docstring says which public way is missing.

Comes in: models and values. Goes out: what Keras neither tells nor allows otherwise. Any version of Keras or TensorFlow may
change these parts: tests/xval/backend/test_keras_internals.py uses each of them and says what to look at.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

TRIED_WITH = {"keras": "3.15", "tensorflow": "2.21"}
"""The versions for which all of this has been looked at; constraints.txt installs them."""

_CUSTOM_GRADIENTS = "CustomGradient-"


def all_layers(model: "keras.Model") -> list["keras.layers.Layer"]:
    """Return a model, its layers and the layers within these, each once.

    `keras.Model.layers` leaves out the layers within layers, and a layer has no public list of its own.
    """
    found: list[keras.layers.Layer] = model._flatten_layers()
    return found


def weight_averages(optimizer: "keras.optimizers.Optimizer") -> list["keras.Variable"]:
    """Return the moving averages that an optimizer with `use_ema` keeps, in the order of the weights that it was built with.

    They are among `Optimizer.variables`, which does not tell one kind from another. In mixed_float16 they belong to the
    optimizer within.
    """
    found: list[keras.Variable] = getattr(optimizer, "inner_optimizer", optimizer)._model_variables_moving_average
    return found


@contextmanager
def shapes_alone() -> Iterator[None]:
    """Let variables that are made within this block have a shape and never take memory.

    `keras.StatelessScope(initialize_variables=False)` is public, but keeps a list of these variables, for which the next scope
    of this kind, in a training say, takes the memory after all. There is no public way to empty the list.
    """
    import keras
    from keras.src.backend.common import global_state

    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        global_state.set_global_attribute("uninitialized_variables", [])


def forget_traced_gradients() -> None:
    """Have TensorFlow forget the functions that it has traced for models of earlier jobs.

    A part of TensorFlow that has a gradient of its own (some of its losses and layers have) registers it anew in every function
    that is traced, and never takes it back; the gradient holds the whole graph, about 9 MB for each fit of a small network. A
    function that has been traced with its gradient, as a training step is, goes on working.

    There is no public way to take a gradient back. Where TensorFlow keeps its gradients elsewhere, nothing happens, and
    max_worker_memory_mb bounds the memory of a worker.
    """
    ops = sys.modules.get("tensorflow.python.framework.ops")
    registered: Any = getattr(getattr(ops, "gradient_registry", None), "_registry", None)
    if isinstance(registered, dict):
        for name in [name for name in registered if isinstance(name, str) and name.startswith(_CUSTOM_GRADIENTS)]:
            del registered[name]
