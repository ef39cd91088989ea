"""Save the state of a training at the end of an epoch, so that another process continues it with exactly the same result.

A checkpoint has all variables (weights, random states, optimizer, learning rate, averages), the random state of the process,
the state of callbacks (best weights, early stopping, plateaus, predictions of the best epoch), and the epochs so far. The order
of the examples, crops and mixtures of an epoch depend only on its number, and need no state. Observers are notified of each
epoch.

Users' callbacks may have any state, so a training with such callbacks starts again.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from xval.backend import random_states
from xval.backend.compilation import has_gpu
from xval.jobs.checkpoints import FoldCheckpoints, Stateful
from xval.jobs.observers import Observers
from xval.training.compiled import CompiledModel


def belongings(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the conditions of a training's results other than its job: the kind of device, and the facts of its model."""
    return {"device": "gpu" if has_gpu() else "cpu", **facts}


class WatchedEpochs(keras.callbacks.Callback):  # type: ignore[misc]
    """Notifies observers of each epoch, and restores the state of a checkpoint; it is the last callback.

    Args:
        checkpoints: The checkpoints of the job; None: none are written.
        compiled: The model in training.
        others: The callbacks of the training before this one.
        n_epochs: Largest number of epochs.
        diverged: Function that returns the fault of the last epoch, which then does not count; None: no fault.

    Attributes:
        rows: A dict per epoch, including those before the checkpoint: epoch (from 1) and the monitored values.
        first_epoch: The number of finished epochs at the start.
        last_epoch: The number of epochs at the end: `n_epochs`, or less if an earlier process has ended the training.
    """

    def __init__(
        self,
        observers: Observers,
        checkpoints: FoldCheckpoints | None,
        compiled: CompiledModel,
        others: Sequence[keras.callbacks.Callback],
        n_epochs: int,
        diverged: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__()
        self._observers, self._checkpoints, self._diverged = observers, checkpoints, diverged
        self.rows: list[dict[str, float]] = []
        self.last_epoch = self._n_epochs = n_epochs
        if checkpoints:
            for callback in others:
                callback.set_model(compiled.fitted)
            parts: dict[str, Stateful] = {"model": compiled, "random": random_states, "epochs": self}
            parts |= {type(callback).__name__: callback for callback in others if isinstance(callback, Stateful)}
            checkpoints.watch(parts)
        self.first_epoch = len(self.rows)

    def get_state(self) -> dict[str, Any]:
        """Return the epochs so far, and whether training has ended."""
        names = list(self.rows[0]) if self.rows else []
        return {
            "names": names,
            "values": np.array([[row[name] for name in names] for row in self.rows]),
            "count": len(self.rows),
            "last_epoch": len(self.rows) if self._has_ended() else self.last_epoch,
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Continue after the epochs of a state.

        Raises:
            ValueError: The number of epochs differs from that in the state, or exceeds the number to train.
        """
        rows = [dict(zip(state["names"], map(float, values), strict=True)) for values in state["values"]]
        last_epoch = int(state["last_epoch"])
        if len(rows) != state["count"] or not len(rows) <= last_epoch <= self._n_epochs:
            raise ValueError(f"epoch {len(rows)} of {self._n_epochs}")
        self.rows = [row | {"epoch": int(row["epoch"])} for row in rows]
        self.last_epoch = last_epoch

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002 - as Keras calls it
        """Replace the initial state of the other callbacks by that of the checkpoint."""
        if self._checkpoints and self.first_epoch:
            self._checkpoints.go_on()
            for row in self.rows:
                self._observers.epoch(row, is_past=True)
            where = f"continues at epoch {self.first_epoch + 1} of {self.last_epoch}"
            self._checkpoints.say(where if self.first_epoch < self.last_epoch else "is trained; continues with its test")

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Store and report the values of the epoch unless it has diverged."""
        if self._diverged():
            return
        self.rows.append({"epoch": epoch + 1} | {name: float(value) for name, value in logs.items()})
        if self._observers.epoch(self.rows[-1]):
            self.model.stop_training = True

    def _has_ended(self) -> bool:
        is_stopped = self._observers.has_ended_training or getattr(self.model, "stop_training", False)
        return bool(is_stopped) or len(self.rows) == self.last_epoch
