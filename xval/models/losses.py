"""Losses by their names: what training minimises, and the same loss of predictions that are there already.

Comes in: the settings, targets and predictions. Goes out: Keras's function, targets in the form that it wants, and the mean
loss of predictions without any penalty.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from xval.settings import user_code
from xval.settings.schema import Settings
from xval.settings.tasks import Task


def fitted_loss(settings: Settings) -> str:
    """Return the name of the loss that training minimises: mixed examples have shares of classes, not one class."""
    task = settings.task
    loss = task.loss_name(settings.loss)
    return "categorical_crossentropy" if settings.augment_mixup and task.target_form(loss) == "class" else loss


def loss_function(name: str) -> Callable[[Any, Any], Any]:
    """Return the function of a loss of `Task.loss_name`: from targets and predictions to one value per example.

    Raises:
        SettingsError: The user's own module turns out to have no such function.
        Exception: Whatever that module raises while it is imported.
    """
    found: Callable[[Any, Any], Any] = user_code.load(name) if user_code.is_dotted(name) else keras.losses.get(name)
    return found


def loss_targets(targets: NDArray[Any], loss: str, task: Task, n_classes: int) -> NDArray[Any]:
    """Return targets in the form that a loss wants: as they are, or one-hot float32 (n_examples, n_classes)."""
    if task.target_form(loss) == "one_hot":
        return np.asarray(np.eye(n_classes, dtype=np.float32)[targets])
    return targets


def data_loss(targets: NDArray[Any], predictions: NDArray[np.float32], settings: Settings, n_classes: int) -> float:
    """Return the mean loss of predictions, without the L2 penalty.

    Args:
        targets: int64 (n_examples,) class numbers, or float32 (n_examples, n_outputs).
        predictions: float32 (n_examples, n_outputs).
        settings: Of them task_type, loss and label_form.
        n_classes: Number of classes; 0 where there are none.
    """
    name = settings.task.loss_name(settings.loss)
    wanted = loss_targets(targets, name, settings.task, n_classes)
    values = keras.ops.convert_to_numpy(loss_function(name)(wanted, predictions))
    return float(np.mean(values, dtype=np.float64))
