"""Metrics in addition to those of a task: Keras's own, by name, scikit-learn's, and the user's functions, by dotted path.

Names and directions are read without loading Keras or running the user's code. A function of the user takes targets and
predictions, as those of xval/measures/tasks do, and declares whether higher is better: with the decorator ``xval.metric``, or
with an attribute.
"""

import ast
import math
import warnings
from collections.abc import Collection
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xval.base import keras_names, keras_objects
from xval.base.errors import SettingsError, closest, suggestion
from xval.base.keras_objects import KerasObject
from xval.base.literals import source_of
from xval.base.user_code import definitions, imports
from xval.measures import binary, metrics, sklearn_metrics
from xval.measures.metrics import Metric
from xval.measures.task import Task, constant_answer, find_task

_UNSURE = 1e-6
_HOW_TO_SAY = "write @metric(higher_is_better=True) above it (from xval import metric), or False if lower is better"


def split_names(text: str) -> tuple[str, ...]:
    """Return the names in the setting ``metrics``; of ``auto`` none, because the metrics of a task are always computed."""
    return tuple(name for name in keras_objects.split_texts(text) if name != "auto")


def known_names(task: Task, text: str) -> str:
    """Return the setting ``metrics`` without the metrics of the task, and with dotted paths for scikit-learn's metrics."""
    kept = []
    for name in map(partial(_positive_name, task), split_names(text)):
        known = metrics.canonical_name(task.name, name)
        is_of_keras = keras_names.match(name, task.keras_metrics) is not None
        if is_of_keras or known not in metrics.metric_names(task.name):
            kept.append(name if is_of_keras else known)
    return text if tuple(kept) == keras_objects.split_texts(text) else ", ".join(kept) or "auto"


def short_name(written: str) -> str:
    """Return the name in records of a metric of the setting ``metrics``."""
    if keras_objects.is_object(written):
        described = keras_objects.parse(written)
        return str(described.options.get("name", keras_objects.snake_case(described.class_name)))
    return written.rpartition(".")[2]


def directions(task_type: str, text: str) -> dict[str, bool]:
    """Return the further metrics by their names in records, each with whether higher is better.

    Raises:
        SettingsError: A metric is unknown, has a name that is taken, does not say which direction is better, or cannot be
            called with targets and predictions; or the task takes none.
    """
    higher_is_better: dict[str, bool] = {}
    names = split_names(text)
    task = find_task(task_type)
    if names and not task.takes_further_metrics:
        allowed = ", ".join(metrics.metric_names(task_type))
        raise SettingsError(f"metric '{names[0]}': a representation only has the metrics {allowed}. Remove it.")
    taken = (*metrics.metric_names(task_type), "loss", *task.final_metrics)
    for name in map(partial(_positive_name, task), names):
        own = definitions.is_dotted(name)
        if is_of_positive(task, name):
            short, higher = name, True
        else:
            short, higher = _own_direction(name) if own else _keras_direction(task, name)
        if short in higher_is_better or short in taken:
            raise SettingsError(f"metric '{name}': '{short}' is already computed. {'Rename it' if own else 'Remove it'}.")
        higher_is_better[short] = higher
    return higher_is_better


def followed(task_type: str, text: str) -> list[str]:
    """Return the metrics of the validation of every epoch: the main one of the tables, and the further ones."""
    task = find_task(task_type)
    return [task.main_metrics[0], *directions(task_type, text)] if task.takes_further_metrics else [task.training_metric]


def monitor_is_maximised(monitor: str, task_type: str, text: str) -> bool:
    """Return whether a higher monitored value, such as ``val_loss``, is better; `text`: the setting ``metrics``."""
    name, further = monitor.removeprefix("val_"), directions(task_type, text)
    return further[name] if name in further else metrics.higher_is_better(task_type, name)


def is_of_positive(task: Task, name: str) -> bool:
    """Return whether a metric is computed for the class that `positive_class` names."""
    return task.has_positive_class and name in binary.NAMES


def positive_metrics(task_type: str, text: str) -> list[str]:
    """Return the further metrics that are computed for the positive class, which must be set."""
    task = find_task(task_type)
    return [name for name in map(partial(_positive_name, task), split_names(text)) if is_of_positive(task, name)]


