"""Fit the model of one fold.

Comes in: a model, the fold's data and the settings. Goes out: the model with the weights of its best epoch, and a `History`.
Next: evaluation.py.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from xval import further_metrics, metrics, optimizers, user_code
from xval.catalog import TRAINING_METRIC, loss_name, target_form
from xval.errors import DivergenceError
from xval.fold_data import Batches, Examples, FoldData
from xval.frame_examples import FrameExamples
from xval.refit_plan import Refit
from xval.residual import with_residual
from xval.traced_functions import forget_traced_gradients
from xval.training_augmentation import augmented

ReportEpoch = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True)
class History:
    """What training did.

    Attributes:
        epochs: A dict per epoch: epoch (from 1), loss, <metric>, val_loss, val_<metric>, learning_rate.
        best_epoch: The epoch, from 1, whose weights the model has.
    """

    epochs: list[dict[str, float]]
    best_epoch: int


def prepare_backend(settings: Mapping[str, Any], *, seed: int) -> None:
    """Set seeds, precision, determinism and threads for one job, and drop what the last job left in the backend.

    Args:
        settings: The parameters of the instance; of them precision, deterministic and threads_per_job. JAX has its threads
            from the environment.
        seed: Of Python, NumPy and the backend.

    Raises:
        RuntimeError: TensorFlow has already started with another number of threads.
    """
    keras.backend.clear_session()
    forget_traced_gradients()
    keras.config.set_dtype_policy(settings["precision"])
    keras.utils.set_random_seed(seed)
    backend, threads, deterministic = keras.backend.backend(), settings["threads_per_job"], settings["deterministic"]
    if backend == "tensorflow":
        import tensorflow as tf

        # Every fold traces its own functions, and clips of several lengths are traced anew; nothing to warn of.
        tf.get_logger().setLevel("ERROR")
        if tf.config.threading.get_intra_op_parallelism_threads() != threads:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)
        if deterministic:
            tf.config.experimental.enable_op_determinism()
    elif backend == "torch":
        import torch

        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic, warn_only=True)


def train_model(
    model: keras.Model,
    data: FoldData,
    settings: Mapping[str, Any],
    *,
    seed: int,
    report: ReportEpoch,
    log_folder: str | None,
    refit: Refit | None = None,
) -> History:
    """Fit a model and leave it with the weights of its best epoch; of a refit, with those of the last.

    Args:
        model: Fresh from `build_model`; it is compiled here. Where the settings augment, one that shares its weights is fitted.
        data: The fold.
        settings: The parameters of the instance.
        seed: Of the shuffling.
        report: Called after each epoch with its number from 1 and its values.
        log_folder: Where TensorBoard logs go; None: nowhere.
        refit: How many epochs to train where no items validate; the learning rates are those that the same epochs of a fold
            have. None: as the settings say.

    Returns:
        The history.

    Raises:
        DivergenceError: A loss or the monitored value is NaN or infinite after an epoch.
    """
    task_type, batch_size = settings["task_type"], settings["batch_size"]
    loss = _fitted_loss(settings)
    n_classes = len(data.class_names)
    validation = None if refit else data.sides["validation"]
    model.compile(jit_compile=_jit_compile())
    fitted_model = augmented(model, settings, seed=seed)
    if task_type == "representation":
        fitted_model = with_residual(model, fitted_model)
    fitted_model.compile(
        optimizer=optimizers.make_optimizer(settings),
        loss=loss_function(loss),
        weighted_metrics=[_followed_metric(settings, loss)],
        jit_compile=_jit_compile(),
    )
    batches = Batches(
        data.training,
        batch_size,
        targets=_batch_targets(data.training, fitted_model, loss, task_type, n_classes),
        weights=data.class_weights() if settings["class_weights"] == "balanced" else _frame_weights(data.training),
        shuffle_seed=seed,
        mixup=settings["augment_mixup"] or None,
    )
    stopper = keras.callbacks.EarlyStopping(
        monitor=settings["monitor"],
        mode="max" if _higher_is_better(settings) else "min",
        patience=settings["patience"] if settings["early_stopping"] else settings["num_epochs"],
        restore_best_weights=True,
    )
    fitted = fitted_model.fit(
        batches,
        validation_data=None
        if validation is None
        else Batches(
            validation,
            batch_size,
            targets=_batch_targets(validation, fitted_model, loss, task_type, n_classes),
            weights=_frame_weights(validation),
        ),
        epochs=refit.epochs if refit else settings["num_epochs"],
        callbacks=[
            _EpochEnd(validation, settings, report),
            *_schedule(settings, stopper.mode, refit.learning_rates if refit else None),
            *([] if refit else [stopper]),
            *([keras.callbacks.TensorBoard(log_folder)] if log_folder else []),
        ],
        shuffle=False,
        verbose=0,
    )
    rows = [
        {"epoch": epoch + 1} | {name: float(values[epoch]) for name, values in fitted.history.items()}
        for epoch in range(len(fitted.epoch))
    ]
    return History(rows, len(rows) if refit else stopper.best_epoch + 1)


def _fitted_loss(settings: Mapping[str, Any]) -> str:
    """Return the name of the loss that training minimises: mixed examples have shares of classes, not one class."""
    loss = loss_name(settings["task_type"], settings["loss"], settings["label_form"])
    is_mixed = settings["augment_mixup"] and settings["task_type"] == "classification"
    return "categorical_crossentropy" if is_mixed and target_form(settings["task_type"], loss) == "class" else loss


def loss_function(name: str) -> Callable[[Any, Any], Any]:
    """Return the function of a loss of `catalog.loss_name`: from targets and predictions to one value per example.

    Raises:
        SettingsError: The user's own module turns out to have no such function.
        Exception: Whatever that module raises while it is imported.
    """
    found: Callable[[Any, Any], Any] = user_code.load(name) if user_code.is_dotted(name) else keras.losses.get(name)
    return found


def _higher_is_better(settings: Mapping[str, Any]) -> bool:
    """Return the direction of the monitored value."""
    name, task_type = settings["monitor"].removeprefix("val_"), settings["task_type"]
    further = further_metrics.directions(task_type, settings["metrics"])
    return further[name] if name in further else metrics.higher_is_better(task_type, name)


def _batch_targets(examples: Examples, model: keras.Model, loss: str, task_type: str, n_classes: int) -> NDArray[Any]:
    """Return what the fitted model is to answer: the targets, or no residual of the features themselves."""
    if task_type == "representation":
        return np.zeros((len(examples), *(1 for _ in model.output_shape[1:])), np.float32)
    return loss_targets(examples.targets, loss, task_type, n_classes)


def _frame_weights(examples: Examples) -> NDArray[np.float32] | None:
    """Return the weights of frames, which change with `begin_epoch`; None: clips weigh alike."""
    return examples.weights if isinstance(examples, FrameExamples) else None


def measured(examples: Examples, predictions: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Return the targets and predictions that metrics see: of frames those that have a weight, one row each."""
    if isinstance(examples, FrameExamples):
        counted = examples.weights > 0
        return examples.targets[counted], predictions[counted]
    return examples.targets, predictions


