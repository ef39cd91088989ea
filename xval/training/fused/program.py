"""The one program that trains all members at once: a step of Keras's own, mapped over stacked variables by `jax.vmap`.

Comes in: the model that stands for all members, the values of each member's variables, and an epoch's batches. Goes out: the
stacked state after the epoch, the values that Keras follows, and predictions.

A member that has no batch left in an epoch, or that has ended, gets a batch too, but keeps its state. A member's step is
`Model.train_step`, so that losses, weights, metrics and the optimizer are those of a model trained alone.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import keras
import numpy as np
from numpy.typing import NDArray

from xval.training.fused.batches import StepArrays
from xval.training.fused.options import MemberOptions

State: TypeAlias = tuple[list[Any], list[Any], list[Any], list[Any]]
"""Trainable and other variables of the model, those of the optimizer and those of the metrics; stacked: members first."""


@dataclass(frozen=True)
class Cost:
    """What a compiled program takes.

    Attributes:
        compile_s: Time of its compilation (s).
        memory_bytes: Memory of its arguments, results and all between them.
    """

    compile_s: float
    memory_bytes: int


class Program:
    """The compiled functions of members that are trained together.

    Args:
        model: The model that stands for all of them, compiled and with a built optimizer.
        options: In what the members differ besides their variables.
        held: float32 (n_examples, ...), the examples that plans name by their rows; it is put on the device once. None: plans
            bring the predictors themselves.
    """

    def __init__(self, model: keras.Model, options: MemberOptions, held: NDArray[np.float32] | None) -> None:
        self._model = model
        self._options = options
        self._held = None if held is None else jax.device_put(held)
        self._step = jax.jit(self._train_members, donate_argnums=0)
        self._predict = jax.jit(self._predict_members)
        self._results = jax.jit(jax.vmap(self._metric_results))
        self._penalties = jax.jit(jax.vmap(self._penalty))
        self._take = jax.jit(lambda state, position: jax.tree.map(lambda values: values[position], state[:2]))
        self._compiled: dict[int, Any] = {}  # by the number of members

    def compile(self, state: State, chosen: Mapping[str, Any], plan: StepArrays) -> Cost:
        """Compile the step for so many members, unless it is compiled; return what it takes."""
        n_members = plan["active"].shape[1]
        started = time.monotonic()
        if n_members not in self._compiled:
            self._compiled[n_members] = self._step.lower(state, chosen, plan, np.int32(0), self._held).compile()
        analysis = self._compiled[n_members].memory_analysis()
        sizes = ("argument_size_in_bytes", "output_size_in_bytes", "temp_size_in_bytes")
        taken = sum(int(getattr(analysis, name, 0)) for name in sizes) - int(getattr(analysis, "alias_size_in_bytes", 0))
        return Cost(time.monotonic() - started, taken)

    def train(self, state: State, chosen: Mapping[str, Any], plan: StepArrays, steps: Sequence[int]) -> State:
        """Take steps of a plan; the state that comes in is used up.

        Args:
            state: Stacked.
            chosen: The values of `MemberOptions`, stacked.
            plan: The batches; put on the device by the caller where the whole of it fits.
            steps: Which of them.

        Returns:
            The state after them.
        """
        n_members = plan["active"].shape[1]
        if n_members not in self._compiled:
            self.compile(state, chosen, plan)
        step = self._compiled[n_members]
        for number in steps:
            state = step(state, chosen, plan, np.int32(number), self._held)
        return state

    def predict(self, state: State, plan: StepArrays, steps: Sequence[int]) -> list[Any]:
        """Return the predictions of each member for some batches of a plan, each float32 (n_members, batch_size, ...)."""
        return [self._predict(state[:2], plan, np.int32(number), self._held) for number in steps]

    def penalties(self, state: State, chosen: Mapping[str, Any]) -> NDArray[np.float32]:
        """Return the penalty of the weights of each member, float32 (n_members,)."""
        return np.asarray(self._penalties(state[0], chosen))

    def results(self, state: State) -> dict[str, NDArray[np.float32]]:
        """Return the loss and metrics that Keras has followed since the metrics were set anew, float32 (n_members,)."""
        return {name: np.asarray(values) for name, values in self._results(state[3]).items()}

    def take(self, state: State, position: int) -> list[list[Any]]:
        """Return the variables of the model of one member, trainable and other ones."""
        taken: list[list[Any]] = list(self._take(state, position))
        return taken

    def _train_members(self, state: State, chosen: Mapping[str, Any], plan: StepArrays, number: Any, held: Any) -> State:
        batch = {name: values[number] for name, values in plan.items()}

        def of_member(state: State, chosen: Mapping[str, Any], batch: Mapping[str, Any]) -> State:
            with self._options.applied(self._model, chosen):
                _, after = self._model.train_step(state, (_inputs(batch, held), batch["targets"], batch["weights"]))
            kept: State = jax.tree.map(lambda new, old: jnp.where(batch["active"], new, old), tuple(map(list, after)), state)
            return kept

        stepped: State = jax.vmap(of_member)(state, chosen, batch)
        return stepped

    def _predict_members(self, state: tuple[list[Any], list[Any]], plan: StepArrays, number: Any, held: Any) -> Any:
        batch = {name: values[number] for name, values in plan.items()}

        def of_member(state: tuple[list[Any], list[Any]], batch: Mapping[str, Any]) -> Any:
            with self._options.applied(self._model, {}):
                return self._model.stateless_call(*state, _inputs(batch, held), training=False)[0]

        return jax.vmap(of_member)(state, batch)

    def _penalty(self, trainable: Sequence[Any], chosen: Mapping[str, Any]) -> Any:
        with self._options.applied(self._model, chosen):
            pairs = zip(self._model.trainable_variables, trainable, strict=True)
            found = [variable.regularizer(value) for variable, value in pairs if variable.regularizer is not None]
        return jnp.sum(jnp.stack(found)) if found else jnp.zeros(())

    def _metric_results(self, values: Sequence[Any]) -> dict[str, Any]:
        with keras.StatelessScope(state_mapping=list(zip(self._model.metrics_variables, values, strict=True))):
            results: dict[str, Any] = self._model.get_metrics_result()
        return results


def stack(states: Sequence[State]) -> State:
    """Return the states of members on top of each other; by NumPy, which has nothing to compile for each shape."""
    stacked: State = jax.tree.map(lambda *values: jax.device_put(np.stack(list(map(np.asarray, values)))), *states)
    return stacked


def narrow(values: Any, positions: Sequence[int]) -> Any:
    """Return stacked values of some of the members."""
    chosen = np.asarray(positions)
    return jax.tree.map(lambda stacked: jax.device_put(np.asarray(stacked)[chosen]), values)


def _inputs(batch: Mapping[str, Any], held: Any) -> Any:
    return batch["predictors"] if held is None else held[batch["rows"]]
