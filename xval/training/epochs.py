"""Callbacks between epochs: validation, learning rate schedule, early stopping, and progress reports.

The callbacks work with Keras's `fit`, or with any other training by epochs whose model has the attributes that they use:
``optimizer.learning_rate``, ``get_weights``, ``set_weights`` and ``stop_training``. Validation is one pass over its examples in
each epoch, and the predictions of the best epoch are kept for the evaluation.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from xval.backend.finite_weights import find_not_finite
from xval.backend.keras_optimizers import weight_averages
from xval.base.errors import DivergenceError
from xval.data.fold import FoldData, measured
from xval.jobs.job import Refit
from xval.measures import metrics
from xval.models.losses import data_loss
from xval.settings import further_metrics, optimizers
from xval.settings.schema import Settings
from xval.training import optimizer
from xval.training.compiled import arrays_of, check_form
from xval.training.stateful import Counting, EarlyStopping, Plateaus

WriteBatches = Callable[[int, Sequence[float]], None]


@dataclass(frozen=True)
class Validation:
    """The validation of an epoch.

    Attributes:
        data: The fold with the validation examples.
        predict: Function that returns the predictions of the current model, float32 (n_examples, *output_shape).
        penalty: Function that returns the penalty of its weights and the losses of its layers, which are parts of val_loss in
            Keras.
    """

    data: FoldData
    predict: Callable[[], NDArray[np.float32]]
    penalty: Callable[[], float]


class BetweenEpochs:
    """The callbacks of one fold, in the order in which they are called.

    Args:
        validation: The validation of epochs; None: none, or by `fit` itself.
        refit: Learning rates and number of epochs of a training without validation items.
        note: Function that receives a line on effects of a user's callback that are overridden.

    Attributes:
        callbacks: The callbacks for `fit`.
        predictions: Predictions of the validation examples at the epoch that is kept, after training; None: not validated here.
    """

    def __init__(
        self,
        settings: Settings,
        validation: Validation | None,
        refit: Refit | None,
        *,
        n_batches: int,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._keeps_last = refit is not None or not settings.restore_best_weights
        self._last = None if refit or settings.restore_best_weights else LastWeights(lambda: self.diverged)
        self._stopper = EarlyStopping(
            monitor=settings.monitor,
            mode="max"
            if further_metrics.monitor_is_maximised(settings.monitor, settings.task_type, settings.metrics)
            else "min",
            patience=settings.patience if settings.early_stopping else settings.num_epochs,
            min_delta=settings.min_delta,
            start_from_epoch=settings.start_from_epoch,
            restore_best_weights=settings.restore_best_weights,
        )
        self._epoch_end = _EpochEnd(settings, validation, self._holds_weights)
        self._kept = KeptPredictions(self._stopper, self._epoch_end, keeps_last=self._keeps_last)
        rates = refit.learning_rates if refit else None
        schedule = [] if rates is None else [keras.callbacks.LearningRateScheduler(lambda epoch, _: rates[epoch])]
        self.callbacks: list[keras.callbacks.Callback] = [
            *([] if settings.weight_average is None else [AveragedWeights()]),
            self._epoch_end,
            *(schedule or _schedule(settings, self._stopper.mode, n_batches, note)),
            *([] if refit else [self._stopper, self._kept]),
            *([self._last] if self._last else []),
        ]

    @property
    def predictions(self) -> NDArray[np.float32] | None:
        """Predictions of the validation examples at the epoch whose weights are kept."""
        return self._kept.predictions

    @property
    def diverged(self) -> dict[str, Any] | None:
        """The epoch, from 1, that ended the training because it diverged, and the reason; None: none did."""
        return self._epoch_end.diverged

    def best_epoch(self, n_epochs: int) -> int:
        """Return the epoch, from 1, whose weights the model has after this number of epochs."""
        return n_epochs if self._keeps_last or self._stopper.best is None else self._stopper.best_epoch + 1

    def _holds_weights(self) -> bool:
        """Return whether the weights of an earlier epoch are stored, with which training ends."""
        held = self._last.weights if self._last else self._stopper.best_weights
        return held is not None


def _schedule(settings: Settings, mode: str, n_batches: int, note: Callable[[str], None]) -> list[keras.callbacks.Callback]:
    """Return the callback that changes the learning rate between epochs, if any."""
    if not optimizer.sets_rate(settings):
        return []
    if optimizers.schedule_name(settings.schedule) == "plateau":
        factor, patience = settings.schedule_decay, settings.schedule_patience
        return [Plateaus(settings.monitor, factor, patience, mode=mode, min_delta=0.0)]
    followed = [_Overwritten(settings, note)] if settings.callbacks else []
    if settings.schedule_unit == "batch":
        return [*followed, _RateByBatch(settings, n_batches)]
    return [
        *followed,
        keras.callbacks.LearningRateScheduler(lambda epoch, _: optimizer.learning_rate(settings, epoch)),
    ]


class _Overwritten(keras.callbacks.Callback):  # type: ignore[misc]
    """Reports once that a user's callback has set a learning rate, which the schedule then replaces."""

    def __init__(self, settings: Settings, note: Callable[[str], None]) -> None:
        super().__init__()
        self._settings, self._note = settings, note
        self._rate: float | None = None
        self._is_said = False

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - as Keras calls it
        self._rate = float(self.model.optimizer.learning_rate)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        rate = float(self.model.optimizer.learning_rate)
        if self._rate not in (None, rate) and not self._is_said:
            self._is_said = True
            self._note(
                f"had its learning rate set to {rate:.3g} by one of your callbacks after epoch {epoch}, but "
                f"{optimizer.describe_schedule(self._settings)} replaces it in every epoch. "
                f"{optimizer.how_to_hold(self._settings)}, or remove this from the callback."
            )


