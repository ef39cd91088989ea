"""Fit the model of one fold."""

import time
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from xval.backend import on_device
from xval.backend.compilation import wants_constant_shapes
from xval.backend.finite_weights import find_not_finite
from xval.backend.gpu_readings import note_data_share
from xval.backend.held_examples import HeldExamples
from xval.backend.keras_internals import kernels_kept
from xval.base.errors import DivergenceError
from xval.data.batches import Batches, WholeEpoch
from xval.data.fold import Examples, FoldData
from xval.data.frames import FrameExamples
from xval.data.indexed import Indexed
from xval.jobs.checkpoints import FoldCheckpoints
from xval.jobs.fold_part import read_clip_weights
from xval.jobs.job import Refit
from xval.jobs.observers import Observers
from xval.models.losses import loss_targets
from xval.models.predict import on_gpu, predict
from xval.settings.schema import Settings
from xval.training.added_losses import added_loss, adds_losses
from xval.training.checkpoint import WatchedEpochs
from xval.training.compiled import DATA_LOSS, WARM_MODEL, CompiledModel, penalty
from xval.training.epochs import BatchLosses, BetweenEpochs, Validation
from xval.training.layer_rates import set_layer_rates
from xval.training.optimizer import check_schedule


@dataclass(frozen=True)
class History:
    """The course of a training.

    Attributes:
        epochs: A dict per epoch: epoch (from 1), loss, <metric>, val_loss, val_<metric>, learning_rate; data_loss, the loss
            without penalties and losses of layers, if there are any.
        best_epoch: The epoch, from 1, whose weights the model has.
        predictions: float32 (n_examples, *output_shape), of the validation examples with these weights; None: not known.
        diverged: The next epoch, which ended training because it diverged, and the reason: ``{"epoch", "reason"}``; None: none.
    """

    epochs: list[dict[str, float]]
    best_epoch: int
    predictions: NDArray[np.float32] | None = None
    diverged: dict[str, Any] | None = None

    def followed_scores(self, metric_name: str) -> dict[str, float]:
        """Return loss and metric of the training examples during the best epoch.

        They are means over an epoch in which the weights changed, with dropout and augmentation.
        """
        best = self.epochs[self.best_epoch - 1]
        return {"loss": best.get(DATA_LOSS, best["loss"]), metric_name: best[metric_name]}


def train_model(
    compiled: CompiledModel,
    data: FoldData,
    settings: Settings,
    *,
    seed: int,
    observers: Observers | None = None,
    refit: Refit | None = None,
    checkpoints: FoldCheckpoints | None = None,
    most_epochs: int | None = None,
) -> History:
    """Fit a model; it ends with the weights of its best epoch, or of the last epoch for a refit.

    Args:
        compiled: The model to fit, with the initial values of its variables.
        data: The fold.
        settings: The parameters of the instance.
        seed: Seed of the shuffling.
        observers: Receive each epoch and, if they request them, the losses of its batches; they include the user's callbacks.
        refit: Number of epochs without validation items; the learning rates are those of the same epochs of a fold. None: from
            the settings.
        checkpoints: Checkpoints to continue from and to write, unless there are user's callbacks. None: none.
        most_epochs: Largest number of epochs, regardless of the settings; None: from the settings.

    Raises:
        DivergenceError: A loss, a weight or the monitored value is NaN or infinite after an epoch, and no weights of an earlier
            epoch are stored; or a user's callback leaves such weights.
    """
    check_schedule(settings, refit.epochs if refit else None)
    validation = None if refit else data.sides["validation"]
    # A reconstruction is as large as the features, so Keras validates it batch by batch, and its predictions are not kept.
    followed = by_keras = None
    if validation is not None and settings.task.target == "input":
        by_keras = _targeted(compiled, validation, data, settings)
    elif validation is not None:
        has_added = adds_losses(compiled.whole)
        followed = Validation(
            data,
            predict=lambda: predict(compiled.whole, validation, settings.batch_size),
            penalty=lambda: (
                added_loss(compiled.whole, validation, settings.batch_size) if has_added else penalty(compiled.fitted)
            ),
        )
    batches = training_batches(compiled, data, settings, seed=seed)
    observers = observers or Observers()
    say = checkpoints.say if checkpoints else observers.note
    between = BetweenEpochs(settings, followed, refit, n_batches=batches.num_batches, note=say)
    own = observers.callbacks
    held_and_indexed = None if observers.wants_batches or own else on_gpu(data.training)
    if held_and_indexed is None:
        on_device.release(compiled.fitted)  # an earlier fold may have trained there

    def begin_epoch(epoch: int, _: Any) -> None:
        batches.set_epoch(epoch)
        if settings.unfreeze_every:
            set_layer_rates(compiled.whole, compiled.fitted, settings, epoch)

    def begin_training(_: Any) -> None:
        # torch draws dropout from one state of the process, which earlier folds in the process have used.
        with kernels_kept(kept=WARM_MODEL.is_kept(compiled)):
            keras.utils.set_random_seed(seed)

    started = time.perf_counter()
    begin = keras.callbacks.LambdaCallback(
        on_train_begin=begin_training,
        on_epoch_begin=begin_epoch,
        on_epoch_end=lambda *_: note_data_share(batches.seconds / (time.perf_counter() - started)),
    )
    followed_batches = [BatchLosses(batches.count, observers.batches)] if observers.wants_batches else []
    callbacks = [begin, *followed_batches, *between.callbacks, *own]
    n_epochs = most_epochs or (refit.epochs if refit else settings.num_epochs)
    epochs = WatchedEpochs(observers, None if own else checkpoints, compiled, callbacks, n_epochs, lambda: between.diverged)
    batches.set_epoch(epochs.first_epoch)
    compiled.fitted.fit(
        batches if held_and_indexed is None else _epochs_on_device(compiled, batches, *held_and_indexed),
        validation_data=by_keras,
        initial_epoch=epochs.first_epoch,
        epochs=epochs.last_epoch,
        callbacks=[*callbacks, epochs],
        shuffle=False,
        verbose=0,
    )
    best_epoch = between.best_epoch(len(epochs.rows))
    if between.diverged:
        say("diverged in epoch {epoch}: {reason}".format(**between.diverged) + f"; the model of epoch {best_epoch} is kept")
    # A callback of the user's own may have changed the weights since they were validated.
    if own and (path := find_not_finite(compiled.whole)) is not None:
        raise DivergenceError(f"weight '{path}' is NaN or infinite at the end of training, set by one of your callbacks.")
    return History(epochs.rows, best_epoch, None if own else between.predictions, between.diverged)


