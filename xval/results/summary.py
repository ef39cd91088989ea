"""From fold records to the figures of an instance, and what there is to compare between instances.

Comes in: the content of settings.json and of each fold's record.json. Goes out: the metric dict of an instance, which
metrics and parameters a table of several instances shows, the chance level. Nothing is read or written here.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from statistics import fmean, stdev
from typing import Any, NamedTuple, TypedDict, cast

from xval.metrics import higher_is_better, metric_names
from xval.settings.schema import EXPERIMENT_KEYS, UNHASHED_KEYS

FORMAT_VERSION = 1
# The sides of a table from first to last, and what headers call them.
SIDES = {
    "clip_test": "test clip",
    "test": "test",
    "clip_validation": "validation clip",
    "validation": "validation",
    "training": "training",
}
CLIP_SIDES = ("clip_test", "clip_validation")

Record = Mapping[str, Any]
MetricDict = Mapping[str, Any]


class Figure(TypedDict):
    """One metric over the folds of an instance.

    Attributes:
        mean: None when no fold has a value.
        std: The sample standard deviation (over n - 1); None when fewer than two folds have a value.
        n: How many folds have a value; a fold whose metric is NaN has none.
        min: The smallest value of a fold.
        max: The largest value of a fold.
    """

    mean: float | None
    std: float | None
    n: int
    min: float | None
    max: float | None


class ChanceLevel(NamedTuple):
    """The mean test metric of a constant answer; lowest and highest differ where instances cut clips differently."""

    lowest: float
    highest: float


def make_metric_dict(settings: Mapping[str, Any], records: Iterable[Record], *, folds_total: int) -> dict[str, Any]:
    """Return the metric dict of an instance, the content of its metrics.json.

    Args:
        settings: The content of the instance's settings.json.
        records: The fold records that there are, done and failed, in any order.
        folds_total: How many folds the experiment has.

    Returns:
        The parameters and their sources, the directions of metrics beside those of the task, the records by fold, and a
        `Figure` for each metric of each side.
    """
    folds = sorted(records, key=lambda record: int(record["fold"]))
    done = [record for record in folds if record["status"] == "done"]
    return {
        "format_version": FORMAT_VERSION,
        "instance": settings["instance"],
        "description": settings["description"],
        "task_type": settings["parameters"]["task_type"],
        "monitor": settings["parameters"]["monitor"],
        "further_metrics": {name: higher for record in done for name, higher in record.get("further_metrics", {}).items()},
        "parameters": dict(settings["parameters"]),
        "sources": dict(settings["sources"]),
        "folds_total": folds_total,
        "folds_done": len(done),
        "folds_failed": sum(record["status"] == "failed" for record in folds),
        "folds": {str(record["fold"]): dict(record) for record in folds},
        "summary": {
            "training": _summarise([record["metrics"]["training"] for record in done]),
            "validation": _summarise([record["metrics"]["validation"] for record in done]),
            "test": _summarise([record["metrics"]["test"] for record in done]),
            "clip_validation": _summarise([record["clip_metrics"]["validation"] for record in done]),
            "clip_test": _summarise([record["clip_metrics"]["test"] for record in done]),
            "chance": _summarise([record["chance"]["test"] for record in done]),
        },
        "seconds": sum(record["seconds"] for record in folds),
        "n_parameters": done[0]["n_parameters"] if done else None,
    }


def finished_records(metric_dict: MetricDict) -> list[Record]:
    """Return the records of the finished folds of an instance, by fold number."""
    records = cast("Mapping[str, Record]", metric_dict["folds"]).values()
    return sorted((record for record in records if record["status"] == "done"), key=lambda record: int(record["fold"]))


def figure(metric_dict: MetricDict, side: str, metric: str) -> Figure:
    """Return one metric of one side over the folds of an instance; without values where it was never computed."""
    missing = Figure(mean=None, std=None, n=0, min=None, max=None)
    return cast("Figure", metric_dict["summary"].get(side, {}).get(metric, missing))


def value_of(number: object) -> float | None:
    """Return a metric of a record as a number, or None where it is undefined: null, NaN or infinite."""
    return float(number) if isinstance(number, int | float) and isfinite(number) else None


def has_windows(metric_dicts: Iterable[MetricDict]) -> bool:
    """Return whether some instance has more than one example per clip, so that clips have figures of their own.

    Sequences of frames are no such examples: their figures are those of all frames of a recording.
    """
    return any(
        metric_dict["task_type"] != "frame_classification"
        and record["n_examples"]["test"] > sum(item["n_clips"] for item in record["item_metrics"]["test"].values())
        for metric_dict in metric_dicts
        for record in finished_records(metric_dict)
    )


def metric_columns(metric_dicts: Sequence[MetricDict]) -> tuple[tuple[str, str], ...]:
    """Return the (side, metric) pairs that some instance has, test first, metrics in the order of their file, loss last.

    The figures of clips are left out where they are those of the examples, and a metric where it is undefined in every fold.
    """
    sides = [side for side in SIDES if side not in CLIP_SIDES or has_windows(metric_dicts)]
    tasks = sorted({metric_dict["task_type"] for metric_dict in metric_dicts})
    known = [name for task in tasks for name in metric_names(task)]
    columns = []
    for side in sides:
        summaries = [metric_dict["summary"].get(side, {}) for metric_dict in metric_dicts]
        found = {name for summary in summaries for name, values in summary.items() if values["n"]}
        others = sorted(found - set(known) - {"loss"})
        columns += [(side, name) for name in [*known, *others, "loss"] if name in found]
    return tuple(columns)


def direction(metric_dicts: Sequence[MetricDict], metric: str) -> bool | None:
    """Return whether more of a metric is better; None where no instance knows."""
    task_type = metric_dicts[0]["task_type"]
    if metric == "loss" or metric in metric_names(task_type):
        return higher_is_better(task_type, metric)
    known = (metric_dict.get("further_metrics", {}).get(metric) for metric_dict in metric_dicts)
    return next((higher for higher in known if higher is not None), None)


def differing_parameters(metric_dicts: Sequence[MetricDict]) -> tuple[str, ...]:
    """Return the parameters whose values differ between instances, in their order in the settings.

    An option that only some architectures have differs. The comments and the architecture have columns of their own; what
    belongs to a whole run and cannot change a result (the device, the number of workers) is left out.
    """
    apart = {"comment_1", "comment_2", "architecture"} | (EXPERIMENT_KEYS & UNHASHED_KEYS)
    names = dict.fromkeys(name for metric_dict in metric_dicts for name in metric_dict["parameters"])
    return tuple(name for name in names if name not in apart and _differs(name, metric_dicts))


def chance_level(metric_dicts: Sequence[MetricDict], metric: str) -> ChanceLevel | None:
    """Return what a constant answer reaches on the test examples, or None where that is undefined or not known yet.

    The answer is the class shares, or the mean target, of the training examples. Instances with fewer folds do not count.
    """
    figures = [figure(metric_dict, "chance", metric) for metric_dict in metric_dicts]
    most = max((found["n"] for found in figures), default=0)
    means = [found["mean"] for found in figures if found["n"] == most and found["mean"] is not None]
    return ChanceLevel(min(means), max(means)) if means else None


def _summarise(folds: Sequence[Mapping[str, object]]) -> dict[str, Figure]:
    names = dict.fromkeys(name for fold in folds for name in fold)
    return {name: _figure([value_of(fold.get(name)) for fold in folds]) for name in names}


def _figure(values: Sequence[float | None]) -> Figure:
    numbers = [value for value in values if value is not None]
    return Figure(
        mean=fmean(numbers) if numbers else None,
        std=stdev(numbers) if len(numbers) > 1 else None,
        n=len(numbers),
        min=min(numbers, default=None),
        max=max(numbers, default=None),
    )


def _differs(name: str, metric_dicts: Sequence[MetricDict]) -> bool:
    missing = object()
    first = metric_dicts[0]["parameters"].get(name, missing)
    return any(metric_dict["parameters"].get(name, missing) != first for metric_dict in metric_dicts)