def _positive_name(task: Task, name: str) -> str:
    known = binary.canonical(name)
    return known if is_of_positive(task, known) and metrics.canonical_name(task.name, name) == name else name


def load(task_type: str, text: str, positive: int | None = None) -> dict[str, Metric]:
    """Return the further metrics by their names in records; this loads the user's code and Keras.

    Args:
        task_type: One of `task_types`.
        text: The parameter ``metrics``.
        positive: The number of the positive class, which metrics of one need.
    """
    task, further = find_task(task_type), {}
    for written, (name, higher) in zip(split_names(text), directions(task_type, text).items(), strict=True):
        if is_of_positive(task, name):
            if positive is None:
                raise SettingsError(f"metric '{name}' needs the setting positive_class, the class to detect.")
            further[name] = binary.find(name, positive)
        elif written.startswith(sklearn_metrics.PACKAGE):
            further[name] = sklearn_metrics.load(name, has_classes=task.has_classes)
        elif definitions.is_dotted(written):
            if imports.imports_keras(written.rpartition(".")[0]):
                from xval.backend.devices import load_keras  # here, because few experiments need it

                load_keras()  # which has TensorFlow write nothing into the progress
            function = imports.load(written)
            if not callable(function) or not isinstance(getattr(function, "higher_is_better", None), bool):
                raise SettingsError(f"metric '{written}' does not define whether higher is better; {_HOW_TO_SAY}.")
            declared = getattr(function, "metric", None)
            further[name] = declared._replace(function=function) if isinstance(declared, Metric) else Metric(function, higher)
        else:
            if keras_objects.is_object(written):
                described = keras_objects.parse(written)
            else:
                described = KerasObject("keras.metrics", task.keras_metrics[name].class_name)
            further[name] = Metric(_KerasFunction(described), higher)
    return further


def untrusted(text: str) -> dict[str, str]:
    """Return the further metrics whose code is not imported when results are only read, each with the reason."""
    modules = {name: name.rpartition(".")[0] for name in split_names(text) if definitions.is_dotted(name)}
    own = {name: module for name, module in modules.items() if not name.startswith(sklearn_metrics.PACKAGE)}
    return {name: str(imports.refuse(module)) for name, module in own.items() if not imports.may_import(module)}


def without(text: str, names: Collection[str]) -> str:
    """Return the setting ``metrics`` without some of its names."""
    return ", ".join(name for name in split_names(text) if name not in names) or "auto"


def check_bounds(name: str, metric: Metric, value: float) -> None:
    """Raise an error for a value of a metric that is outside its own bounds; NaN is not."""
    low, high = metric.bounds or (-math.inf, math.inf)
    tolerance = _UNSURE * max([1.0, *(abs(end) for end in (low, high) if math.isfinite(end))])
    if value < low - tolerance or value > high + tolerance:
        raise SettingsError(
            f"metric '{name}' returned {value:.4g}; its bounds are {low:g} to {high:g}. Correct the function, or bounds=(...) "
            "of @metric above it."
        )


def check_direction(task: Task, name: str, metric: Metric, n_outputs: int) -> None:
    """Raise an error for a metric that prefers a constant prediction to a perfect one: it would select the worst epoch.

    Also for one that scores either outside its bounds.

    Where both are as good, or one of them is undefined, nothing is known and nothing refused.

    Args:
        task: Of the targets.
        name: Of the metric.
        metric: Its function may be the user's own; an error in it counts as undefined.
        n_outputs: Of the predictions.
    """
    targets = task.made_up_targets(2 * max(n_outputs, 2), n_outputs)
    is_class = targets.ndim == 1
    right = np.eye(n_outputs, dtype=np.float32)[targets] if is_class else targets
    constant = np.repeat(constant_answer(targets, n_outputs), len(targets), axis=0)
    perfect_value, constant_value = _value(metric, targets, right), _value(metric, targets, constant)
    if math.isnan(perfect_value) and task.has_classes:  # of certain answers, as a logarithm of 0
        perfect_value = _value(metric, targets, right + np.float32(_UNSURE) * (constant - right))
    for value in (perfect_value, constant_value):
        check_bounds(name, metric, value)
    known = not (math.isnan(perfect_value) or math.isnan(constant_value))
    is_alike = math.isclose(perfect_value, constant_value, rel_tol=_UNSURE, abs_tol=_UNSURE)
    if known and not is_alike and (perfect_value > constant_value) != metric.higher_is_better:
        raise SettingsError(
            f"metric '{name}': a perfect prediction scores {perfect_value:.4g} and a constant one {constant_value:.4g}, so "
            f"with higher_is_better={metric.higher_is_better} the constant one is better. If this is intended, write "
            f"@metric(higher_is_better={not metric.higher_is_better}) above it."
        )