def _epochs_on_device(compiled: CompiledModel, batches: Batches, held: HeldExamples, indexed: Indexed) -> WholeEpoch:
    """Make `fit` train whole epochs on the device; return the batches that it reads for this."""
    _, targets, weights = batches.by_places(0, indexed)
    on_device.build_followed(compiled.fitted, targets, weights)
    compiled.fitted.train_function = on_device.steps_of(compiled.fitted, held, batches.batch_size).train_epoch
    return WholeEpoch(batches, indexed)


def training_batches(compiled: CompiledModel, data: FoldData, settings: Settings, *, seed: int) -> Batches:
    """Return the training examples of a fold for `fit`: shuffled, weighted and mixed according to the settings."""
    weights = data.class_weights(settings.class_weights)
    if (clip_weights := read_clip_weights(settings, data.store.folder.parents[1])) is not None:
        own = np.array([clip_weights[clip] for clip in data.training.table["clip"]], np.float32)
        weights = own / own.mean() * (1 if weights is None else weights)
    mixup = settings.augment_mixup or None
    return _targeted(
        compiled,
        data.training,
        data,
        settings,
        weights=weights,
        shuffle_seed=seed,
        balanced=data.training.targets if settings.sampling == "balanced" else None,
        mixup=mixup,
        smooth=settings.label_smoothing,
    )


def _targeted(
    compiled: CompiledModel,
    examples: Examples,
    data: FoldData,
    settings: Settings,
    *,
    weights: NDArray[np.float32] | None = None,
    smooth: float = 0.0,
    **options: Any,
) -> Batches:
    """Return batches with the targets of the fitted model: zeros for a reconstruction, whose output is the residual."""
    if settings.task.target == "input":
        output_shape = compiled.fitted.output_shape
        targets: NDArray[Any] = np.zeros((len(examples), *(1 for _ in output_shape[1:])), np.float32)
    else:
        targets = loss_targets(examples.targets, compiled.loss, settings, data)
    if smooth:  # Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016, section 7
        is_multi_hot = settings.task.target_form(compiled.loss) == "multi_hot"
        n_values = 2 if is_multi_hot else targets.shape[-1]  # each label has two values, present and absent
        targets = (targets * (1 - smooth) + smooth / n_values).astype(np.float32)
    if isinstance(examples, FrameExamples):
        weights = examples.weights  # they change with `begin_epoch`
    return Batches(examples, settings.batch_size, targets=targets, weights=weights, constant=wants_constant_shapes(), **options)
