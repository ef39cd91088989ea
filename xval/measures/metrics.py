"""The registry of metrics: their names, which direction is better, and the value of all of them.

Metrics are the functions of xval/measures/tasks/<task type>.py under `@metric`; no other place lists them.
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
    """What the best strategy reaches that does not listen.

    Attributes:
        strategy: In words.
        answer: float (n_outputs,), the one answer that it gives to every example. None: the level is that of no certain answer.
    """

    value: float
    strategy: str
    answer: NDArray[Any] | None = None


RestsOn = Callable[[NDArray[Any]], NDArray[np.bool_]]
"""From targets to which examples are of each class that a score rests on, bool (n_examples, n_classes)."""

ChanceFunction = Callable[[NDArray[Any], NDArray[np.float64]], Chance]
"""From the targets, and the weight of each example (their sum is 1), to the chance level of a metric."""


class Metric(NamedTuple):
    """A metric function.

    Attributes:
        function: From targets and predictions to a number.
        least_outputs: From how many classes (or outputs) on it is computed.
        bounds: Least and largest possible value, with inf for none; None: any value is possible.
        is_mean: Whether it is the mean of a value of each example, so that an item or a fold without some class has it too.
        chance: Returns its chance level; None: not known.
        aliases: Other names that it is known by.
        credit: Of a metric that is a sum over the examples that are answered right: what each of them adds. None: of others.
        is_pooled: Whether few examples give another value, so that it is read of all test examples together, not of each item.
        rests_on: The classes whose items its interval is of; None: where examples have classes, each of them, unless it is a
            mean of examples.
        ranks: Whether it is of the order of all scores, which those of different models do not share; see
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
    """Return one class with all examples, for a metric that counts them together, such as micro F1."""
    return np.ones((len(targets), 1), bool)


def lacks_class(metric: Metric | None, n_classes: int, present: Sequence[int]) -> bool:
    """Return whether examples of only some classes say too little for a metric of examples with one class each.

    That is one of classes (see `Metric.rests_on`), of which some has no example: with one class of two, any constant has a
    balanced accuracy of 1. None: a metric of which nothing is known but its name.
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
"""Before the name of a metric of scikit-learn."""

_METRICS: dict[str, dict[str, Metric]] = {}
PACKAGE = "xval.measures.tasks"
"""Has a file for each task; read by name, since these import this module."""


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
    """Make a function of a task's file one of its metrics, under the function's own name.

    A function in a module of the user's own is a metric of the instances that name it (the parameter ``metrics``).

    Args:
        higher_is_better: True for scores, False for errors.
        least_outputs: From how many classes (or outputs) on it is computed; with fewer it would say nothing.
        bounds: Least and largest possible value, which intervals keep within; see `Metric`.
        is_mean: Whether it is the mean of a value of each example.
        chance: From targets and weights to its chance level; see `Metric`.
        aliases: Other names that users may ask for it by; scores have the name of the function.
        credit: What an example adds that is answered right; see `Metric`.
        is_pooled: Whether it is read of all test examples together only; see `Metric`.
        rests_on: The classes whose items its interval is of; see `Metric`.
        ranks: Whether it is of the order of all scores; see `Metric`.

    Returns:
        The decorator, which leaves the function as it is but for the attributes ``higher_is_better`` and ``metric``.
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
    """Return whether more of a metric is better; of ``loss``, which the engine adds to every task, less is."""
    if name == "loss":
        return False
    metrics = _metrics(task_type)
    if name not in metrics:
        raise SettingsError(f"unknown metric '{name}' of {task_type}. {suggestion(name, ['loss', *metrics])}")
    return metrics[name].higher_is_better


def least_outputs(task_type: str, name: str) -> int:
    """Return the least number of classes (or outputs) for which a metric of a task is computed; 1 for other names."""
    registered = _metrics(task_type).get(name)
    return registered.least_outputs if registered else 1


def find(task_type: str, name: str) -> Metric:
    """Return a metric of a task."""
    metrics = _metrics(task_type)
    if name not in metrics:
        raise SettingsError(f"unknown metric '{name}' of {task_type}. {suggestion(name, metrics)}")
    return metrics[name]


def canonical_name(task_type: str, name: str) -> str:
    """Return the name under which a metric of a task has its scores: ``balanced_accuracy`` for ``uar``.

    Capitals and underscores do not matter. ``sklearn:cohen_kappa_score`` is ``sklearn.metrics.cohen_kappa_score``, a dotted
    path as of a metric of the user's own. Any other name is returned as it is.
    """
    if name.startswith(SKLEARN):
        return f"sklearn.metrics.{name.removeprefix(SKLEARN)}"
    plain = keras_names.plain_name(name)
    for known, registered in _metrics(task_type).items():
        if plain in map(keras_names.plain_name, (known, *registered.aliases)):
            return known
    return name


def describe(task_type: str, name: str) -> str:
    """Return the first paragraphs of a metric's docstring as plain text; empty for what is no metric of the task."""
    registered = _metrics(task_type).get(name)
    text = (registered and registered.function.__doc__) or ""
    return "\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n")).removeprefix("Return ")


def compute(
    task_type: str, targets: NDArray[Any], predictions: NDArray[Any], further: Mapping[str, Metric] | None = None
) -> dict[str, float]:
    """Return every metric of a task that is computed for so many classes, and further ones.

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
    """Return chosen metrics of targets and predictions, as `compute` takes them.

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
