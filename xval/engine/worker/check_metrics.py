"""Test the metrics that an instance names before training, without Keras unless a metric needs it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import SettingsError
from xval.measures import metrics
from xval.measures.task import Task
from xval.settings import further_metrics
from xval.settings.schema import Settings


def check_metrics(settings: Settings, n_outputs: int) -> None:
    """Load and test the metrics of an instance; `n_outputs` is the number of classes, or of values to predict.

    Raises:
        SettingsError: A user's metric does not return a number, or is better for a constant prediction than for a perfect one,
            or is outside its bounds; the monitored metric needs more classes.
        Exception: Any error of a user's metric.
    """
    task_type, name = settings.task_type, settings.monitor.removeprefix("val_")
    least = metrics.least_outputs(task_type, name)
    if n_outputs < least:
        raise SettingsError(f"monitor '{settings.monitor}' needs at least {least} classes; the dataset has {n_outputs}.")
    further = further_metrics.load(task_type, settings.metrics, positive=0)
    targets, predictions = made_up_answers(settings.task, n_outputs)
    for name, metric in further.items():
        value = metric.function(targets, predictions)
        if np.ndim(value) or not np.issubdtype(np.asarray(value).dtype, np.number):
            given = f"an array of shape {np.shape(value)}" if np.ndim(value) else repr(value)
            raise SettingsError(f"metric '{name}' returned {given}; expected one number.")
        further_metrics.check_bounds(name, metric, float(value))
        further_metrics.check_direction(settings.task, name, metric, n_outputs)


def made_up_answers(task: Task, n_outputs: int) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Return targets in which every class occurs and is missing, or numbers, and predictions that are partly right."""
    n_examples = 2 * max(n_outputs, 2)
    rng = np.random.default_rng(0)
    predictions = rng.dirichlet(np.ones(n_outputs), n_examples).astype(np.float32)
    return task.made_up_targets(n_examples, n_outputs), predictions