def loss_targets(targets: NDArray[Any], loss: str, task_type: str, n_classes: int) -> NDArray[Any]:
    """Return targets in the form that a loss wants: as they are, or one-hot float32 (n_examples, n_classes)."""
    if target_form(task_type, loss) == "one_hot":
        return np.asarray(np.eye(n_classes, dtype=np.float32)[targets])
    return targets


def _jit_compile() -> str | bool:
    """Return Keras's own choice, but no XLA for TensorFlow on the CPU, where compiling costs more than it saves."""
    if keras.backend.backend() != "tensorflow":
        return "auto"
    import tensorflow as tf

    return "auto" if tf.config.list_physical_devices("GPU") else False


def _followed_metric(settings: Mapping[str, Any], loss: str) -> keras.metrics.Metric:
    """Return the one metric that Keras follows in training besides the loss."""
    task_type = settings["task_type"]
    name = TRAINING_METRIC[task_type]
    if task_type in ("regression", "representation"):
        return keras.metrics.MeanAbsoluteError(name=name) if name == "mae" else keras.metrics.MeanSquaredError(name=name)
    if task_type == "frame_classification" and settings["label_form"] == "multi_label":
        return keras.metrics.BinaryAccuracy(name=name)
    if target_form(task_type, loss) == "one_hot":
        return keras.metrics.CategoricalAccuracy(name=name)
    return keras.metrics.SparseCategoricalAccuracy(name=name)


