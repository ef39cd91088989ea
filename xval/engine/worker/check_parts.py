"""Use every part that an instance names once, before anything is trained.

Comes in: the settings of an instance and the number of outputs of its model. Goes out: nothing, or the error of a loss,
optimizer, schedule or metric that cannot be used.
"""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from xval.base import keras_objects, user_code
from xval.base.errors import SettingsError
from xval.measures import metrics
from xval.measures.task import Task
from xval.models.losses import loss_function
from xval.settings import further_metrics
from xval.settings.schema import Settings
from xval.training import optimizer
from xval.training.layer_rates import prepare_layer_rates
from xval.training.own_callbacks import own_parts


def check_parts(settings: Settings, n_outputs: int) -> None:
    """Load the loss, optimizer, schedule, metrics and callbacks of an instance and use them once, before anything is trained.

    The number of outputs is that of classes, or of values to predict.

    Raises:
        SettingsError: A part of the user's own is not what it is named for, or the monitored metric needs more classes.
        Exception: Whatever a part of the user's own raises.
    """
    task_type, name = settings.task_type, settings.monitor.removeprefix("val_")
    least = metrics.least_outputs(task_type, name)
    if n_outputs < least:
        raise SettingsError(f"monitor '{settings.monitor}' needs {least} classes or more; the corpus has {n_outputs}.")
    prepare_layer_rates(optimizer.make_optimizer(settings), settings)
    own_parts(settings)
    optimizer.learning_rate(settings, 0, settings.learning_rate)
    further = further_metrics.load(task_type, settings.metrics)
    targets, predictions = _made_up_answers(settings.task, n_outputs)
    loss = settings.task.loss_name(settings.loss)
    if user_code.is_dotted(loss) or keras_objects.is_object(loss):
        wanted = np.eye(n_outputs, dtype=np.float32)[targets] if settings.task.target_form(loss) == "one_hot" else targets
        shape = np.shape(keras.ops.convert_to_numpy(loss_function(loss)(wanted, predictions)))
        if shape != (len(targets),):
            raise SettingsError(
                f"loss '{loss}' gave shape {shape} for {len(targets)} examples; one value per example is wanted."
            )
    for name, metric in further.items():
        value = metric.function(targets, predictions)
        if np.ndim(value) or not np.issubdtype(np.asarray(value).dtype, np.number):
            given = f"an array of shape {np.shape(value)}" if np.ndim(value) else repr(value)
            raise SettingsError(f"metric '{name}' gave {given}; one number is wanted.")


def _made_up_answers(task: Task, n_outputs: int) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Return targets in which every class occurs and is missing, or numbers, and predictions now right, now wrong."""
    n_examples = 2 * max(n_outputs, 2)
    rng = np.random.default_rng(0)
    predictions = rng.dirichlet(np.ones(n_outputs), n_examples).astype(np.float32)
    return task.made_up_targets(n_examples, n_outputs), predictions
