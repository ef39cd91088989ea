"""Summarise the fold records of an instance, and say what a table of several instances shows.

Comes in: the content of settings.json and of each fold's record.json. Goes out: the metric dict of an instance; the metrics and
parameters that a table has as columns; the chance level. Nothing is read or written here.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import fsum, sqrt
from operator import itemgetter
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from xval.answers.item_figures import ItemFigure
from xval.answers.metric_dict import Figure, MetricDict
from xval.answers.repeats import average_repeats, repeats_content
from xval.base.json_files import FORMAT_VERSION
from xval.base.numbers import finite_or_none
from xval.measures.metrics import higher_is_better, metric_names
from xval.measures.task import find_task
from xval.results.read import FIGURE_PLACES, Record, WrittenInstance
from xval.settings.parameters import settings_among
from xval.settings.schema import EXPERIMENT_KEYS, UNHASHED_KEYS, Settings

# The sides of a table from first to last, and their names in headers.
SIDE_NAMES = {
    "clip_test": "test clip",
    "test": "test",
    "clip_validation": "validation clip",
    "validation": "validation",
    "training": "training",
}
MEMBERS_DIFFER = "members differ"  # where a setting of an ensemble is said to come from


_APART = {"comment_1", "comment_2"} | (EXPERIMENT_KEYS & UNHASHED_KEYS)  # parameters that change no result


class ChanceLevel(NamedTuple):
    """What the best strategy reaches that does not listen; lowest and highest differ where instances cut clips differently."""

    lowest: float
    highest: float
    strategy: str = ""


def make_metric_dict(written: WrittenInstance, records: Iterable[Record], *, folds_total: int, deals: int = 1) -> MetricDict:
    """Return the metric dict of an instance.

    Args:
        written: The content of the instance's settings.json.
        records: Of the jobs so far, done and failed, in any order.
        folds_total: Number of folds of the experiment, in all deals together.
        deals: How many times the items are dealt into folds.
    """
    jobs = list(records)
    folds = average_repeats(jobs)
    done = [record for record in folds if record["status"] == "done"]
    return {
        "format_version": FORMAT_VERSION,
        "instance": written.instance,
        "description": written.description,
        "task_type": written.settings.task_type,
        "monitor": written.settings.monitor,
        "further_metrics": {name: higher for record in done for name, higher in record.get("further_metrics", {}).items()},
        "parameters": written.parameters,
        "sources": written.sources,
        "cautions": written.cautions,
        "folds_total": folds_total,
        **({"deals": deals} if deals > 1 else {}),  # type: ignore[typeddict-item]
        "folds_done": len(done),
        "folds_failed": len({record["fold"] for record in jobs if record["status"] == "failed"}),
        "folds": {str(record["fold"]): dict(record) for record in folds},
        "summary": {
            side: _summarise([record[part][of_part] for record in done]) for side, (part, of_part) in FIGURE_PLACES.items()
        },
        "seconds": sum(record["seconds"] for record in folds),
        "n_parameters": done[0]["n_parameters"] if done else None,
        **repeats_content(jobs, folds_total=folds_total, repeats=written.settings.repeats),  # type: ignore[typeddict-item]
    }


def settings_of(metric_dict: MetricDict) -> Settings:
    """Return the settings of an instance, read from its parameters."""
    return settings_among(metric_dict["parameters"], Path(f"metrics.json of instance {metric_dict['instance']}"))


def done_records(metric_dict: MetricDict) -> list[Record]:
    """Return the records of the finished folds of an instance, by fold number."""
    records = metric_dict["folds"].values()
    return sorted((record for record in records if record["status"] == "done"), key=itemgetter("fold"))


def figure(metric_dict: MetricDict, side: str, metric: str) -> Figure:
    """Return one metric of one side over the folds of an instance; without values if it was never computed."""
    missing = Figure(mean=None, std=None, n=0, min=None, max=None)
    return metric_dict["summary"].get(side, {}).get(metric, missing)


def item_figure(metric_dict: MetricDict, side: str, metric: str) -> ItemFigure | None:
    """Return one test metric over the items of an instance, or None if it is not known."""
    over_items = metric_dict.get("over_items")
    if over_items is None:
        return None
    figures = over_items["figures"]
    return figures.get(side, figures.get("test", {}) if side == "clip_test" else {}).get(metric)


def fold_values(metric_dict: MetricDict, side: str, metric: str) -> dict[int, float]:
    """Return the values of a metric by fold, without folds in which it is undefined."""
    part, of_part = FIGURE_PLACES[side]
    values = {record["fold"]: finite_or_none(record[part].get(of_part, {}).get(metric)) for record in done_records(metric_dict)}
    return {fold: value for fold, value in values.items() if value is not None}


def has_windows(metric_dicts: Iterable[MetricDict]) -> bool:
    """Return whether some instance has several examples per clip, so that clips have figures of their own.

    Sequences of frames do not count as examples here: the figures are those of all frames of a recording.
    """
    return any(
        find_task(metric_dict["task_type"]).target != "frame"
        and record["n_examples"]["test"] > sum(item["n_clips"] for item in record["item_metrics"]["test"].values())
        for metric_dict in metric_dicts
        for record in done_records(metric_dict)
    )


def metric_columns(metric_dicts: Sequence[MetricDict]) -> tuple[tuple[str, str], ...]:
    """Return the (side, metric) pairs that some instance has: test first, of each side the main metrics first, the loss last.

    The other metrics stand in the order of their file. Figures of clips are left out if each clip is one example, and a metric
    that is undefined in every fold and pooled.
    """
    apart = () if has_windows(metric_dicts) else ("clip_test", "clip_validation")
    sides = [side for side in SIDE_NAMES if side not in apart]
    tasks = sorted({metric_dict["task_type"] for metric_dict in metric_dicts})
    main = [name for task in tasks for name in find_task(task).main_metrics]
    known = list(dict.fromkeys([*main, *(name for task in tasks for name in metric_names(task))]))
    columns = []
    for side in sides:
        summaries = [metric_dict["summary"].get(side, {}) for metric_dict in metric_dicts]
        names = {name for summary in summaries for name, values in summary.items() if values["n"]}
        names |= {
            name
            for instance in metric_dicts
            for name in [*known, *instance["further_metrics"]]
            if (over_items := item_figure(instance, side, name)) and over_items["pooled"] is not None
        }
        others = sorted(names - set(known) - {"loss"})
        columns += [(side, name) for name in [*known, *others, "loss"] if name in names]
    return tuple(columns)


def direction(metric_dicts: Sequence[MetricDict], metric: str) -> bool | None:
    """Return whether a higher value of a metric is better; None: not known."""
    task_type = metric_dicts[0]["task_type"]
    if metric == "loss" or metric in metric_names(task_type):
        return higher_is_better(task_type, metric)
    known = (metric_dict["further_metrics"].get(metric) for metric_dict in metric_dicts)
    return next((higher for higher in known if higher is not None), None)


def differing_parameters(parameters: Sequence[Mapping[str, object]]) -> tuple[str, ...]:
    """Return the names of the parameters that differ between instances, in their order in the settings.

    An option that only some architectures have differs. Left out are the comments and the architecture, which have columns of
    their own, the plan of a search, and what belongs to the whole run and cannot change a result (the device, the workers).
    """
    apart = _APART | {"architecture", "search"}
    names = dict.fromkeys(name for of_instance in parameters for name in of_instance)
    return tuple(name for name in names if name not in apart and _differs(name, parameters))


def shown_parameter(metric_dict: MetricDict, name: str, missing: object = None) -> object:
    """Return the value of a parameter as tables show it; ``searched``: by each fold, ``members differ``: in an ensemble."""
    shown = {"search": "searched", MEMBERS_DIFFER: MEMBERS_DIFFER}.get(metric_dict["sources"].get(name, ""))
    return shown or metric_dict["parameters"].get(name, missing)


def chance_level(metric_dicts: Sequence[MetricDict], metric: str, side: str = "test") -> ChanceLevel | None:
    """Return what the best strategy reaches that does not listen, or None if that is undefined or not known yet.

    It is that of `ItemFigure`, in the unit of the side. Where that is not known, as of a metric of the user's own, it is what
    the class shares, or the mean target, of the training examples reach as a constant answer on the test examples. Only the
    instances with most folds count.
    """
    most_done = max((metric_dict["folds_done"] for metric_dict in metric_dicts), default=0)
    furthest = [metric_dict for metric_dict in metric_dicts if metric_dict["folds_done"] == most_done]
    known = [metric_figure for instance in furthest if (metric_figure := item_figure(instance, side, metric))]
    levels = [
        (metric_figure["chance"], metric_figure["strategy"]) for metric_figure in known if metric_figure["chance"] is not None
    ]
    if levels:
        return ChanceLevel(min(levels)[0], max(levels)[0], levels[0][1])
    figures = [figure(metric_dict, "chance", metric) for metric_dict in metric_dicts]
    most = max((metric_figure["n"] for metric_figure in figures), default=0)
    means = [
        metric_figure["mean"] for metric_figure in figures if metric_figure["n"] == most and metric_figure["mean"] is not None
    ]
    return ChanceLevel(min(means), max(means), "a constant answer") if means else None


def _summarise(folds: Sequence[Mapping[str, object]]) -> dict[str, Figure]:
    names = dict.fromkeys(name for fold in folds for name in fold)
    return {name: _figure([finite_or_none(fold.get(name)) for fold in folds]) for name in names}


def _figure(values: Sequence[float | None]) -> Figure:
    numbers = [value for value in values if value is not None]
    return Figure(
        mean=fmean(numbers) if numbers else None,
        std=_deviation(numbers) if len(numbers) > 1 else None,
        n=len(numbers),
        min=min(numbers, default=None),
        max=max(numbers, default=None),
    )


def _deviation(numbers: Sequence[float]) -> float:
    """Return the sample standard deviation, 0 of equal numbers; `statistics.stdev` takes ten times as long, with fractions."""
    shifted = [number - numbers[0] for number in numbers]
    mean = fsum(shifted) / len(shifted)
    return sqrt(fsum([(number - mean) * (number - mean) for number in shifted]) / (len(shifted) - 1))


def _differs(name: str, parameters: Sequence[Mapping[str, object]]) -> bool:
    return any(
        (name in of_instance, of_instance.get(name)) != (name in parameters[0], parameters[0].get(name))
        for of_instance in parameters
    )
