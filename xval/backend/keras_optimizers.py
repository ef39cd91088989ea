"""The private parts of Keras's optimizers that xval uses; each docstring says why no public function will do.

They change the learning rate from batch to batch, scale the updates of single variables, and give access to all variables.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import keras
from keras import ops

_Optimizer: Any = object  # stands for keras.optimizers.Optimizer, into whose subclasses the mixins below are mixed


def weight_averages(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """Return the moving averages that an optimizer with `use_ema` keeps, in the order of the weights that it was built with.

    They are among `Optimizer.variables`, which does not distinguish them from others. In mixed_float16 they belong to the inner
    optimizer.
    """
    averages: list[keras.Variable] = getattr(optimizer, "inner_optimizer", optimizer)._model_variables_moving_average
    return averages


def optimizer_variables(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """Return all variables of a built optimizer.

    `Optimizer.variables` lacks those that an inner optimizer makes without `add_variable`, such as nadam in mixed_float16.
    """
    known: list[keras.Variable] = list(optimizer.variables)
    ids = {id(value) for value in known}
    own = vars(getattr(optimizer, "inner_optimizer", optimizer)).values()
    return known + [value for value in own if isinstance(value, keras.Variable) and id(value) not in ids]


def has_settable_rate(optimizer: keras.optimizers.Optimizer) -> bool:
    """Return whether the learning rate can be set; it cannot if it comes from a `LearningRateSchedule` or a function.

    `Optimizer.learning_rate` is public, but gives the present number in both cases.
    """
    return isinstance(getattr(optimizer, "inner_optimizer", optimizer)._learning_rate, keras.Variable)


def mix_in(mixin: Any, optimizer: Any) -> None:
    """Add `ScaledUpdates` or `RateByBatch` to the class of an optimizer that is not built yet.

    The object itself is changed: an optimizer of a new subclass would lose torch's update of many variables at once.
    """
    optimizer.__class__ = _mixed(mixin, optimizer.__class__)


@cache
def _mixed(mixin: Any, optimizer_class: Any) -> Any:
    return type(optimizer_class.__name__, (mixin, optimizer_class), {})


class RateByBatch(_Optimizer):  # type: ignore[misc]
    """A mixin for optimizers whose learning rate changes linearly from batch to batch.

    A `LearningRateSchedule` of Keras has its numbers compiled in, but folds that share one compiled model may differ in their
    number of batches. Keras has no public way to compute the learning rate from variables.
    """

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Create the variables of the optimizer, and those of the line: its slope and its first batch."""
        if not self.built:
            super().build(variables)
            self._slope = self.add_variable((), initializer="zeros", dtype="float32", name="rate_slope")
            self._first = self.add_variable((), initializer="zeros", dtype="int64", name="rate_first_batch")

    def follow_line(self, start: float, end: float, n_batches: int) -> None:
        """Change the learning rate linearly from ``start`` at the next batch to ``end`` after ``n_batches`` batches."""
        self._learning_rate.assign(start)
        self._slope.assign((end - start) / n_batches)
        # Counted in batches, not in updates: with gradient_accumulation_steps, several batches make one update.
        self._first.assign(int(ops.convert_to_numpy(self._iterations)))  # not its buffer, which JAX gives away in a step

    def _get_current_learning_rate(self) -> Any:
        if not self.built:
            return super()._get_current_learning_rate()
        n_batches = ops.cast(self._iterations - ops.cast(self._first, self._iterations.dtype), "float32")
        return self._learning_rate + self._slope * n_batches


class ScaledUpdates(_Optimizer):  # type: ignore[misc]
    """A mixin for optimizers that applies only a share of the update to each variable.

    The update is scaled, including weight decay; scaling the gradient would not help, because Adam and others ignore its scale.
    At a share of 0 the gradient is set to 0 too, so that it enters neither the clipped norm nor any moment.

    Keras has no public hook between the clipping of gradients and the moving average of weights.

    Attributes:
        shares: Variable, float32 (n_variables,), once built: 0 keeps a variable exactly as it is, 1 leaves its update as it is.
    """

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Create the variables of the optimizer, and the shares, which are 1 at first."""
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
        """Do nothing: `_backend_update_step` applies the decay, to scale it with the rest of the update."""

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