class BatchLosses(Counting):
    """Writes the loss of each batch at the end of its epoch; Keras itself has means over the epoch so far.

    Args:
        size_of: Function from the number of a batch in the epoch, from 0, to its number of examples.
        write: Function that receives the number of the first batch, counted from 1 over all epochs, and the losses with
            penalties.
    """

    held = ("n_written",)

    def __init__(self, size_of: Callable[[int], int], write: WriteBatches) -> None:
        super().__init__()
        self._size_of, self._write = size_of, write
        self._losses: list[float] = []
        self.n_written = 0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:  # noqa: ARG002 - as Keras calls it
        """Forget the losses of the epoch before."""
        self._losses, self._sum, self._count = [], 0.0, 0

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float]) -> None:
        """Take the loss of the batch out of the mean so far."""
        size = self._size_of(batch)
        total = float(logs["loss"]) * (self._count + size)
        self._losses.append((total - self._sum) / size)
        self._sum, self._count = total, self._count + size

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:  # noqa: ARG002 - as Keras calls it
        """Write the losses."""
        self._write(1 + self.n_written, self._losses)
        self.n_written += len(self._losses)


class _RateByBatch(keras.callbacks.Callback):  # type: ignore[misc]
    """Change the learning rate from batch to batch, linearly within each epoch."""

    def __init__(self, settings: Settings, n_batches: int) -> None:
        super().__init__()
        self._settings, self._n_batches = settings, n_batches

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - as Keras calls it
        start, end = (optimizer.learning_rate_at(self._settings, place) for place in (epoch, epoch + 1))
        followed = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)  # mixed_float16 wraps it
        followed.follow_line(start, end, self._n_batches)


class AveragedWeights(Counting):
    """Puts the averaged weights, which Keras's optimizer keeps, into the model from the end of an epoch to the next one.

    Keras's SwapEMAWeights does the same, but loses the averages when training stops early, and rounds on TensorFlow.
    """

    held = ("trained",)

    def __init__(self) -> None:
        super().__init__()
        self.trained: list[NDArray[np.float32]] = []

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore a state; the shapes of trained weights must match the model."""
        if state["trained"]:
            check_form(state["trained"], arrays_of(self._variables()))
        super().set_state(state)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - as Keras calls it
        """Continue training from the trained weights."""
        for variable, value in zip(self._variables(), self.trained, strict=False):
            variable.assign(value)
        self.trained = []

    def on_test_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        """Validate the averages."""
        self._put_averages()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Put the averages into the model for other callbacks."""
        self._put_averages()

    def _variables(self) -> list[keras.Variable]:
        return list(self.model.trainable_variables)

    def _put_averages(self) -> None:
        if self.trained:
            return
        self.trained = [keras.ops.convert_to_numpy(variable).copy() for variable in self._variables()]
        for variable, average in zip(self._variables(), weight_averages(self.model.optimizer), strict=True):
            variable.assign(keras.ops.convert_to_numpy(average).copy())  # a separate buffer: JAX gives both away in a step


