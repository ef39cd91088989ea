"""The registry of metrics: their names and directions, and a function that computes all of them.

Metrics are the functions with `@metric` in xval/measures/tasks/<task type>.py; no other file lists them.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from xval.base import keras_names
from xval.base.errors import DivergenceError, JobError, SettingsError, counted, suggestion
from xval.measures.confusion import THRESHOLD
from xval.measures.statistics.item_chance import CreditFunction

MetricFunction = Callable[[NDArray[Any], NDArray[Any]], float]
Bounds = tuple[float, float]
Decorated = TypeVar("Decorated", bound=MetricFunction)


class Chance(NamedTuple):
    """The chance level: the score of the best strategy that ignores the audio.

    Attributes:
        strategy: The strategy in words.
        answer: float (n_outputs,), its prediction for every example. None: the strategy is not a constant prediction.
    """

    value: float
    strategy: str
    answer: NDArray[Any] | None = None


RestsOn = Callable[[NDArray[Any]], NDArray[np.bool_]]
"""Function from targets to the membership of examples in the classes of a score: bool (n_examples, n_classes)."""

ChanceFunction = Callable[[NDArray[Any], NDArray[np.float64]], Chance]
"""Function from targets and weights of examples (sum 1) to the chance level of a metric."""


class Metric(NamedTuple):
    """A metric function.

    Attributes:
        function: Function from targets and predictions to a number.
        least_outputs: The smallest number of classes (or outputs) for which it is computed.
        bounds: Least and largest possible value, with inf for none; None: any value is possible.
        is_mean: Whether it is a mean of values of examples, so that it is also defined for an item or a fold that lacks a
            class.
        chance: Function that returns its chance level; None: not known.
        aliases: Other names of it.
        credit: For a metric that is a sum over correctly predicted examples: what each of them adds. None: for other metrics.
        is_pooled: Whether few examples bias it, so that it is computed for all test examples together, not for each item.
        rests_on: The classes whose numbers of items determine its interval; None: all classes, unless it is a mean of examples.
        ranks: Whether it depends on the order of all scores, which are not comparable between models; see
            `TestedExamples.levelled`.
    """

    function: MetricFunction
    higher_is_better: bool
    least_outputs: int = 1
    bounds: Bounds | None = None
    is_mean: bool = False
    chance: ChanceFunction | None = None
    aliases: tuple[str, ...] = ()
    credit: CreditFunction | None = None
    is_pooled: bool = False
    rests_on: RestsOn | None = None
    ranks: bool = False


def all_examples(targets: NDArray[Any]) -> NDArray[np.bool_]:
    """Return a single class with all examples, for a metric that counts all classes together, such as micro F1."""
    return np.ones((len(targets), 1), bool)


def lacks_class(metric: Metric | None, n_classes: int, present: Sequence[int]) -> bool:
    """Return whether a metric of examples with one class each is misleading because some classes have no example.

    This applies to metrics of classes (see `Metric.rests_on`): with only one of two classes, a constant prediction may have a
    balanced accuracy of 1. None: only the name of the metric is known.
    """
    if metric is not None and metric.is_mean:
        return False
    if metric is None or metric.rests_on is None:
        return len(present) < n_classes
    needed = metric.rests_on(np.arange(n_classes)).any(axis=0)
    return bool((needed & ~metric.rests_on(np.array(present, np.intp)).any(axis=0)).any())


def labels_and_rest(targets: NDArray[Any]) -> NDArray[np.bool_]:
    """Return the examples with each label, then those without it, for a metric that compares the two, such as AUC."""
    has_label = targets > THRESHOLD
    return np.concatenate([has_label, ~has_label], axis=1)


SKLEARN = "sklearn:"
"""Prefix of the name of a scikit-learn metric."""

_METRICS: dict[str, dict[str, Metric]] = {}
PACKAGE = "xval.measures.tasks"
"""The package with a file for each task; imported by name, because these files import this module."""


def metric(
    *,
    higher_is_better: bool,
    least_outputs: int = 1,
    bounds: Bounds | None = None,
    is_mean: bool = False,
    chance: ChanceFunction | None = None,
    aliases: tuple[str, ...] = (),
    credit: CreditFunction | None = None,
    is_pooled: bool = False,
    rests_on: RestsOn | None = None,
    ranks: bool = False,
) -> Callable[[Decorated], Decorated]:
    """Register a function of a task's file as a metric of the task, under the function's name.

    A function in a user's module is a metric of the instances that name it in the parameter ``metrics``.

    Args:
        higher_is_better: True for scores, False for errors.
        least_outputs: The smallest number of classes (or outputs) for which it is meaningful and computed.
        bounds: Smallest and largest possible value, which limit intervals; see `Metric`.
        is_mean: Whether it is a mean of values of examples.
        chance: Function from targets and weights to its chance level; see `Metric`.
        aliases: Other names under which users may request it; scores have the name of the function.
        credit: What a correctly predicted example adds; see `Metric`.
        is_pooled: Whether it is only computed for all test examples together; see `Metric`.
        rests_on: The classes whose numbers of items determine its interval; see `Metric`.
        ranks: Whether it depends on the order of all scores; see `Metric`.

    Returns:
        The decorator, which only adds the attributes ``higher_is_better`` and ``metric`` to the function.
    """

    def register(function: Decorated) -> Decorated:
        package, _, task_type = function.__module__.rpartition(".")
        declared = Metric(
            function, higher_is_better, least_outputs, bounds, is_mean, chance, aliases, credit, is_pooled, rests_on, ranks
        )
        if package == PACKAGE:
            _METRICS.setdefault(task_type, {})[function.__name__] = declared
        function.higher_is_better = higher_is_better  # type: ignore[attr-defined]
        function.metric = declared  # type: ignore[attr-defined]
        return function

    return register


@cache
def task_types() -> tuple[str, ...]:
    """Return the tasks that have a file."""
    names = {name for _, name, _ in iter_modules(import_module(PACKAGE).__path__)}
    return tuple(sorted(name for name in names if not name.startswith("_")))


def metric_names(task_type: str) -> tuple[str, ...]:
    """Return the names of the metrics of a task, in the order of its file."""
    return tuple(_metrics(task_type))


def higher_is_better(task_type: str, name: str) -> bool:
    """Return whether a higher value of a metric is better; for ``loss``, which every task has, lower is better."""
    if name == "loss":
        return False
    metrics = _metrics(task_type)
    if name not in metrics:
        raise SettingsError(f"unknown metric '{name}' of {task_type}. {suggestion(name, ['loss', *metrics])}")
    return metrics[name].higher_is_better


def least_outputs(task_type: str, name: str) -> int:
    """Return the smallest number of classes (or outputs) for which a metric of a task is computed; 1 for other names."""
    registered = _metrics(task_type).get(name)
    return registered.least_outputs if registered else 1


def find(task_type: str, name: str) -> Metric:
    """Return a metric of a task."""
    metrics = _metrics(task_type)
    if name not in metrics:
        raise SettingsError(f"unknown metric '{name}' of {task_type}. {suggestion(name, metrics)}")
    return metrics[name]


def canonical_name(task_type: str, name: str) -> str:
    """Return the name of the scores of a metric of a task: ``balanced_accuracy`` for ``uar``.

    Case and underscores do not matter. ``sklearn:cohen_kappa_score`` stands for ``sklearn.metrics.cohen_kappa_score``, a dotted
    path like that of a user's metric. Any other name is returned unchanged.
    """
    if name.startswith(SKLEARN):
        return f"sklearn.metrics.{name.removeprefix(SKLEARN)}"
    plain = keras_names.plain_name(name)
    for known, registered in _metrics(task_type).items():
        if plain in map(keras_names.plain_name, (known, *registered.aliases)):
            return known
    return name


def describe(task_type: str, name: str) -> str:
    """Return the first paragraphs of a metric's docstring as plain text; empty if the task has no such metric."""
    registered = _metrics(task_type).get(name)
    text = (registered and registered.function.__doc__) or ""
    return "\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n")).removeprefix("Return ")


