"""The private parts of Keras and TensorFlow that xval uses, all of them; each docstring says which public way is missing.

Comes in: models and values. Goes out: what Keras neither tells nor allows otherwise. Any version of Keras or TensorFlow may
change these parts: tests/xval/backend/test_keras_internals.py uses each of them (test_torch_graphs.py those of torch) and says
what to look at.
"""

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from importlib import metadata
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

_Optimizer: Any = object  # what the class below is mixed into

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
            newer.append(f"{package} {version} is newer than {tried}, with which xval has been tried")
    if not newer:
        return None
    return f"{'; '.join(newer)}. If a job fails inside Keras, install the versions of constraints.txt."


_CUSTOM_GRADIENTS = "CustomGradient-"
_WITHIN: list[str] = []


def all_layers(model: "keras.Model") -> list["keras.layers.Layer"]:
    """Return a model, its layers and the layers within these, each once.

    `keras.Model.layers` leaves out the layers within layers, and a layer has no public list of its own.
    """
    layers: list[keras.layers.Layer] = model._flatten_layers()
    return layers


def wrapped_arguments(made: Any) -> dict[str, Any]:
    """Return the options that a loss or metric hands to the function that it wraps.

    The `get_config` of `keras.losses.Huber` and of others leaves some of them out.
    """
    return dict(getattr(made, "_fn_kwargs", {}))


def weight_averages(optimizer: "keras.optimizers.Optimizer") -> list["keras.Variable"]:
    """Return the moving averages that an optimizer with `use_ema` keeps, in the order of the weights that it was built with.

    They are among `Optimizer.variables`, which does not tell one kind from another. In mixed_float16 they belong to the
    optimizer within.
    """
    averages: list[keras.Variable] = getattr(optimizer, "inner_optimizer", optimizer)._model_variables_moving_average
    return averages


