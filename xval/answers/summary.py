"""The content of a table of several instances: its metrics, the parameters that differ, the chance level."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from xval.answers.item_words import item_word
from xval.base.item_word import ITEM
from xval.base.setting_scope import Scope
from xval.measures import binary
from xval.measures.metrics import higher_is_better, metric_names
from xval.results.instance import InstanceResults
from xval.settings.classical import CLASSICAL
from xval.settings.schema import EXPERIMENT_KEYS, UNHASHED_KEYS, Settings, names_of

# The sides of a table from first to last, and their names in headers; `side_name` has those of items.
_SIDE_NAMES = {
    "clip_test": "test clip",
    "test": "test",
    "clip_validation": "validation clip",
    "validation": "validation",
    "training": "training",
}
MEMBERS_DIFFER = "members differ"  # where a setting of an ensemble is said to come from


_APART = {"comment_1", "comment_2"} | (EXPERIMENT_KEYS & UNHASHED_KEYS)  # parameters that change no result


_SAME = {"recall": "balanced_accuracy"}  # the mean recall of the classes that are tested
_METRIC_WORDS = {
    "balanced_accuracy": "balanced accuracy (UAR)",
    "mean_average_precision": "mean average precision (mAP)",
    "ccc": "concordance correlation (CCC)",
    "pearson": "Pearson correlation",
    "lrap": "label ranking average precision",
    "brier": "Brier score",
    "ece": "calibration error (ECE)",
    "eer": "equal error rate (EER)",
    "mae": "mean absolute error (MAE)",
    "mse": "mean squared error (MSE)",
    "rmse": "RMSE",
}
_SPELT = {
    "f1": "F1",
    "r2": "R²",
    **{name: name.upper() for name in ("auc", "kl", "npv", "ppv", "psds1", "psds2", "roc")},
    **{name: name.capitalize() for name in ("cohen", "hamming", "jaccard", "matthews", "poisson")},
}
"""The written forms of words in names of metrics, also of the user's own metrics."""


class ChanceLevel(NamedTuple):
    """The score of the best strategy that ignores the audio; lowest and highest differ where instances cut clips differently.

    `group_level` is the score of one answer for each group of items with the same classes; None: not higher, or not known.
    """

    lowest: float
    highest: float
    strategy: str = ""
    group_level: float | None = None


def has_windows(instances: Iterable[InstanceResults]) -> bool:
    """Return whether some instance has several examples per clip, so that clips have separate scores."""
    return any(instance.has_windows for instance in instances)


def side_name(side: str, instances: Iterable[InstanceResults] = ()) -> str:
    """Return the name of a side: ``test``, ``test clip``, or ``test speaker`` if each item has one decision."""
    deciding = [instance for instance in instances if instance.decides_items]
    return _SIDE_NAMES[side].replace("clip", item_word(deciding)) if deciding else _SIDE_NAMES[side]


def record_side(record: Mapping[str, Any], settings: Settings, item: str) -> str:
    """Return the name of the side that the record of a final model quotes, or of the tested clips of a fold.

    `item`: the word for an item; empty if not known.
    """
    name = _SIDE_NAMES[record.get("expected_side", "clip_test")]
    return name if settings.item_decision == "none" else name.replace("clip", item or ITEM)


def test_side(instances: Sequence[InstanceResults]) -> str:
    """Return the side of the main test scores: ``clip_test`` if clips are cut into windows, else ``test``."""
    return "clip_test" if has_windows(instances) else "test"


def main_and_own(instances: Sequence[InstanceResults]) -> list[str]:
    """Return the main metrics of the task, then the metric of `rank_by`, then metrics that users added."""
    own = {name for instance in instances for name in instance.further_metrics}
    ranked_by = {instance.settings.rank_by for instance in instances} - {"auto"}
    return list(dict.fromkeys([*instances[0].task.main_metrics, *sorted(ranked_by), *sorted(own)]))


def metric_columns(instances: Sequence[InstanceResults]) -> tuple[tuple[str, str], ...]:
    """Return the (side, metric) pairs of some instance: test first; on each side the main metrics first and the loss last.

    Other metrics are in the order of their file. Skipped are scores of clips if each clip is one example, metrics that are
    undefined in every fold and pooled, and a metric of `_SAME` with the values of the other one.
    """
    apart = () if has_windows(instances) else ("clip_test", "clip_validation")
    sides = [side for side in _SIDE_NAMES if side not in apart]
    tasks = {instance.task.name: instance.task for instance in instances}
    main = [name for task in sorted(tasks) for name in tasks[task].main_metrics]
    known = list(dict.fromkeys([*main, *(name for task in sorted(tasks) for name in metric_names(task))]))
    columns = []

    def is_shown_as_other(names: set[str], side: str, name: str) -> bool:
        other = _SAME.get(name)
        return other in names and all(_have_same(instance, side, name, str(other)) for instance in instances)

    for side in sides:
        names = {name for instance in instances for name in instance.metrics(side) if instance.over_folds(side, name)["n"]}
        names |= {
            name
            for instance in instances
            for name in [*known, *instance.further_metrics]
            if (over_items := instance.item_score(side, name)) and over_items["pooled"] is not None
        }
        others = sorted(names - set(known) - {"loss"})
        columns += [
            (side, name) for name in [*known, *others, "loss"] if name in names and not is_shown_as_other(names, side, name)
        ]
    return tuple(columns)


