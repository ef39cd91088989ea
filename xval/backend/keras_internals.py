"""The private parts of Keras and TensorFlow that xval uses; each docstring says why no public function will do.

Any new version of Keras or TensorFlow may change these parts. tests/xval/backend/test_keras_internals.py uses each of them
(test_torch_graphs.py those for torch) and says what to check. The private parts of optimizers are in
`xval.backend.keras_optimizers`.
"""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import metadata
from random import Random
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

TRIED_WITH = {"keras": "3.15", "tensorflow": "2.21"}
"""The versions with which all of these parts have been checked; constraints.txt installs them."""


def describe_untried(backend: str) -> str | None:
    """Return a warning if Keras, or TensorFlow as the backend, is newer than the version that was checked; None: it is not."""
    newer = []
    for package, tried in TRIED_WITH.items():
        if package not in ("keras", backend):
            continue
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:  # estimators need no backend; some builds of TensorFlow have other names
            continue
        numbers = re.findall(r"\d+", version)[:2]
        if [*map(int, numbers)] > [*map(int, tried.split("."))]:
            newer.append(f"{package} {version} is newer than {tried}, the version tested with xval")
    if not newer:
        return None
    return f"{'; '.join(newer)}. If a job fails inside Keras, install the versions of constraints.txt."


_CUSTOM_GRADIENTS = "CustomGradient-"
_WITHIN: list[str] = []


def all_layers(model: "keras.Model") -> list["keras.layers.Layer"]:
    """Return a model, its layers and the layers within these, each once.

    `keras.Model.layers` lacks the layers within layers, and a layer has no public list of them.
    """
    layers: list[keras.layers.Layer] = model._flatten_layers()
    return layers


def wrapped_arguments(made: Any) -> dict[str, Any]:
    """Return the options that a loss or metric passes to the function that it wraps.

    The `get_config` of `keras.losses.Huber` and of others lacks some of them.
    """
    return dict(getattr(made, "_fn_kwargs", {}))


def shapes_of(operation: "keras.Operation") -> list[tuple[list[Any], list[Any]]]:
    """Return the input shapes and the output shapes of each call of a layer or operation in a model, with the batch axis.

    `keras.Operation.output` is public, but gives only the first call, and raises where there is none.
    """
    return [
        ([tensor.shape for tensor in node.input_tensors], [tensor.shape for tensor in node.output_tensors])
        for node in getattr(operation, "_inbound_nodes", ())
    ]


def last_call(network: "keras.Model") -> tuple["keras.Operation", list["keras.KerasTensor"]]:
    """Return the operation that computes the first output of a functional model, and the tensors that this call of it reads.

    `keras.Operation.input` is public, but gives the tensors of the first call of an operation, which may be another one.
    """
    operation, number, _ = network.outputs[0]._keras_history
    return operation, operation._inbound_nodes[number].input_tensors


def calls_in(network: "keras.Model") -> list[tuple["keras.Operation", list["keras.KerasTensor"], list["keras.KerasTensor"]]]:
    """Return (operation, inputs, outputs) of each call of a layer or operation in a functional model, in order of execution.

    `keras.Operation.input` and `output` are public, but give the tensors of the first call, which may be in another model.
    """
    nodes = [node for depth in sorted(network._nodes_by_depth, reverse=True) for node in network._nodes_by_depth[depth]]
    return [(node.operation, node.input_tensors, node.output_tensors) for node in nodes if not node.is_input]


def operations_behind(output: "keras.KerasTensor") -> list["keras.Operation"]:
    """Return the layers and operations that compute an output, each once, starting with those that read the input.

    The only public way is to make a model of them, which raises an error if two have the same name.
    """
    behind: dict[int, keras.Operation] = {}
    waiting = [output]
    while waiting:
        operation, number, _ = waiting.pop(0)._keras_history
        waiting += [] if id(operation) in behind else operation._inbound_nodes[number].input_tensors
        behind[id(operation)] = operation
    return [*reversed(behind.values())]


@contextmanager
def shapes_alone() -> Iterator[None]:
    """Create variables within this block that have a shape but never use memory.

    `keras.StatelessScope(initialize_variables=False)` is public, but keeps a list of these variables, and the next scope of
    this kind, such as in a training, allocates them after all. There is no public way to empty the list.
    """
    import keras
    from keras.src.backend.common import global_state

    try:
        with keras.StatelessScope(initialize_variables=False):
            _WITHIN.append("shapes alone")
            yield
    finally:
        _WITHIN.clear()
        global_state.set_global_attribute("uninitialized_variables", [])