def _value(metric: Metric, targets: NDArray[Any], predictions: NDArray[np.float32]) -> float:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return float(metric.function(targets, predictions))
        except Exception:  # noqa: BLE001 - code of the user's own may raise anything
            return math.nan


class _KerasFunction:
    """A metric of Keras, a class in keras.metrics, as a function of targets and predictions."""

    def __init__(self, described: KerasObject) -> None:
        self._metric = described.make()
        self._wants_one_hot = not described.class_name.startswith("Sparse")

    def __call__(self, targets: NDArray[Any], predictions: NDArray[Any]) -> float:
        self._metric.reset_state()
        is_class = targets.ndim == 1
        wanted = np.eye(predictions.shape[1], dtype=np.float32)[targets] if is_class and self._wants_one_hot else targets
        self._metric.update_state(wanted, predictions)
        return float(self._metric.result())


def _keras_direction(task: Task, name: str) -> tuple[str, bool]:
    if keras_objects.is_object(name):
        class_name = keras_objects.parse(name).class_name
        keras_name = keras_names.match(class_name, task.keras_metrics)
        if keras_name is None and class_name not in keras_names.SCORES:
            raise SettingsError(
                f"metric {class_name}: xval does not know whether higher is better. Write a function of targets and "
                f"predictions that returns it, and {_HOW_TO_SAY}."
            )
        return short_name(name), keras_name is None or task.keras_metrics[keras_name].higher_is_better
    keras_name = keras_names.match(name, task.keras_metrics)
    if keras_name is None:
        positive_names = binary.NAMES if task.has_positive_class else ()
        further, computed = ["auto", *task.keras_metrics, *positive_names], metrics.metric_names(task.name)
        known, close = suggestion(name, further), closest(name, [*further, *computed])
        if close in computed:
            known = f"Did you mean '{close}'? It is always computed, so remove it. Available: {', '.join(sorted(further))}."
        raise SettingsError(f"unknown metric '{name}' for {task.name}. {known} {definitions.HOW_TO_NAME}")
    return keras_name, task.keras_metrics[keras_name].higher_is_better


def _own_direction(path: str) -> tuple[str, bool]:
    """Read the short name of a user's metric and its direction in the source of its module; scikit-learn knows its own."""
    if path.startswith(sklearn_metrics.PACKAGE):
        name = path.removeprefix(sklearn_metrics.PACKAGE)
        return name, sklearn_metrics.direction(name)
    definition = definitions.find_definition(path)
    definition.check_signature(2, "metric(targets, predictions)")
    name = path.rpartition(".")[2]
    for node in ast.walk(definition.module.tree):
        if isinstance(node, ast.Assign) and source_of(node.targets[0]) == f"{name}.higher_is_better":
            return name, _truth(path, node.value)
    decorators = definition.node.decorator_list if definition.node else []
    for decorator in decorators:
        for keyword in decorator.keywords if isinstance(decorator, ast.Call) else ():
            if keyword.arg == "higher_is_better":
                return name, _truth(path, keyword.value)
    raise SettingsError(f"metric '{path}' does not define whether higher is better; {_HOW_TO_SAY}.")


def _truth(path: str, value: ast.expr) -> bool:
    if isinstance(value, ast.Constant) and isinstance(value.value, bool):
        return value.value
    raise SettingsError(f"metric '{path}': higher_is_better={source_of(value)}; expected True or False.")
