"""What a training is at the end of an epoch, and how another process goes on from there to the same end, bit for bit.

Comes in: a compiled model, the callbacks of its training, and the checkpoints of the job. Goes out: the state for them to write
at the ends of epochs: all variables (weights, states of random numbers, optimizer, learning rate, moving averages), the random
numbers of the process, and what the callbacks hold (best weights, early stopping, plateaus, predictions of the best epoch),
with the epochs so far. The order of the examples, crops and mixtures of an epoch are drawn from its number, and need no state.

Callbacks of the user's own may hold anything, so a training with some is begun again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from xval.backend.compilation import has_gpu
from xval.backend.random_states import random_states, set_random_states
from xval.base.errors import brief
from xval.jobs.checkpoint_file import Checkpoint
from xval.jobs.checkpoints import FoldCheckpoints
from xval.training.compiled import CompiledModel
from xval.training.epochs import AveragedWeights, BatchLosses, KeptPredictions, ReportEpoch

_HELD: Mapping[type[keras.callbacks.Callback], tuple[str, ...]] = {
    keras.callbacks.EarlyStopping: ("wait", "stopped_epoch", "best", "best_epoch", "best_weights"),
    keras.callbacks.ReduceLROnPlateau: ("wait", "best", "cooldown_counter"),
    AveragedWeights: ("trained",),
    KeptPredictions: ("predictions",),
    BatchLosses: ("n_written",),
}
"""What callbacks hold from an epoch to the next one; those of other classes hold nothing."""


def belongings(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what results of a training depend on besides its job: the kind of device, and the facts of its model."""
    return {"device": "gpu" if has_gpu() else "cpu", **facts}


class CheckpointedEpochs(keras.callbacks.Callback):  # type: ignore[misc]
    """Offers the state after each epoch, and begins with that of a checkpoint; the last one of the callbacks.

    Args:
        checkpoints: Of the job; None: none are written.
        compiled: What is trained.
        others: The callbacks of the training before this one.
        report: Gets the epochs that an earlier process has trained.
        n_epochs: Most epochs.

    Attributes:
        rows: A dict per epoch, those before the checkpoint too: epoch (from 1) and the values that training followed.
        first_epoch: The number of finished epochs to begin with.
        last_epoch: The number of epochs to end with: `n_epochs`, or less where an earlier process has ended the training.
    """

    def __init__(
        self,
        checkpoints: FoldCheckpoints | None,
        compiled: CompiledModel,
        others: Sequence[keras.callbacks.Callback],
        report: ReportEpoch,
        n_epochs: int,
    ) -> None:
        super().__init__()
        self._checkpoints = checkpoints
        self._compiled = compiled
        self._others = others
        self._report = report
        self.rows: list[dict[str, float]] = []
        self.last_epoch = n_epochs
        self._earlier: Checkpoint | None = None
        if checkpoints and (found := checkpoints.find()):
            try:
                self._check(found)
            except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
                checkpoints.refuse(f"its state does not fit ({brief(error, 100)})")
            else:
                self._earlier = found
                self.rows = _rows_of(found.state["history"])
                self.last_epoch = found.epoch if found.state["has_ended"] else n_epochs
        self.first_epoch = len(self.rows)

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002 - as Keras calls it
        """Put the state of the checkpoint in the place of what the other callbacks have begun with."""
        if self._earlier is None or self._checkpoints is None:
            return
        state = self._earlier.state
        for variable, value in zip(self._compiled.variables, state["variables"], strict=True):
            variable.assign(value)
        set_random_states(state["random"])
        for callback, held in zip(self._others, state["callbacks"], strict=True):
            vars(callback).update(held)
        self._checkpoints.go_on(self._earlier, self.last_epoch)
        for row in self.rows:
            self._report(int(row["epoch"]), {name: value for name, value in row.items() if name != "epoch"})
        self._earlier = None

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Keep the values of the epoch, and offer the state after it."""
        self.rows.append({"epoch": epoch + 1} | {name: float(value) for name, value in logs.items()})
        if self._checkpoints:
            self._checkpoints.offer(epoch + 1, self._take)

    def _take(self) -> dict[str, Any]:
        names = list(self.rows[0])
        return {
            "variables": [_copied(variable) for variable in self._compiled.variables],
            "random": random_states(),
            "callbacks": [{name: getattr(each, name) for name in _held(each)} for each in self._others],
            "history": {"names": names, "values": np.array([[row[name] for name in names] for row in self.rows])},
            "has_ended": bool(self._compiled.fitted.stop_training) or len(self.rows) == self.last_epoch,
        }

    def _check(self, found: Checkpoint) -> None:
        """Refuse a state of another form than that of this training, before anything is changed."""
        state = found.state
        if len(_rows_of(state["history"])) != found.epoch or not 0 < found.epoch <= self.last_epoch:
            raise ValueError(f"epoch {found.epoch} of {self.last_epoch}")
        _check_arrays("variables", state["variables"], [_copied(variable) for variable in self._compiled.variables])
        for callback, held in zip(self._others, state["callbacks"], strict=True):
            name = type(callback).__name__
            if set(held) != set(_held(callback)):
                raise ValueError(f"{name} holds {sorted(held)}")
            if not all(value is None or isinstance(value, int | float | list | np.ndarray) for value in held.values()):
                raise ValueError(f"{name} holds a text")
            if held.get("best_weights") is not None:
                _check_arrays(name, held["best_weights"], self._compiled.fitted.get_weights())
            if held.get("trained"):
                weights = [_copied(variable) for variable in self._compiled.fitted.trainable_variables]
                _check_arrays(name, held["trained"], weights)
        before = random_states()
        try:
            set_random_states(state["random"])
        except RuntimeError as error:
            raise ValueError(str(error)) from error
        finally:
            set_random_states(before)


def _held(callback: keras.callbacks.Callback) -> tuple[str, ...]:
    return _HELD.get(type(callback), ())


def _copied(variable: keras.Variable) -> NDArray[Any]:
    return np.array(keras.ops.convert_to_numpy(variable.value))


def _check_arrays(name: str, found: Sequence[NDArray[Any]], wanted: Sequence[NDArray[Any]]) -> None:
    forms, of_wanted = ([(each.shape, each.dtype) for each in arrays] for arrays in (found, wanted))
    if forms != of_wanted:
        raise ValueError(f"the arrays of {name} have another form")


def _rows_of(history: Mapping[str, Any]) -> list[dict[str, float]]:
    names = history["names"]
    rows = [dict(zip(names, map(float, values), strict=True)) for values in history["values"]]
    return [row | {"epoch": int(row["epoch"])} for row in rows]
