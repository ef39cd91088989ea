"""Losses by name: the loss that training minimises, and the mean loss of given predictions without penalties.

Targets have the form that Keras's functions require. If errors are in standard deviations of the training items' targets, a
batch contains these next to the targets, because they belong to a fold and a compiled function is used for several folds.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from xval.base import keras_objects
from xval.base.user_code import definitions, imports
from xval.data.fold import FoldData
from xval.settings.schema import Settings

Function = Callable[[Any, Any], Any]
"""Function from targets and predictions to one value per example."""


def fitted_loss(settings: Settings) -> str:
    """Return the name of the loss that training minimises; mixed and smoothed labels require a loss for class shares."""
    task = settings.task
    loss = task.loss_name(settings.loss)
    has_shares = settings.augment_mixup or settings.label_smoothing
    return "categorical_crossentropy" if has_shares and task.target_form(loss) == "class" else loss


def loss_function(name: str) -> Function:
    """Return the function of a loss of `Task.loss_name`: from targets and predictions to one value per example."""
    if keras_objects.is_object(name):
        function: Function = keras_objects.parse(name).make().call
    elif definitions.is_dotted(name):
        function = imports.load(name)
    else:
        function = keras.losses.get(name)
    return function


def training_functions(settings: Settings) -> tuple[Function, keras.metrics.Metric]:
    """Return the loss and the metric of training, for the targets of `loss_targets`."""
    task, name = settings.task, fitted_loss(settings)
    loss = loss_function(name)
    if not settings.scales_loss:
        metric_class = getattr(keras.metrics, task.training_metric_classes[task.target_form(name)])
        return loss, metric_class(name=task.training_metric)
    error = keras.losses.get(task.training_metric)

    def scaled(targets: Any, predictions: Any) -> Any:
        targets, deviation = keras.ops.split(targets, 2, axis=-1)
        return loss(targets / deviation, predictions / deviation)

    def unscaled(targets: Any, predictions: Any) -> Any:
        return error(keras.ops.split(targets, 2, axis=-1)[0], predictions)

    return scaled, keras.metrics.MeanMetricWrapper(unscaled, name=task.training_metric)


def loss_targets(targets: NDArray[Any], loss: str, settings: Settings, data: FoldData) -> NDArray[Any]:
    """Return targets in the form that training requires.

    Args:
        targets: int64 (n_examples,) class numbers, or float32 (n_examples, n_outputs).
        loss: Name of the loss, as from `fitted_loss`.
        settings: The settings task_type, label_form, loss and target_scaling are used.
        data: The fold, for its classes and the standard deviation of the training items' targets.

    Returns:
        The unchanged targets; one-hot float32 (n_examples, n_classes); or float32 (n_examples, 2 * n_outputs), the targets and
        the standard deviations by which errors are divided.
    """
    if settings.task.target_form(loss) == "one_hot":
        return np.asarray(np.eye(len(data.class_names), dtype=np.float32)[targets])
    if settings.scales_loss:
        return np.concatenate([targets, np.broadcast_to(data.target_deviation, targets.shape)], axis=1)
    return targets


def data_loss(targets: NDArray[Any], predictions: NDArray[np.float32], settings: Settings, data: FoldData) -> float:
    """Return the mean loss of predictions, float32 (n_examples, n_outputs), without penalty; targets as from `loss_targets`."""
    name = settings.task.loss_name(settings.loss)
    if settings.scales_loss:
        wanted, predictions = targets / data.target_deviation, predictions / data.target_deviation
    else:
        wanted = loss_targets(targets, name, settings, data)
    # Tensors as in training: a loss of the user's own may multiply them with others.
    given = (keras.ops.convert_to_tensor(array) for array in (wanted, predictions))
    values = keras.ops.convert_to_numpy(loss_function(name)(*given))
    return float(np.mean(values, dtype=np.float64))