def _schedule(settings: Mapping[str, Any], mode: str, rates: Sequence[float] | None) -> list[keras.callbacks.Callback]:
    """Return the callback that moves the learning rate between epochs, if any does; `rates`: to those of each epoch."""
    if rates is not None:
        return [keras.callbacks.LearningRateScheduler(lambda epoch, _: rates[epoch])]
    name = optimizers.schedule_name(settings["schedule"])
    if name == "constant":
        return []
    if name == "plateau":
        factor, patience = settings["schedule_decay"], settings["schedule_patience"]
        return [keras.callbacks.ReduceLROnPlateau(settings["monitor"], factor, patience, mode=mode, min_delta=0.0)]
    return [
        keras.callbacks.LearningRateScheduler(lambda epoch, current: optimizers.learning_rate(settings, epoch, float(current)))
    ]


class _EpochEnd(keras.callbacks.Callback):  # type: ignore[misc]
    """Complete the values of an epoch before other callbacks see them, refuse a diverged loss, and report.

    A monitored validation metric that Keras does not follow itself (macro F1, say) is computed from predictions here.
    """

    def __init__(self, validation: Examples | None, settings: Mapping[str, Any], report: ReportEpoch) -> None:
        super().__init__()
        self._validation = validation
        self._settings = settings
        self._report = report
        self._further = further_metrics.load(settings["task_type"], settings["metrics"])

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        monitor, task_type = self._settings["monitor"], self._settings["task_type"]
        logs["learning_rate"] = float(self.model.optimizer.learning_rate)
        diverged = {name: logs[name] for name in ("loss", "val_loss") if not math.isfinite(logs.get(name, 0.0))}
        if diverged:
            listed = ", ".join(f"{name} is {value}" for name, value in diverged.items())
            raise DivergenceError(
                f"{listed} after epoch {epoch + 1}. Lower learning_rate ({self._settings['learning_rate']}), "
                "set clip_norm, or check the features for extreme values."
            )
        if monitor not in logs and self._validation is not None:
            predictions = predict(self.model, self._validation, self._settings["batch_size"])
            name = monitor.removeprefix("val_")
            found = metrics.compute(task_type, *measured(self._validation, predictions), self._further)
            logs[monitor] = found[name]
            if not math.isfinite(logs[monitor]):
                raise DivergenceError(f"{monitor} is {logs[monitor]} after epoch {epoch + 1}; monitor another value.")
        self._report(epoch + 1, logs)


def predict(model: keras.Model, examples: Examples, batch_size: int) -> NDArray[np.float32]:
    """Return the predictions of a model for examples in their order, float32 (n_examples, *output_shape).

    Batch by batch, because within `fit` a nested `Model.predict` would start its own callbacks and data pipeline.
    """
    batches = Batches(examples, batch_size)
    found = [np.asarray(model.predict_on_batch(batches[index][0]), np.float32) for index in range(batches.num_batches)]
    positions = np.concatenate([batches.positions(index) for index in range(batches.num_batches)])
    predictions = np.empty((len(examples), *found[0].shape[1:]), np.float32)
    predictions[positions] = np.concatenate(found)
    return predictions
