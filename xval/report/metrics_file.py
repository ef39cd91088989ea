"""The content of metrics.json: all scores of an instance in one dict for users' scripts; xval never reads it."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from xval.answers.repeats import components_of
from xval.base.json_files import FORMAT_VERSION
from xval.results.instance import InstanceResults, mean_of
from xval.results.read import Record
from xval.results.scores import N_CLIPS, SIDES, Scores

_OF_FIRST = ("items", "n_examples")  # train_fraction trains each repeat on other items, as many
_AVERAGED = ("metrics", "clip_metrics", "item_metrics", "chance", "confusion_matrix")


def metrics_content(instance: InstanceResults) -> dict[str, Any]:
    """Return the content of metrics.json without the histories; docs/results.md describes its entries."""
    jobs = {
        key: record | _in_dicts(instance.scores[key], record) if key in instance.done else record
        for key, record in instance.jobs.items()
    }
    by_fold: dict[int, list[Record]] = {}
    for key, record in jobs.items():
        by_fold.setdefault(key.fold, []).append(record)
    over_folds = {side: {name: instance.over_folds(side, name) for name in instance.metrics(side)} for side in SIDES}
    content = {
        "format_version": FORMAT_VERSION,
        "instance": instance.number,
        "description": instance.written.description,
        "task_type": instance.settings.task_type,
        "monitor": instance.settings.monitor,
        "further_metrics": instance.further_metrics,
        "parameters": instance.parameters,
        "sources": instance.written.sources,
        "cautions": instance.written.cautions,
        "folds_total": instance.n_folds,
        "deals": instance.n_fold_repeats,
        "folds_done": len(instance.folds),
        "folds_failed": len(instance.failed_folds),
        "folds": {str(fold): _mean_record(records) for fold, records in by_fold.items()},
        "summary": over_folds,
        "seconds": instance.seconds,
        "n_parameters": instance.n_parameters,
    }
    if instance.n_fold_repeats == 1:
        del content["deals"]
    if instance.n_repeats > 1:
        content |= {
            "jobs_total": instance.n_jobs,
            "jobs_done": len(instance.done),
            "repeats": list(jobs.values()),
            "components": {side: _components(instance, side) for side in SIDES if side != "chance"},
        }
    return content | ({"over_items": instance.over_items} if instance.over_items else {})


def _in_dicts(scores: Scores, record: Record) -> dict[str, Any]:
    """Return the scores of a finished job as nested dicts: kind of score, side, metric."""
    items = {item: {**metrics, N_CLIPS: int(metrics[N_CLIPS])} for item, metrics in scores.items.items()}
    content: dict[str, Any] = {
        "metrics": {side: scores.side(side) for side in ("training", "validation", "test")},
        "clip_metrics": {side: scores.side(f"clip_{side}") for side in ("validation", "test")},
        "item_metrics": {"test": items},
        "chance": {"test": scores.side("chance")},
    }
    if scores.added:
        directions = {name: added.higher_is_better for name, added in scores.added.items()}
        content |= {
            "further_metrics": record.get("further_metrics", {}) | directions,
            "added_metrics": {name: added.version for name, added in scores.added.items()},
        }
    return content


def _components(instance: InstanceResults, side: str) -> dict[str, dict[str, float | None]]:
    metric_components = {name: components_of(instance, side, name) for name in instance.metrics(side)}
    return {
        name: {part: value if isfinite(value) else None for part, value in components._asdict().items()}
        for name, components in metric_components.items()
        if components
    }


def _mean_record(records: Sequence[Record]) -> Record:
    """Return the record of a fold with several seeds: scores and confusion counts are averaged over their defined values.

    Only finished jobs count. Seconds are added; items and numbers of examples are those of the first job; other facts are kept
    if they agree.
    """
    if len(records) == 1:
        return records[0]
    counted = [record for record in records if record["status"] == "done"] or records[:1]
    first = counted[0]
    agreed = {name: value for name, value in first.items() if all(name in other and other[name] == value for other in counted)}
    scores = {name: _mean([record[name] for record in counted]) for name in _AVERAGED if name in first}
    first_values = {name: first[name] for name in _OF_FIRST if name in first}
    return first_values | agreed | scores | {"seconds": sum(record["seconds"] for record in records)}


def _mean(values: Sequence[Any]) -> Any:
    """Return the mean of defined numbers; the entry-wise mean of dicts and lists; the first one of other values."""
    first = values[0]
    if isinstance(first, Mapping):
        names = dict.fromkeys(name for value in values for name in value)
        return {name: _mean([value[name] for value in values if name in value]) for name in names}
    if isinstance(first, list):
        return [_mean(entries) for entries in zip(*values, strict=True)]
    numbers = [value for value in values if isinstance(value, int | float) and isfinite(value)]
    return mean_of(numbers) if numbers else first