class _EpochEnd(keras.callbacks.Callback):  # type: ignore[misc]
    """Complete the values of an epoch before other callbacks see them, and end a training that has diverged.

    Args:
        holds_weights: Function that returns whether training can end with the weights of an earlier epoch.

    Attributes:
        predictions: Predictions of the validation examples after the last epoch.
        diverged: The epoch that ended the training, from 1, and the reason; None: none did.
    """

    def __init__(self, settings: Settings, validation: Validation | None, holds_weights: Callable[[], bool]) -> None:
        super().__init__()
        self._settings = settings
        self._validation = validation
        self._holds_weights = holds_weights
        self.diverged: dict[str, Any] | None = None
        task_type = settings.task_type
        self._metrics: dict[str, metrics.Metric] = {}
        if validation is not None:
            further = further_metrics.load(task_type, settings.metrics, settings.positive_number(validation.data.class_names))
            monitor = settings.monitor.removeprefix("val_")
            followed = further_metrics.followed(task_type, settings.metrics)
            names = {settings.task.training_metric, *followed, *([monitor] if monitor != "loss" else [])}
            self._metrics = {
                name: further[name] if name in further else metrics.find(task_type, name) for name in sorted(names)
            }
        self.predictions: NDArray[np.float32] | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        logs["learning_rate"] = float(self.model.optimizer.learning_rate)
        reason = self._complete(logs)
        if reason is None:
            return
        if not self._holds_weights():
            raise DivergenceError(f"{reason} after epoch {epoch + 1}. {self._advice(reason)}")
        self.diverged = {"epoch": epoch + 1, "reason": reason}
        logs[self._settings.monitor] = math.nan  # no improvement, whatever else the epoch has reached
        self.model.stop_training = True

    def _complete(self, logs: dict[str, float]) -> str | None:
        """Add the validation scores to the values of an epoch; return why training has diverged, or None."""
        if reason := _not_finite(logs, ["loss", "val_loss"]):
            return reason
        if (path := find_not_finite(self.model)) is not None:
            return f"weight '{path}' is NaN or infinite"
        if self._validation is None:
            return None
        self.predictions = self._validation.predict()
        logs |= self._validate(self._validation, self.predictions)
        return _not_finite(logs, ["val_loss"]) or _not_finite(logs, [self._settings.monitor])

    def _advice(self, reason: str) -> str:
        settings = self._settings
        if reason.startswith(f"{settings.monitor} ") and settings.monitor not in ("loss", "val_loss"):
            return "Monitor another value."
        return f"Lower learning_rate ({settings.learning_rate}), set clip_norm, or check the features for extreme values."

    def _validate(self, validation: Validation, predictions: NDArray[np.float32]) -> dict[str, float]:
        targets, measured_predictions = measured(validation.data.sides["validation"], predictions)
        loss = data_loss(targets, measured_predictions, self._settings, validation.data) + validation.penalty()
        if not math.isfinite(loss):
            return {"val_loss": loss}
        scores = {f"val_{name}": self._measure(name, targets, measured_predictions) for name in self._metrics}
        return {"val_loss": loss} | scores

    def _measure(self, name: str, targets: NDArray[Any], predictions: NDArray[np.float32]) -> float:
        """Return a metric; NaN if it is only shown and cannot be computed, as for constant predictions of an early epoch."""
        try:
            return float(self._metrics[name].function(targets, predictions))
        except Exception:
            if name == self._settings.monitor.removeprefix("val_") or name == self._settings.task.training_metric:
                raise
            return math.nan


def _not_finite(values: Mapping[str, float], names: Sequence[str]) -> str | None:
    """Return which of some values are NaN or infinite; None: none is."""
    listed = [f"{name} is {values[name]}" for name in names if not math.isfinite(values.get(name, 0.0))]
    return ", ".join(listed) or None


class LastWeights(Counting):
    """Stores the weights of the last epoch, with which training ends if the next one diverges.

    `diverged` returns whether one has. If training ends with the best epoch, early stopping stores its weights.
    """

    held = ("weights",)

    def __init__(self, diverged: Callable[[], object]) -> None:
        super().__init__()
        self._diverged = diverged
        self.weights: list[NDArray[Any]] | None = None

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore a state; the shapes of weights must match the model."""
        if state["weights"] is not None:
            check_form(state["weights"], self.model.get_weights())
        super().set_state(state)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - as Keras calls it
        """Store the weights unless they have diverged."""
        if not self._diverged():
            self.weights = self.model.get_weights()

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002
        """Give the model the weights of the epoch before it diverged."""
        if self._diverged() and self.weights is not None:
            self.model.set_weights(self.weights)


class KeptPredictions(Counting):
    """Stores the validation predictions of the last epoch, or of the best one so far according to early stopping."""

    held = ("predictions",)

    def __init__(self, stopper: keras.callbacks.EarlyStopping, epoch_end: _EpochEnd, *, keeps_last: bool) -> None:
        super().__init__()
        self._keeps_last = keeps_last
        self._stopper = stopper
        self._epoch_end = epoch_end
        self.predictions: NDArray[np.float32] | None = None

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:  # noqa: ARG002 - as Keras calls it
        """Keep the predictions of the epoch if its weights are kept."""
        if self._epoch_end.diverged:
            return
        if self._keeps_last or self._stopper.best is None or self._stopper.best_epoch == epoch:
            self.predictions = self._epoch_end.predictions