def _have_same(instance: InstanceResults, side: str, name: str, other: str) -> bool:
    """Return whether two metrics have the same values in every job, up to rounding."""
    first, second = instance.values(side, name), instance.values(side, other)
    return first.keys() == second.keys() and all(
        math.isclose(value, second[key], abs_tol=1e-9) or (math.isnan(value) and math.isnan(second[key]))
        for key, value in first.items()
    )


def metric_words(name: str, instances: Iterable[InstanceResults] = ()) -> str:
    """Return the name of a metric in texts, with its synonym: ``balanced accuracy (UAR)``, ``macro F1``.

    A metric of one class has the class, ``F1 of 'sick'``, if it is the same class in all `instances` that have the metric.
    """
    words = _METRIC_WORDS.get(name) or " ".join(_SPELT.get(word, word) for word in name.split("_"))
    if name not in binary.NAMES:
        return words
    having = [(instance.class_of(name), name in instance.further_metrics) for instance in instances]
    classes = {class_name for class_name, has_metric in having if class_name is not None or has_metric}
    (class_name,) = classes if len(classes) == 1 else (None,)
    return words if class_name is None else f"{words} of '{class_name}'"


def score_name(side: str, metric: str, instances: Iterable[InstanceResults]) -> str:
    """Return the name of a metric on a side in texts: ``test speaker balanced accuracy (UAR)``."""
    instances = list(instances)
    return f"{side_name(side, instances)} {metric_words(metric, instances)}"


def direction(instances: Sequence[InstanceResults], metric: str) -> bool | None:
    """Return whether a higher value of a metric is better; None: not known."""
    task = instances[0].task
    if metric == "loss" or metric in metric_names(task.name):
        return higher_is_better(task.name, metric)
    known = (instance.further_metrics.get(metric) for instance in instances)
    return next((higher for higher in known if higher is not None), None)


def differing_parameters(parameters: Sequence[Mapping[str, object]]) -> tuple[str, ...]:
    """Return the names of the parameters that differ between instances, in the order of the settings.

    An option that only some architectures have differs. Skipped are comments and architecture, which have separate columns, the
    plan of a search, and settings of the whole run that cannot change a result (device, workers).
    """
    apart = _APART | {"architecture", "search"}
    names = dict.fromkeys(name for instance_parameters in parameters for name in instance_parameters)
    return tuple(name for name in names if name not in apart and _differs(name, parameters))


def shown_parameter(instance: InstanceResults, name: str, missing: object = None) -> object:
    """Return the value of a parameter for tables; ``searched`` if each fold chooses it, ``members differ`` in an ensemble.

    It is empty where it does not apply to an estimator, such as the number of epochs.
    """
    if instance.parameters.get("architecture") in CLASSICAL and name in names_of(Scope.NETWORK):
        return missing
    shown = {"search": "searched", MEMBERS_DIFFER: MEMBERS_DIFFER}.get(instance.written.sources.get(name, ""))
    return shown or instance.parameters.get(name, missing)


def parameter_value(value: object) -> object:
    """Return a parameter value for tables: None and lists as in config.ini."""
    if value is None:
        return "none"
    return ", ".join(str(part) for part in value) if isinstance(value, list | tuple) else value


def chance_level(instances: Sequence[InstanceResults], metric: str, side: str = "test") -> ChanceLevel | None:
    """Return the score of the best strategy that ignores the audio, or None if it is undefined or not known yet.

    It comes from `ItemScore`, in the unit of the side. Where that is not known, as for a metric of the user's own, it is the
    score of a constant answer on the test examples: the class shares, or the mean target, of the training examples. Only the
    instances with the most folds count.
    """
    most_done = max((len(instance.folds) for instance in instances), default=0)
    furthest = [instance for instance in instances if len(instance.folds) == most_done]
    known = [metric_score for instance in furthest if (metric_score := instance.item_score(side, metric))]
    levels = [
        (metric_score["chance"], metric_score["strategy"]) for metric_score in known if metric_score["chance"] is not None
    ]
    if levels:
        group_levels = [level for metric_score in known if (level := metric_score.get("group_chance")) is not None]
        return ChanceLevel(min(levels)[0], max(levels)[0], levels[0][1], max(group_levels, default=None))
    if metric in binary.NAMES:  # of which the class shares are not the best constant answer
        return None
    scores = [instance.over_folds("chance", metric) for instance in instances]
    most = max((metric_score["n"] for metric_score in scores), default=0)
    means = [metric_score["mean"] for metric_score in scores if metric_score["n"] == most and metric_score["mean"] is not None]
    return ChanceLevel(min(means), max(means), "a constant prediction") if means else None


def _differs(name: str, parameters: Sequence[Mapping[str, object]]) -> bool:
    return any(
        (name in instance_parameters, instance_parameters.get(name)) != (name in parameters[0], parameters[0].get(name))
        for instance_parameters in parameters
    )
