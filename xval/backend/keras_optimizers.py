"""The private parts of Keras's optimizers that xval uses; each docstring says which public way is missing.

They let the learning rate follow the batches, scale updates, and give access to variables.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import keras
from keras import ops

_Optimizer: Any = object  # what the classes below are mixed into


def weight_averages(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """Return the moving averages that an optimizer with `use_ema` keeps, in the order of the weights that it was built with.

    They are among `Optimizer.variables`, which does not tell one kind from another. In mixed_float16 they belong to the
    optimizer within.
    """
    averages: list[keras.Variable] = getattr(optimizer, "inner_optimizer", optimizer)._model_variables_moving_average
    return averages


def optimizer_variables(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """Return all variables of a built optimizer.

    `Optimizer.variables` lacks those that an optimizer within another one makes without `add_variable`: nadam's in
    mixed_float16.
    """
    known: list[keras.Variable] = list(optimizer.variables)
    ids = {id(value) for value in known}
    own = vars(getattr(optimizer, "inner_optimizer", optimizer)).values()
    return known + [value for value in own if isinstance(value, keras.Variable) and id(value) not in ids]


def has_settable_rate(optimizer: keras.optimizers.Optimizer) -> bool:
    """Return whether a learning rate can be set, which it cannot where an object or a function of Keras's gives it.

    `Optimizer.learning_rate` is public, but gives the number of the moment in both cases.
    """
    return isinstance(getattr(optimizer, "inner_optimizer", optimizer)._learning_rate, keras.Variable)


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

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Make the variables, those of the line among them."""
        if not self.built:
            super().build(variables)
            self._slope = self.add_variable((), initializer="zeros", dtype="float32", name="rate_slope")
            self._first = self.add_variable((), initializer="zeros", dtype="int64", name="rate_first_batch")

    def follow_line(self, start: float, end: float, n_batches: int) -> None:
        """Let the learning rate go from start, at the next batch, to end, which it has after ``n_batches``."""
        self._learning_rate.assign(start)
        self._slope.assign((end - start) / n_batches)
        # Batches, not updates, of which several have one (gradient_accumulation_steps).
        self._first.assign(int(ops.convert_to_numpy(self._iterations)))  # not its buffer, which JAX gives away in a step

    def _get_current_learning_rate(self) -> Any:
        if not self.built:
            return super()._get_current_learning_rate()
        n_batches = ops.cast(self._iterations - ops.cast(self._first, self._iterations.dtype), "float32")
        return self._learning_rate + self._slope * n_batches


class ScaledUpdates(_Optimizer):  # type: ignore[misc]
    """A mixin of optimizers: each variable changes by a share of its update.

    The update is scaled, not the gradient, of whose scale Adam and others take no notice; the decay of weights counts as a part
    of it. At a share of 0 the gradient counts as 0 too, so that neither the norm that is clipped nor any moment knows of it.

    Keras has no public place between the clipping of gradients and the moving average of weights.

    Attributes:
        shares: Variable, float32 (n_variables,), once built: 0 keeps a variable exactly as it is, 1 leaves its update as it is.
    """

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Make the variables, the shares among them."""
        if not self.built:
            super().build(variables)
            self.shares = self.add_variable((len(variables),), initializer="ones", dtype="float32", name="shares")

    def _share(self, variable: keras.Variable) -> Any:
        return self.shares[self._get_variable_index(variable)]

    def _backend_apply_gradients(self, grads: Sequence[Any], trainable_variables: Sequence[keras.Variable]) -> None:
        learning = [
            ops.cast(self._share(variable) > 0, grad.dtype) for grad, variable in zip(grads, trainable_variables, strict=True)
        ]
        super()._backend_apply_gradients([*map(ops.multiply, grads, learning)], trainable_variables)

    def _apply_weight_decay(self, variables: Sequence[keras.Variable]) -> None:
        """Nothing: `_backend_update_step` does it, to scale it with the rest."""

    def _backend_update_step(
        self, grads: Sequence[Any], trainable_variables: Sequence[keras.Variable], learning_rate: Any
    ) -> None:
        before = [ops.copy(ops.convert_to_tensor(variable)) for variable in trainable_variables]
        super()._apply_weight_decay(trainable_variables)
        super()._backend_update_step(grads, trainable_variables, learning_rate)
        for variable, old in zip(trainable_variables, before, strict=True):
            share, new = ops.cast(self._share(variable), old.dtype), ops.convert_to_tensor(variable)
            scaled = ops.where(share == 1, new, old + share * (new - old))
            variable.assign(ops.where(share == 0, old, scaled))
