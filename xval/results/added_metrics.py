"""Metrics that are added after training and computed from stored predictions.

added_metrics.json in the folder of the experiment lists them, so that rebuilds also compute them for folds that end later.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from xval.base import keras_names
from xval.base.errors import ResultsError, SettingsError, XvalError, one_line, suggestion
from xval.base.json_files import FORMAT_VERSION, write_json
from xval.base.user_code import definitions
from xval.base.user_code.files import own_files
from xval.base.user_code.modules import cached_by_place, looking_in
from xval.measures import binary, metrics, operating_points
from xval.measures.metrics import Chance, Metric
from xval.measures.task import Task
from xval.results.folder import ExperimentFolder
from xval.results.instance import InstanceResults
from xval.results.open import open_results
from xval.settings import further_metrics

T = TypeVar("T")
_PROJECT = ("xval", "architectures", "preprocessing", "augmentation")


class AddedMetric(NamedTuple):
    """A requested metric.

    Attributes:
        name: Name of its scores.
        metric: The metric function; an error in the user's own code becomes a `ResultsError`.
        version: Sixteen hex digits of a hash of its source code and of the user's code that it imports.
    """

    name: str
    metric: Metric
    version: str


def request_metrics(folder: ExperimentFolder, names: Sequence[str], positive_class: str | None = None) -> dict[str, str]:
    """Store which metrics are requested in addition to those of the records; return score names by requested name.

    `names` are metrics of the task, their aliases, or dotted paths of user code; metrics that all records have are not stored.
    `positive_class` is for metrics of one class; None: the one in the settings of the experiment.
    """
    with folder.lock():
        results = open_results(folder)
        known = results.requested_metrics
        wanted, score_names = list(known), dict[str, str]()
        read = [results.instance(number, damaged=[]) for number in folder.instances()]  # the rebuild names what is damaged
        instances = [instance for instance in read if instance.done]
        if not instances:
            raise ResultsError(f"{folder.path}: no fold is finished, so there are no predictions. Run the experiment first.")
        by_short = {path.rpartition(".")[2]: path for path in known}
        for name in (by_short.get(name, name) for name in names):
            for instance in instances:
                with looking_in(results.own_folders(instance.number)):
                    canonical, is_there = _resolve(instance, name, positive_class)
                    short = canonical.rpartition(".")[2]
                    score_names[short if name in (canonical, short) else f"{name} ({short})"] = short
                    if not is_there and canonical not in wanted:
                        # Loaded so that what cannot be imported is not noted.
                        added = load_metric(instance.settings.task_type, canonical)
                        n_outputs = len(_class_names(instance)) or 1
                        further_metrics.check_direction(instance.task, added.name, added.metric, n_outputs)
                        wanted.append(canonical)
        all_short = [name.rpartition(".")[2] for name in wanted]
        if twice := [name for name in all_short if all_short.count(name) > 1]:
            paths = ", ".join(path for path in wanted if path.rpartition(".")[2] == twice[0])
            raise SettingsError(
                f"add-metrics: {paths} have the same name. Rename one of them, or delete {folder.added_metrics}."
            )
        if wanted != known:
            write_json(folder.added_metrics, {"format_version": FORMAT_VERSION, "metrics": wanted})
    return score_names


@cached_by_place
def load_metric(task_type: str, written: str) -> AddedMetric:
    """Return a requested metric; this imports the user's module.

    Raises:
        SettingsError: It is unknown, or does not define which direction is better.
        ResultsError: The user's module cannot be imported.
    """
    if written.startswith(binary.WRITTEN):
        number, name = written.removeprefix(binary.WRITTEN).split(".")
        return AddedMetric(
            name, binary.find(name, int(number)), _hash([Path(binary.__file__), Path(operating_points.__file__)]) + number
        )
    if not definitions.is_dotted(written):
        task_metric = metrics.find(task_type, written)
        return AddedMetric(written, task_metric, _hash([Path(task_metric.function.__code__.co_filename)]))
    further_metrics.directions(task_type, written)
    module = definitions.find_module(written.rpartition(".")[0])
    try:
        ((name, metric),) = further_metrics.load(task_type, written).items()
    except SettingsError:
        raise
    except Exception as error:
        raise ResultsError(f"metric '{written}': {module.file} cannot be imported ({one_line(error)}).") from error
    function, chance, credit = metric.function, metric.chance, metric.credit
    guarded = metric._replace(
        function=_guarded(written, lambda targets, predictions: float(function(targets, predictions))),
        chance=chance and _guarded(f"{written}, chance", lambda targets, weights: Chance(*chance(targets, weights))),
        credit=credit and _guarded(f"{written}, credit", credit),
    )
    return AddedMetric(name, guarded, version_of(written))


def version_of(written: str) -> str:
    """Return the version of a user's function from its source code, without running it."""
    module = definitions.find_module(written.rpartition(".")[0])
    return _hash([module.file, *own_files([module.name], known=_PROJECT).values()])


