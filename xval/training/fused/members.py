"""One fold among those that are trained together: its batches, its callbacks, and what they see of its model.

Comes in: a fold that is set up, and after each epoch its values, predictions and penalty. Goes out: its batches, its learning
rate, and in the end its `History`. The callbacks are those of a fold that is trained alone (xval/training/epochs.py), with a
stand-in for the model.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xval.data.batches import Batches
from xval.data.fold import FoldData
from xval.jobs.job import Job
from xval.training.compiled import DATA_LOSS, CompiledModel, penalised
from xval.training.epochs import BetweenEpochs, ReportEpoch, Validation
from xval.training.fit import History, training_batches
from xval.training.setup import FoldSetup

Weights = list[list[Any]]
"""The variables of a model, trainable and other ones, in the order of the model that stands for all members."""


@dataclass
class _Optimizer:
    """What callbacks see of an optimizer. Its rate is rounded as the variable is that holds it."""

    rate: float

    @property
    def learning_rate(self) -> float:
        return self.rate

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self.rate = float(np.float32(rate))


class _StandIn:
    """What callbacks see of a model."""

    def __init__(self, learning_rate: float) -> None:
        self.optimizer = _Optimizer(learning_rate)
        self.stop_training = False
        self.take: Callable[[], Weights] | None = None
        self.weights: Weights | None = None

    def get_weights(self) -> Weights:
        """Return the weights as they are now."""
        if self.take is None:
            raise RuntimeError("the weights of a member are asked for between its epochs")
        return self.take()

    def set_weights(self, weights: Weights) -> None:
        """Keep the weights that the member ends with."""
        self.weights = weights


class Member:
    """A fold that is trained together with others.

    Args:
        job: The job.
        setup: Its examples, store and initial model.
        compiled: The model of its instance.
        report: Called after each epoch with its number from 1 and its values.

    Attributes:
        job: The job.
        setup: Its examples, store and initial model; the model of its own has given its values away.
        compiled: The model that gets its weights when it has ended.
        batches: Its training examples, shuffled anew by each `begin_epoch`.
        validation: Its validation examples in batches.
    """

    def __init__(self, job: Job, setup: FoldSetup, compiled: CompiledModel, report: ReportEpoch) -> None:
        settings = job.settings
        self.job, self.setup, self.compiled = job, setup, compiled
        self.batches = training_batches(compiled, setup.data, settings, seed=job.seed)
        self.validation = Batches(setup.data.sides["validation"], settings.batch_size, constant=True)
        self._predictions = np.empty(0, np.float32)
        self._penalty = 0.0
        validated = Validation(setup.data, lambda: self._predictions, lambda: self._penalty)
        self._between = BetweenEpochs(settings, validated, report, None)
        self._model = _StandIn(float(setup.compiled.fitted.optimizer.learning_rate))
        self._follows_data_loss = bool(penalised(compiled.fitted))
        self._rows: list[dict[str, float]] = []
        for callback in self._between.callbacks:
            callback.set_model(self._model)
            callback.on_train_begin()

    @property
    def data(self) -> FoldData:
        """The examples of the fold."""
        return self.setup.data

    @property
    def has_ended(self) -> bool:
        """Whether it trains no longer: its patience is over, its epochs are, or it failed."""
        return self._model.stop_training or not self.epochs_left

    @property
    def epochs_left(self) -> int:
        """How many epochs there may be yet."""
        return self.job.settings.num_epochs - len(self._rows)

    def fail(self) -> None:
        """Train no longer."""
        self._model.stop_training = True

    def begin_epoch(self) -> float:
        """Shuffle, and return the learning rate of the epoch."""
        for callback in self._between.callbacks:
            callback.on_epoch_begin(len(self._rows))
        self.batches.set_epoch(len(self._rows))
        self.batches.on_epoch_begin()
        return self._model.optimizer.learning_rate

    def end_epoch(
        self, values: Mapping[str, float], predictions: NDArray[np.float32], penalty: float, take: Callable[[], Weights]
    ) -> None:
        """Validate the epoch, and decide how it goes on.

        Args:
            values: Loss and metric of the training examples.
            predictions: Of the validation examples, float32 (n_examples, *output_shape).
            penalty: Of the weights.
            take: Returns the weights as they are now.

        Raises:
            DivergenceError: A loss or the monitored value is NaN or infinite.
        """
        self._predictions, self._penalty, self._model.take = predictions, penalty, take
        logs = {name: value for name, value in values.items() if name != DATA_LOSS or self._follows_data_loss}
        for callback in self._between.callbacks:
            callback.on_epoch_end(len(self._rows), logs)
        self._rows.append({"epoch": len(self._rows) + 1} | {name: float(value) for name, value in logs.items()})
        self._model.take = None

    def end(self) -> tuple[History, Weights]:
        """Return what training did, and the weights of the best epoch."""
        for callback in self._between.callbacks:
            callback.on_train_end()
        if self._model.weights is None:
            raise RuntimeError(f"{self.job.key}: no epoch was the best one")
        history = History(self._rows, self._between.best_epoch(len(self._rows)), self._between.predictions)
        return history, self._model.weights
