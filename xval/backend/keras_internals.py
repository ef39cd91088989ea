"""The private parts of Keras and TensorFlow that xval uses; each docstring says which public way is missing.

Any version of Keras or TensorFlow may change these parts: tests/xval/backend/test_keras_internals.py uses each of them
(test_torch_graphs.py those of torch) and says what to look at. Those of optimizers: `xval.backend.keras_optimizers`.
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
"""The versions for which all of this has been looked at; constraints.txt installs them."""


def describe_untried(backend: str) -> str | None:
    """Return a line where Keras, or TensorFlow as the backend, is newer than what these parts have been looked at with."""
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

    `keras.Model.layers` leaves out the layers within layers, and a layer has no public list of them.
    """
    layers: list[keras.layers.Layer] = model._flatten_layers()
    return layers


def wrapped_arguments(made: Any) -> dict[str, Any]:
    """Return the options that a loss or metric hands to the function that it wraps.

    The `get_config` of `keras.losses.Huber` and of others leaves some of them out.
    """
    return dict(getattr(made, "_fn_kwargs", {}))


def shapes_of(operation: "keras.Operation") -> list[tuple[list[Any], list[Any]]]:
    """Return the shapes of the inputs and of the outputs of each call of a layer or operation in a model, the batch in front.

    `keras.Operation.output` is public, but gives only the first call, and raises where there is none.
    """
    return [
        ([tensor.shape for tensor in node.input_tensors], [tensor.shape for tensor in node.output_tensors])
        for node in getattr(operation, "_inbound_nodes", ())
    ]


def last_call(network: "keras.Model") -> tuple["keras.Operation", list["keras.KerasTensor"]]:
    """Return the operation that gives the first output of a functional model, and the tensors that it reads there.

    `output` and `input` of a model are public, but where it is a part of another one they are of its own graph.
    """
    operation, number, _ = network.outputs[0]._keras_history
    return operation, operation._inbound_nodes[number].input_tensors


def calls_in(network: "keras.Model") -> list[tuple["keras.Operation", list["keras.KerasTensor"], list["keras.KerasTensor"]]]:
    """Return each call of a layer or operation in a functional model, in the order of computing, with what it reads and gives.

    `keras.Operation.input` and `output` are public, but of the first call anywhere, which may be in another model.
    """
    nodes = [node for depth in sorted(network._nodes_by_depth, reverse=True) for node in network._nodes_by_depth[depth]]
    return [(node.operation, node.input_tensors, node.output_tensors) for node in nodes if not node.is_input]


def operations_behind(output: "keras.KerasTensor") -> list["keras.Operation"]:
    """Return the layers and operations that an output is computed by, each once, those that read the input first.

    There is no public way to them but a model, which refuses two of one name.
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
    """Let variables that are made within this block have a shape and never take memory.

    `keras.StatelessScope(initialize_variables=False)` is public, but keeps a list of these variables, for which the next scope
    of this kind, in a training say, takes the memory after all. There is no public way to empty the list.
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
    """Return whether TensorFlow computes with oneDNN here: there is no public way, and the variable does not show it."""
    from tensorflow.python.util import _pywrap_util_port

    return bool(_pywrap_util_port.IsMklEnabled())


def leave_tensorflow_alone() -> None:
    """Keep Keras on JAX or torch from loading TensorFlow, unless it is loaded.

    Keras loads it, where it is installed, to seed it too, and to see whether a value that it saves is one of TensorFlow's: 2 s
    of processor time and 450 MB in each process. There is no public way to tell Keras that none is.
    """
    import keras
    from keras.src.utils.module_utils import tensorflow

    if keras.backend.backend() != "tensorflow" and "tensorflow" not in sys.modules:
        tensorflow._available = False


def in_shapes_alone() -> bool:
    """Return whether this is within a block of `shapes_alone`, for layers whose weights are not made by Keras."""
    return bool(_WITHIN)


def torch_generators_by(make: Callable[[Any], Any]) -> AbstractContextManager[None]:
    """Have `keras.random` on torch draw from other generators within this block.

    Keras makes a generator for each draw, with a seed that it fetches from the device; there is no public way to give it one.
    `make` returns a `torch.Generator` for what is given as ``seed``.
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
    """Have TensorFlow forget the functions that it has traced for models of earlier jobs.

    A part of TensorFlow that has its own gradient (some of its losses and layers have) registers it anew in every function
    that is traced, and never takes it back; the gradient holds the whole graph, about 9 MB for each fit of a small network. A
    function that has been traced with its gradient, as a training step is, continues working. There is no public way; where
    TensorFlow keeps its gradients elsewhere, nothing happens, and max_worker_memory_mb bounds the memory of a worker.
    """
    ops = sys.modules.get("tensorflow.python.framework.ops")
    registered: Any = getattr(getattr(ops, "gradient_registry", None), "_registry", None)
    if isinstance(registered, dict):
        for name in [name for name in registered if isinstance(name, str) and name.startswith(_CUSTOM_GRADIENTS)]:
            del registered[name]


def kernels_kept(*, kept: bool = True) -> AbstractContextManager[None]:
    """Within this block, prevent Keras from emptying TensorFlow's cache of functions that are ready to run; False: let it.

    `keras.utils.set_random_seed` and `keras.backend.clear_session` do, and each function is optimised anew when it runs next:
    half a second for a fold of a small network. There is no public way to set only a seed.
    """
    context: Any = sys.modules.get("tensorflow.python.eager.context")
    return _replaced(context.pywrap_tfe, "TFE_ContextClearCaches", lambda _: None) if kept and context else nullcontext()


def drop_kernels() -> None:
    """Empty TensorFlow's cache of functions; `keras.backend.clear_session` is public, but forgets the names of layers too."""
    if context := sys.modules.get("tensorflow.python.eager.context"):
        context.context().clear_kernel_cache()


def has_drawn_seeds(seed: int) -> bool:
    """Return whether TensorFlow, as the backend, has drawn seeds since `keras.utils.set_random_seed(seed)`, or for a function.

    A function would go on with the numbers and the seed of the fold for which it was traced. The public `get_seed` draws one.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return False
    from tensorflow.python.eager import context
    from tensorflow.python.framework import random_seed

    return bool(random_seed._graph_to_seed_dict) or context.context()._rng.getstate() != Random(seed).getstate()  # noqa: S311


def global_seed_state() -> NDArray[Any] | None:
    """Return the state of the seeds that Keras draws for whatever names none, (2,); None: nothing has drawn any.

    There is no public way to it, and asking for it with `keras.random` would draw.
    """
    import keras
    from keras.src.backend.common import global_state
    from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR

    generator = global_state.get_global_attribute(GLOBAL_SEED_GENERATOR)
    return None if generator is None else keras.ops.convert_to_numpy(generator.state).copy()


def set_global_seed_state(state: NDArray[Any] | None) -> None:
    """Set the state that `global_seed_state` gave; None: as `keras.utils.set_random_seed` has left it.

    Raises:
        ValueError: It has another shape.
    """
    from keras.src.random.seed_generator import global_seed_generator

    if state is not None:
        global_seed_generator().state.assign(state)