def trained_with_positive(task_type: str, text: str, positive: int | None) -> dict[str, Metric]:
    """Return the metrics of the positive class, whose number is `positive`, in the parameter ``metrics`` (`text`), by name."""
    if positive is None:
        return {}
    return {name: binary.find(name, positive) for name in further_metrics.positive_metrics(task_type, text)}


def requested_of_xval(task_type: str, written: Iterable[str]) -> dict[str, Metric]:
    """Return those of some requested metrics that are none of the user's own, so that no code of the user's is run, by name."""
    names = [name for name in written if name.startswith(binary.WRITTEN) or not definitions.is_dotted(name)]
    return {added.name: added.metric for added in (load_metric(task_type, name) for name in names)}


def trained_with(task_type: str, text: str, positive: int | None, damaged: list[str]) -> dict[str, Metric]:
    """Return the user's functions in the parameter ``metrics`` (`text`), by the names of their scores.

    The metrics of the positive class, whose number is `positive`, are included. `damaged` receives a line for each metric that
    cannot be loaded.
    """
    own_metrics = trained_with_positive(task_type, text, positive)
    for written in filter(definitions.is_dotted, further_metrics.split_names(text)):
        try:
            own_metrics[written.rpartition(".")[2]] = load_metric(task_type, written).metric
        except XvalError as error:
            damaged.append(
                f"{error} Stored values of this metric are kept, but its pooled value, interval within bounds and chance are "
                "missing."
            )
    return own_metrics


def constant_chance(
    metric: Metric, targets: NDArray[Any], weights: NDArray[np.float64], n_outputs: int, groups: Sequence[NDArray[np.intp]]
) -> Chance:
    """Return the chance level of always predicting the class shares, or the mean target.

    Args:
        metric: A metric without its own chance level.
        targets: int64 (n,) class numbers, or float32 (n, n_outputs).
        weights: float64 (n,), the weight of each example; their sum is 1.
        n_outputs: Number of outputs of the predictions.
        groups: The rows of each item if the score is a mean over items; otherwise all rows.
    """
    is_class = targets.ndim == 1
    answer = np.bincount(targets, weights, n_outputs) if is_class else weights @ targets.astype(np.float64)
    answers = np.tile(answer.astype(np.float32), (len(targets), 1))
    try:
        value = float(np.mean([metric.function(targets[rows], answers[rows]) for rows in groups]))
    except ResultsError:  # the user's code has no answer to that
        value = float("nan")
    return Chance(value, "always the shares of the classes" if is_class else "always the mean of the targets")


def _class_names(instance: InstanceResults) -> list[str]:
    return list(next(iter(instance.done.values())).get("class_names", []))


def _refuse_other_class(
    instance: InstanceResults, canonical: str, positive_class: str, classes: Sequence[str], *, is_trained: bool
) -> None:
    """Refuse a metric of one class that the results have of another class: they cannot have two of one name."""
    known = None
    if canonical.startswith(binary.WRITTEN):
        known = classes[int(canonical.removeprefix(binary.WRITTEN).partition(".")[0])]
        how = f"To have it of another, delete {instance.experiment.added_metrics} and add it again."
    elif is_trained and further_metrics.positive_metrics(instance.task.name, canonical):
        known, how = instance.settings.positive_class, "The experiment was run with it."
    if known not in (None, positive_class):
        raise SettingsError(
            f"add-metrics {canonical.rpartition('.')[2]}: it is known of the class '{known}', not '{positive_class}', and a "
            f"metric has one class in an experiment. {how}"
        )