def compute(
    task_type: str, targets: NDArray[Any], predictions: NDArray[Any], further: Mapping[str, Metric] | None = None
) -> dict[str, float]:
    """Return all metrics of a task that are defined for this number of classes, and further metrics.

    Args:
        task_type: One of `task_types`.
        targets: int64 (n_examples,) class numbers, or float32 (n_examples, n_outputs); see the file of the task.
        predictions: float32 (n_examples, n_classes) probabilities, or float32 (n_examples, n_outputs).
        further: More metrics, by name.

    Returns:
        The metrics in the order of their file, then the further ones. NaN: undefined for these targets and predictions.
    """
    n_outputs = predictions.shape[-1]
    fitting = {name: registered for name, registered in _metrics(task_type).items() if n_outputs >= registered.least_outputs}
    return measure(task_type, targets, predictions, {**fitting, **(further or {})})


def measure(task_type: str, targets: NDArray[Any], predictions: NDArray[Any], chosen: Mapping[str, Metric]) -> dict[str, float]:
    """Return the chosen metrics of targets and predictions, whose forms are those of `compute`.

    Raises:
        DivergenceError: A prediction is NaN or infinite.
    """
    if len(targets) == 0 or len(targets) != len(predictions):
        raise JobError(
            f"metrics of {task_type}: received {counted(len(targets), 'target')} and "
            f"{counted(len(predictions), 'prediction')}; expected as many of both, at least one."
        )
    undefined = int(np.sum(~np.isfinite(predictions.reshape(len(predictions), -1)).all(axis=1)))
    if undefined:
        raise DivergenceError(
            f"the predictions of {undefined} of {counted(len(predictions), 'example')} are NaN or infinite. Lower "
            "learning_rate, or set clip_norm."
        )
    _task_module(task_type).check(targets, predictions)
    return {name: float(chosen_metric.function(targets, predictions)) for name, chosen_metric in chosen.items()}


def _metrics(task_type: str) -> dict[str, Metric]:
    if task_type not in task_types():
        raise SettingsError(f"unknown task_type '{task_type}'. {suggestion(task_type, task_types())}")
    _task_module(task_type)
    return _METRICS[task_type]


def _task_module(task_type: str) -> Any:
    """Import the file of a task, which registers its metrics."""
    return import_module(f"{PACKAGE}.{task_type}")