def shapes_of(operation: "keras.Operation") -> list[tuple[list[Any], list[Any]]]:
    """Return the shapes of the inputs and of the outputs of each call of a layer or operation in a model, the batch in front.

    `keras.Operation.output` is public, but gives the first call alone, and raises where there is none.
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


def optimizer_variables(optimizer: "keras.optimizers.Optimizer") -> list["keras.Variable"]:
    """Return all variables of a built optimizer.

    `Optimizer.variables` lacks those that an optimizer within another one makes without `add_variable`: nadam's in
    mixed_float16.
    """
    import keras

    known: list[keras.Variable] = list(optimizer.variables)
    ids = {id(value) for value in known}
    own = vars(getattr(optimizer, "inner_optimizer", optimizer)).values()
    return known + [value for value in own if isinstance(value, keras.Variable) and id(value) not in ids]


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

    A part of TensorFlow that has a gradient of its own (some of its losses and layers have) registers it anew in every function
    that is traced, and never takes it back; the gradient holds the whole graph, about 9 MB for each fit of a small network. A
    function that has been traced with its gradient, as a training step is, goes on working. There is no public way; where
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
    half a second for a fold of a small network. There is no public way to set a seed alone.
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


def mix_in(mixin: Any, optimizer: Any) -> None:
    """Have an optimizer, not built yet, do what `ScaledUpdates` or `RateByBatch` does besides.

    What a subclass made anew would lose, torch's own update of many variables at once, the optimizer keeps.
    """
    optimizer.__class__ = _mixed(mixin, optimizer.__class__)


@cache
def _mixed(mixin: Any, optimizer_class: Any) -> Any:
    return type(optimizer_class.__name__, (mixin, optimizer_class), {})


class RateByBatch(_Optimizer):  # type: ignore[misc]
    """A mixin of optimizers: the learning rate follows a straight line over the batches.

    A `LearningRateSchedule` of Keras has its numbers in what is compiled, and the folds of one compiled model may differ in
    their batches. Keras has no public place for a learning rate of variables.
    """

    def build(self, variables: Sequence["keras.Variable"]) -> None:
        """Make the variables, those of the line among them."""
        if not self.built:
            super().build(variables)
            self._slope = self.add_variable((), initializer="zeros", dtype="float32", name="rate_slope")
            self._first = self.add_variable((), initializer="zeros", dtype="int64", name="rate_first_batch")

    def follow_line(self, start: float, end: float, n_batches: int) -> None:
        """Let the learning rate go from start, at the next batch, to end, which it has after ``n_batches``."""
        from keras import ops

        self._learning_rate.assign(start)
        self._slope.assign((end - start) / n_batches)
        self._first.assign(int(ops.convert_to_numpy(self.iterations)))  # not its buffer, which JAX gives away in a step

    def _get_current_learning_rate(self) -> Any:
        from keras import ops

        if not self.built:
            return super()._get_current_learning_rate()
        n_batches = ops.cast(self.iterations - ops.cast(self._first, self.iterations.dtype), "float32")
        return self._learning_rate + self._slope * n_batches


class ScaledUpdates(_Optimizer):  # type: ignore[misc]
    """A mixin of optimizers: each variable changes by a share of its update.

    The update is scaled, not the gradient, of whose scale Adam and others take no notice; the decay of weights counts as a part
    of it. At a share of 0 the gradient counts as 0 too, so that neither the norm that is clipped nor any moment knows of it.

    Keras has no public place between the clipping of gradients and the moving average of weights.

    Attributes:
        shares: Variable, float32 (n_variables,), once built: 0 keeps a variable bit for bit, 1 leaves its update as it is.
    """

    def build(self, variables: Sequence["keras.Variable"]) -> None:
        """Make the variables, the shares among them."""
        if not self.built:
            super().build(variables)
            self.shares = self.add_variable((len(variables),), initializer="ones", dtype="float32", name="shares")

    def _share(self, variable: "keras.Variable") -> Any:
        return self.shares[self._get_variable_index(variable)]

    def _backend_apply_gradients(self, grads: Sequence[Any], trainable_variables: Sequence["keras.Variable"]) -> None:
        from keras import ops

        learning = [
            ops.cast(self._share(variable) > 0, grad.dtype) for grad, variable in zip(grads, trainable_variables, strict=True)
        ]
        super()._backend_apply_gradients([*map(ops.multiply, grads, learning)], trainable_variables)

    def _apply_weight_decay(self, variables: Sequence["keras.Variable"]) -> None:
        """Nothing: `_backend_update_step` does it, to scale it with the rest."""

    def _backend_update_step(
        self, grads: Sequence[Any], trainable_variables: Sequence["keras.Variable"], learning_rate: Any
    ) -> None:
        from keras import ops

        before = [ops.copy(ops.convert_to_tensor(variable)) for variable in trainable_variables]
        super()._apply_weight_decay(trainable_variables)
        super()._backend_update_step(grads, trainable_variables, learning_rate)
        for variable, old in zip(trainable_variables, before, strict=True):
            share, new = ops.cast(self._share(variable), old.dtype), ops.convert_to_tensor(variable)
            scaled = ops.where(share == 1, new, old + share * (new - old))
            variable.assign(ops.where(share == 0, old, scaled))


def global_seed_state() -> "NDArray[Any] | None":
    """Return the state of the seeds that Keras draws for whatever names none, (2,); None: nothing has drawn any.

    There is no public way to it, and asking for it with `keras.random` would draw.
    """
    import keras
    from keras.src.backend.common import global_state
    from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR

    generator = global_state.get_global_attribute(GLOBAL_SEED_GENERATOR)
    return None if generator is None else keras.ops.convert_to_numpy(generator.state).copy()


def set_global_seed_state(state: "NDArray[Any] | None") -> None:
    """Set the state that `global_seed_state` gave; None: as `keras.utils.set_random_seed` has left it.

    Raises:
        ValueError: It has another shape.
    """
    from keras.src.random.seed_generator import global_seed_generator

    if state is not None:
        global_seed_generator().state.assign(state)
