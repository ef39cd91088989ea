"""Repeats of a fold, which differ in their seed alone: averaged within the fold, and never chosen among.

Comes in: the records of jobs, or metric dicts. Goes out: a record for each fold; figures by fold and repeat, with the variance
between folds apart from that between seeds; and the instances that ought to have been repeats, because they differ in their
seed alone. The reasons, with measurements: Bouthillier et al., Accounting for variance in machine learning benchmarks, 2021.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite, nan, sqrt
from statistics import fmean
from typing import TYPE_CHECKING, Any

from xval.results.job_key import JobKey
from xval.results.read import FIGURE_PLACES, Record
from xval.settings.parameters import hash_parameters
from xval.settings.resolve import describe_numbers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from xval.answers.metric_dict import MetricDict

_OF_FIRST = ("items", "n_examples")  # train_fraction trains each repeat on other items, as many
_FIGURES = ("metrics", "clip_metrics", "item_metrics", "chance", "confusion_matrix")


def repeat_of(record: Mapping[str, Any]) -> int:
    """Return which training of its fold a record tells of, from 1."""
    return int(record.get("repeat", 1))


def average_repeats(records: Iterable[Record]) -> list[Record]:
    """Return a record for each fold, by number.

    A fold with one record keeps it. Of several, those that are done count: their figures and confusion counts are averaged,
    each over the repeats in which it is defined; the seconds of all are added; items and numbers of examples are those of the
    first; other facts are kept where they agree.
    """
    by_fold: dict[int, list[Record]] = {}
    for record in _sorted(records):
        by_fold.setdefault(int(record["fold"]), []).append(record)
    return [_average(of_fold) for of_fold in by_fold.values()]


def repeats_content(records: Sequence[Record], *, folds_total: int, repeats: int) -> dict[str, Any]:
    """Return what a metric dict says of repeats; nothing where each fold is trained once.

    Args:
        records: Of the jobs of an instance so far, done and failed.
        folds_total: Number of folds of the experiment, in all deals together.
        repeats: The setting; more where a record is of a later repeat.

    Returns:
        jobs_total and jobs_done; repeats, the records by fold and repeat; and components: by side and metric the `Components`
        of `xval.measures.statistics.components`, None for NaN.
    """
    most = max([repeats, *map(repeat_of, records)])
    if most == 1:
        return {}
    components: dict[str, dict[str, Any]] = {}
    for side in (side for side in FIGURE_PLACES if side != "chance"):
        names = dict.fromkeys(name for record in records for name in _of_side(record, side))
        components[side] = {
            name: of_metric for name in names if (of_metric := _components(repeat_figures(records, side, name)))
        }
    return {
        "jobs_total": most * folds_total,
        "jobs_done": sum(record["status"] == "done" for record in records),
        "repeats": [dict(record) for record in _sorted(records)],
        "components": components,
    }


def repeat_figures(records: Sequence[Record], side: str, metric: str) -> "NDArray[np.float64]":
    """Return a metric of a side by fold and repeat.

    Args:
        records: Of the jobs of an instance.
        side: One of `FIGURE_PLACES`.
        metric: As the records name it.

    Returns:
        float64 (n_folds, n_repeats), the folds with a record in their order; NaN: not done, or undefined.
    """
    import numpy as np

    folds = sorted({int(record["fold"]) for record in records})
    figures = np.full((len(folds), max(map(repeat_of, records), default=0)), nan)
    for record in records:
        defined = _defined([_of_side(record, side).get(metric)])
        figures[folds.index(int(record["fold"])), repeat_of(record) - 1] = defined[0] if defined else nan
    return figures


def jobs_of(metric_dict: "MetricDict") -> dict[JobKey, Record]:
    """Return the record of each job of an instance, done and failed, by fold and repeat."""
    records = metric_dict.get("repeats") or _sorted(metric_dict["folds"].values())
    return {JobKey(metric_dict["instance"], int(record["fold"]), repeat_of(record)): record for record in records}


def done_jobs(metric_dict: "MetricDict") -> dict[JobKey, Record]:
    """Return the record of each finished job of an instance, by fold and repeat."""
    return {key: record for key, record in jobs_of(metric_dict).items() if record["status"] == "done"}


def describe_components(metric_dict: "MetricDict", side: str, metric: str) -> str:
    """Return how much a figure differs between folds and between seeds; nothing where that is not known."""
    parts = metric_dict.get("components", {}).get(side, {}).get(metric)
    if not parts or parts["seed"] is None or parts["fold"] is None:
        return ""
    return (
        f"{metric} {parts['mean']:.3f}; standard deviation {sqrt(parts['fold']):.3f} between folds, {sqrt(parts['seed']):.3f} "
        f"between seeds within a fold ({parts['n_folds']} folds, {parts['n_repeats']:.3g} repeats)"
    )


def seed_twins(parameters: Mapping[int, Mapping[str, object]]) -> list[tuple[int, ...]]:
    """Return the numbers of instances that differ in their seed alone (and their comments), a tuple per group of several."""
    if len({of_instance.get("seed") for of_instance in parameters.values()}) < 2:
        return []
    alike: dict[str, dict[int, object]] = {}
    for number, of_instance in parameters.items():
        others = {name: value for name, value in of_instance.items() if name != "seed"}
        alike.setdefault(hash_parameters(others), {})[number] = of_instance.get("seed")
    return [tuple(sorted(seeds)) for seeds in alike.values() if len(set(seeds.values())) > 1]


def describe_seed_twins(group: Sequence[int]) -> str:
    """Return two sentences on one group of `seed_twins`: what they are, and what to declare instead."""
    return (
        f"Instances {describe_numbers(group)} differ in their seed alone: they are repeats of one method, have one rank by "
        f"their common mean, and none is better. Declare one instance with repeats = {len(group)} instead."
    )


def parameters_of(metric_dicts: Iterable["MetricDict"]) -> dict[int, dict[str, object]]:
    """Return the parameters of each instance of which a fold is finished, by its number."""
    return {metric_dict["instance"]: metric_dict["parameters"] for metric_dict in metric_dicts if metric_dict["folds_done"]}


def _sorted(records: Iterable[Record]) -> list[Record]:
    return sorted(records, key=lambda record: (int(record["fold"]), repeat_of(record)))


def _average(records: Sequence[Record]) -> Record:
    if len(records) == 1:
        return records[0]
    counted = [record for record in records if record["status"] == "done"] or records[:1]
    first = counted[0]
    agreed = {name: value for name, value in first.items() if all(name in other and other[name] == value for other in counted)}
    figures = {name: average([record[name] for record in counted]) for name in _FIGURES if name in first}
    return (
        {name: first[name] for name in _OF_FIRST if name in first}
        | agreed
        | figures
        | {"seconds": sum(record["seconds"] for record in records)}
    )


def average(values: Sequence[Any]) -> Any:
    """Return the mean of numbers that are defined; of dicts and lists that of each entry; of anything else the first."""
    if len(values) == 1:
        return values[0]
    first = values[0]
    if isinstance(first, Mapping):
        names = dict.fromkeys(name for value in values for name in value)
        return {name: average([value[name] for value in values if name in value]) for name in names}
    if isinstance(first, list):
        return [average(entries) for entries in zip(*values, strict=True)]
    numbers = _defined(values)
    return fmean(numbers) if len(set(numbers)) > 1 else (numbers or values)[0]


def _defined(values: Iterable[object]) -> list[float]:
    """Return the values that are numbers, neither NaN nor infinite."""
    return [value for value in values if isinstance(value, int | float) and isfinite(value)]


def _of_side(record: Record, side: str) -> Mapping[str, Any]:
    part, of_part = FIGURE_PLACES[side]
    return record.get(part, {}).get(of_part, {})  # type: ignore[no-any-return]


def _components(figures: "NDArray[np.float64]") -> dict[str, float | None]:
    import numpy as np

    from xval.measures.statistics.components import variance_components

    if np.isnan(figures).all():
        return {}
    return {name: value if isfinite(value) else None for name, value in variance_components(figures)._asdict().items()}
