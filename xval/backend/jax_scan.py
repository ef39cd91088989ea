"""`ScannedSteps`: epochs on JAX as one program that scans over all steps, with examples and model state on the device.

It is what `xval.backend.on_device` uses on JAX. Source: https://docs.jax.dev/en/latest/_autosummary/jax.lax.scan.html
"""

from collections.abc import Iterator
from typing import Any

import jax
import keras
import numpy as np
from numpy.typing import NDArray

from xval.backend.held_examples import HeldExamples


class ScannedSteps:
    """Training and prediction with one compiled model, in steps of ``batch_size`` examples; a `DeviceSteps`."""

    def __init__(self, model: keras.Model, held: HeldExamples, batch_size: int) -> None:
        self.held = held
        self.batch_size = batch_size
        self._model = model
        self._train = jax.jit(self._scan, donate_argnums=0)
        self._predict = jax.jit(self._map)

    def train_epoch(self, state: Any, iterator: Iterator[tuple[Any, ...]]) -> tuple[dict[str, Any], Any]:
        """Train an epoch, called in place of `keras.Model.train_function` on JAX; return its logs and the new state."""
        return self._train(state, self.held.array, jax.tree.map(self._in_batches, next(iterator)))  # type: ignore[no-any-return]

    def predict(self, places: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return the predictions for examples at some places, float32 (n_examples, *output_shape)."""
        n_examples = len(places)
        rows = np.resize(np.arange(n_examples), -(-n_examples // self.batch_size) * self.batch_size)
        variables = [
            [variable.value for variable in group]
            for group in (self._model.trainable_variables, self._model.non_trainable_variables)
        ]
        predictions = np.asarray(self._predict(variables, self.held.array, self._in_batches(places[rows])), np.float32)
        return predictions.reshape(-1, *predictions.shape[2:])[:n_examples]

    def _in_batches(self, values: Any) -> Any:
        return values.reshape(-1, self.batch_size, *values.shape[1:])

    def _scan(self, state: Any, array: Any, epoch: tuple[Any, ...]) -> tuple[dict[str, Any], Any]:
        def step(before: Any, batch: tuple[Any, ...]) -> tuple[Any, dict[str, Any]]:
            given, *labels = batch
            logs, after = self._model.train_step(before, (self.held.examples(given, array), *labels))
            # Some values of Keras change their dtype in a step, which a scan does not allow.
            return jax.tree.map(lambda new, old: new.astype(old.dtype), _lists(after), before), logs

        after, logs = jax.lax.scan(step, _lists(state), epoch)
        return jax.tree.map(lambda values: values[-1], logs), tuple(after)

    def _map(self, variables: list[list[Any]], array: Any, batches: Any) -> Any:
        def predict(places: Any) -> Any:
            return self._model.stateless_call(*variables, self.held.examples((places,), array), training=False)[0]

        return jax.lax.map(predict, batches)


def _lists(state: Any) -> list[list[Any]]:
    return [list(values) for values in state]
