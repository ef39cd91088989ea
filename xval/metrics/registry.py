"""The register of metrics: their names, which direction is better, and the value of all of them.

Comes in: the functions of xval/metrics/<task type>.py under `@metric`; no other place lists them. Goes out: names, directions,
values. Next: evaluation.py computes with it, ranking.py compares instances by its directions.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from xval.errors import DivergenceError, JobError, SettingsError, suggestion

MetricFunction = Callable[[NDArray[Any], NDArray[Any]], float]
Decorated = TypeVar("Decorated", bound=MetricFunction)


class Metric(NamedTuple):
    """A metric function and whether more of it is better."""

    function: MetricFunction
    higher_is_better: bool


_METRICS: dict[str, dict[str, Metric]] = {}


def metric(*, higher_is_better: bool) -> Callable[[Decorated], Decorated]:
    """Make a function of a task's file one of its metrics, under the function's own name.

    Args:
        higher_is_better: True for scores, False for errors.

    Returns:
        The decorator, which leaves the function as it is.
    """

    def register(function: Decorated) -> Decorated:
        task_type = function.__module__.rpartition(".")[2]
        _METRICS.setdefault(task_type, {})[function.__name__] = Metric(function, higher_is_better)
        return function

    return register


def task_types() -> tuple[str, ...]:
    """Return the task types that have a file of metrics."""
    return tuple(sorted(name for _, name, _ in iter_modules([str(Path(__file__).parent)]) if name != Path(__file__).stem))


def metric_names(task_type: str) -> tuple[str, ...]:
    """Return the names of the metrics of a task, in the order of its file.

    Raises:
        SettingsError: There is no such task.
    """
    return tuple(_metrics(task_type))


def higher_is_better(task_type: str, name: str) -> bool:
    """Return whether more of a metric is better; of ``loss``, which the engine adds to every task, less is.

    Raises:
        SettingsError: There is no such task or metric.
    """
    if name == "loss":
        return False
    metrics = _metrics(task_type)
    if name not in metrics:
        raise SettingsError(f"unknown metric '{name}' of {task_type}. {suggestion(name, ['loss', *metrics])}")
    return metrics[name].higher_is_better


def compute(task_type: str, targets: NDArray[Any], predictions: NDArray[Any]) -> dict[str, float]:
    """Return every metric of a task.

    Args:
        task_type: ``classification`` or ``regression``.
        targets: int64 (n_examples,) class numbers, or float32 (n_examples, n_outputs).
        predictions: float32 (n_examples, n_classes) probabilities, or float32 (n_examples, n_outputs).

    Returns:
        The metrics in the order of their file. NaN: undefined for these targets and predictions.

    Raises:
        SettingsError: There is no such task.
        DivergenceError: A prediction is NaN or infinite.
        JobError: There is no example, or targets and predictions do not fit each other.
    """
    metrics = _metrics(task_type)
    if len(targets) == 0 or len(targets) != len(predictions):
        raise JobError(
            f"metrics of {task_type}: received {len(targets)} targets and {len(predictions)} predictions; "
            f"as many of both are wanted, at least one."
        )
    undefined = int(np.sum(~np.isfinite(predictions.reshape(len(predictions), -1)).all(axis=1)))
    if undefined:
        raise DivergenceError(
            f"the predictions of {undefined} of {len(predictions)} examples are NaN or infinite; "
            f"a smaller learning_rate or clip_norm may help."
        )
    _task_module(task_type).check(targets, predictions)
    return {name: float(found.function(targets, predictions)) for name, found in metrics.items()}


def _metrics(task_type: str) -> dict[str, Metric]:
    if task_type not in task_types():
        raise SettingsError(f"unknown task_type '{task_type}'. {suggestion(task_type, task_types())}")
    _task_module(task_type)
    return _METRICS[task_type]


def _task_module(task_type: str) -> Any:
    """Import the file of a task, which registers its metrics."""
    return import_module(f"xval.metrics.{task_type}")