def _resolve(instance: InstanceResults, name: str, positive_class: str | None) -> tuple[str, bool]:
    """Return the stored name of a metric, with aliases resolved, and whether all jobs were trained with it."""
    task, classes = instance.task, _class_names(instance)
    canonical = metrics.canonical_name(task.name, name)
    short = canonical.rpartition(".")[2]
    have = [short in scores.side("test") and short not in scores.added for scores in instance.scores.values()]
    trained_with = further_metrics.split_names(str(instance.parameters.get("metrics", "auto")))
    if positive_class is not None:
        binary.check_class((), positive_class, classes, "--positive-class {}")
        _refuse_other_class(instance, canonical, positive_class, classes, is_trained=all(have))
    if all(have) and (canonical == short or canonical in trained_with):
        return canonical, True
    if positive_names := further_metrics.positive_metrics(task.name, canonical):
        chosen = positive_class or instance.settings.positive_class
        binary.check_class(positive_names, chosen, classes, "--positive-class {}")
        return f"{binary.WRITTEN}{binary.number_of(chosen, classes)}.{positive_names[0]}", False
    if canonical.startswith(binary.WRITTEN):  # noted before
        return canonical, False
    if definitions.is_dotted(canonical):
        further_metrics.directions(task.name, canonical)
        if any(have):
            raise SettingsError(
                f"add-metrics {name}: records of instance {instance.number} already have another '{short}'. Rename yours."
            )
        return canonical, False
    if reason := _why_not(task, canonical, len(classes)):
        class_metrics = binary.NAMES if task.has_positive_class else ()
        hint = suggestion(canonical, [*_computable(task, len(classes)), *class_metrics])
        raise SettingsError(
            f"add-metrics {name}: {reason}. Your own functions (my_module.my_metric) and the metrics of the task can be "
            f"computed from stored predictions. {hint}"
        )
    return canonical, False


def _why_not(task: Task, name: str, n_classes: int) -> str:
    """Return why a metric cannot be computed from stored predictions; empty: it can."""
    if not task.takes_further_metrics:
        return "metrics of a representation need its features, and no predictions of them are stored"
    if name in _computable(task, n_classes):
        return ""
    if name in metrics.metric_names(task.name):
        return f"it needs at least {metrics.least_outputs(task.name, name)} classes"
    if name == "loss":
        return "the loss is computed by Keras during training"
    if name in task.final_metrics:
        return "metrics of events and at thresholds cannot be added to a finished experiment"
    if keras_names.match(name, task.keras_metrics):
        return "it is a metric of Keras, which this command does not load"
    return f"unknown metric of {task.name}"


def _computable(task: Task, n_classes: int) -> list[str]:
    """Return the metrics of a task, under all their names, that are defined for this number of classes; 0: no classes."""
    if not task.takes_further_metrics:
        return []
    names = [
        name for name in metrics.metric_names(task.name) if not n_classes or metrics.least_outputs(task.name, name) <= n_classes
    ]
    return [alias for name in names for alias in (name, *metrics.find(task.name, name).aliases)]


def _guarded(name: str, function: Callable[[NDArray[Any], NDArray[Any]], T]) -> Callable[[NDArray[Any], NDArray[Any]], T]:
    """Return a user's function whose error messages name the function."""

    def compute(targets: NDArray[Any], others: NDArray[Any]) -> T:
        try:
            return function(targets, others)
        except Exception as error:
            raise ResultsError(
                f"metric '{name}' fails with arrays of {targets.shape} and {others.shape} ({one_line(error)}). Where it is "
                "undefined, it must return float('nan')."
            ) from error

    return compute


def _hash(files: Sequence[Path]) -> str:
    contents = [file.read_bytes() for file in dict.fromkeys(files)]
    return blake2b(b"\0".join(contents), digest_size=8).hexdigest()