def onednn_is_on() -> bool:
    """Return whether TensorFlow computes with oneDNN in this process.

    There is no public function for it, and the variable TF_ENABLE_ONEDNN_OPTS does not show it.
    """
    from tensorflow.python.util import _pywrap_util_port

    return bool(_pywrap_util_port.IsMklEnabled())


def leave_tensorflow_alone() -> None:
    """Prevent Keras on JAX or torch from loading TensorFlow, unless it is loaded already.

    If TensorFlow is installed, Keras loads it to set its seed, and to test whether a value to be saved belongs to it. That
    takes 2 s of processor time and 450 MB in each process, and there is no public way to switch it off.
    """
    import keras
    from keras.src.utils.module_utils import tensorflow

    if keras.backend.backend() != "tensorflow" and "tensorflow" not in sys.modules:
        tensorflow._available = False


def in_shapes_alone() -> bool:
    """Return whether the caller is within a block of `shapes_alone`, for layers whose weights are not made by Keras."""
    return bool(_WITHIN)


def torch_generators_by(make: Callable[[Any], Any]) -> AbstractContextManager[None]:
    """Make `keras.random` on torch draw from other generators within this block.

    Keras makes a generator for each draw, with a seed that it fetches from the device; there is no public way to pass one.

    Args:
        make: Returns the `torch.Generator` for the ``seed`` of a draw: an int, a `keras.random.SeedGenerator` or None.
    """
    from keras.src.backend.torch import random

    return _replaced(random, "torch_seed_generator", make)


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    own = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, own)


def forget_traced_gradients() -> None:
    """Make TensorFlow forget the functions that it has traced for models of earlier jobs.

    An operation of TensorFlow with a custom gradient, as in some of its losses and layers, registers the gradient again in
    every traced function and never removes it. The gradient holds the whole graph, about 9 MB for each fit of a small network.
    A function that was traced with its gradient, such as a training step, continues to work. There is no public way. In a
    version of TensorFlow that stores gradients elsewhere nothing happens, and max_worker_memory_mb limits the memory of a
    worker.
    """
    ops = sys.modules.get("tensorflow.python.framework.ops")
    registered: Any = getattr(getattr(ops, "gradient_registry", None), "_registry", None)
    if isinstance(registered, dict):
        for name in [name for name in registered if isinstance(name, str) and name.startswith(_CUSTOM_GRADIENTS)]:
            del registered[name]


def kernels_kept(*, kept: bool = True) -> AbstractContextManager[None]:
    """Prevent Keras from emptying TensorFlow's cache of optimised functions within this block; ``kept=False`` allows it.

    `keras.utils.set_random_seed` and `keras.backend.clear_session` empty the cache, after which each function is optimised
    again when it next runs: half a second for a fold of a small network. There is no public way to set only a seed.
    """
    context: Any = sys.modules.get("tensorflow.python.eager.context")
    return _replaced(context.pywrap_tfe, "TFE_ContextClearCaches", lambda _: None) if kept and context else nullcontext()


def drop_kernels() -> None:
    """Empty TensorFlow's cache of functions; the public `keras.backend.clear_session` resets the names of layers too."""
    if context := sys.modules.get("tensorflow.python.eager.context"):
        context.context().clear_kernel_cache()


def has_drawn_seeds(seed: int) -> bool:
    """Return whether TensorFlow, as the backend, has drawn its own seeds since `keras.utils.set_random_seed(seed)`.

    If so, a traced function must not be used again: it would continue the random numbers of the fold for which it was traced.
    The public `tf.compat.v1.get_seed` cannot tell, because it draws a seed itself.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return False
    from tensorflow.python.eager import context
    from tensorflow.python.framework import random_seed

    return bool(random_seed._graph_to_seed_dict) or context.context()._rng.getstate() != Random(seed).getstate()  # noqa: S311


def global_seed_state() -> NDArray[Any] | None:
    """Return the state of Keras's global seed generator, (2,), used by whatever has no seed; None: nothing has used it.

    There is no public way to read it, and a draw with `keras.random` would change it.
    """
    import keras
    from keras.src.backend.common import global_state
    from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR

    generator = global_state.get_global_attribute(GLOBAL_SEED_GENERATOR)
    return None if generator is None else keras.ops.convert_to_numpy(generator.state).copy()


def set_global_seed_state(state: NDArray[Any] | None) -> None:
    """Set the state of Keras's global seed generator, as `global_seed_state` has returned it; None: leave it as it is.

    Raises:
        ValueError: The state does not have the shape (2,).
    """
    from keras.src.random.seed_generator import global_seed_generator

    if state is not None:
        global_seed_generator().state.assign(state)
