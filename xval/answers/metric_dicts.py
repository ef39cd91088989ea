"""Metric dicts of instances: gathered from the records of their folds, or read from metrics.json as a run left it.

Comes in: a results folder. Goes out: a `MetricDict` for each instance; damaged files are left out and named.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from xval.answers.item_figures import OVER_ITEMS_VERSION, OverItems, is_over_items
from xval.answers.metric_dict_form import is_metric_dict
from xval.answers.repeats import done_jobs
from xval.answers.summary import MetricDict, make_metric_dict
from xval.base.errors import ResultsError, XvalError
from xval.base.garbage_collection import without_collector
from xval.base.json_files import MOVE_AWAY, read_json
from xval.base.operating_system import quote
from xval.measures.metrics import Metric
from xval.results.added_figures import merge_added, update_added
from xval.results.added_metrics import trained_with
from xval.results.folder import ExperimentFolder
from xval.results.read import WrittenFolds, is_current, read_folds, read_records, read_settings


def read_metric_dicts(folder: ExperimentFolder, instances: list[int]) -> list[MetricDict]:
    """Return the metric dicts of the instances that have one, without their histories, which would fill the memory.

    Raises:
        ResultsError: A metrics.json is damaged.
    """
    found = []
    with without_collector():
        for instance in instances:
            path = folder.instance_folder(instance) / "metrics.json"
            again = f"Make it again: python -m xval rebuild {quote(str(folder.path))}"
            try:
                metric_dict = read_json(path)
            except ResultsError as error:
                raise ResultsError(f"{str(error).removesuffix(MOVE_AWAY)}{again}") from error
            if metric_dict:
                if not is_metric_dict(metric_dict):
                    raise ResultsError(f"{path}: no metric dict. {again}")
                metric_dict.pop("history", None)
                found.append(cast("MetricDict", metric_dict))
    return found


def gather_metrics(folder: ExperimentFolder, instance: int, *, over_items: bool = True) -> MetricDict | None:
    """Return the metric dict of an instance from its fold records, or None if it has not been planned; nothing is written.

    Args:
        folder: The results folder.
        instance: Number of the instance.
        over_items: With the figures over items, for which predictions may have to be read.

    Raises:
        ResultsError: A file is damaged.
    """
    damaged: list[str] = []
    found = gather(folder, instance, read_folds(folder), damaged, over_items=over_items)
    if damaged:
        raise ResultsError("\n".join(damaged))
    return found


def gather_finished(folder: ExperimentFolder, *, over_items: bool = True) -> list[MetricDict]:
    """Return the metric dicts of the instances that have a finished fold, as `gather_metrics` does.

    Raises:
        ResultsError: A file is damaged, or no fold is finished.
    """
    gathered = (gather_metrics(folder, instance, over_items=over_items) for instance in folder.instances())
    found = [metric_dict for metric_dict in gathered if metric_dict and metric_dict["folds_done"]]
    if not found:
        raise ResultsError(f"{folder.path}: no fold is finished, so there is no best instance. Run the experiment first.")
    return found


def gather(
    folder: ExperimentFolder,
    instance: int,
    folds: WrittenFolds,
    damaged: list[str],
    *,
    over_items: bool = True,
    computes_added: bool = False,
) -> MetricDict | None:
    """Return the metric dict of the readable records, and note what is wrong with the others.

    With `computes_added`, figures of added metrics that are not stored yet are computed and stored.
    """
    if not folder.has_begun(instance):
        return None
    try:
        settings = read_settings(folder, instance)
    except ResultsError as error:
        damaged.append(str(error))
        return None
    found, damaged_records = read_records(folder, instance)
    damaged += damaged_records.values()
    current = {
        key: record for key, record in found.items() if is_current(record, settings.settings_hash, folds.hash_of(key.fold))
    }
    added: Mapping[str, Metric] = {}
    try:
        if computes_added:
            added = update_added(folder, settings, current, damaged)
        current = merge_added(folder, instance, current)
    except ResultsError as error:
        damaged.append(str(error))
    metric_dict = make_metric_dict(settings, current.values(), folds_total=len(folds.numbers), deals=folds.plan.n_deals)
    if over_items and metric_dict["folds_done"]:
        _add_over_items(folder, metric_dict, damaged, added if computes_added else None)
    return metric_dict


def _add_over_items(
    folder: ExperimentFolder, metric_dict: MetricDict, damaged: list[str], added: Mapping[str, Metric] | None
) -> None:
    """Add the figures over items: those of metrics.json, where that has the same records; otherwise computed.

    Added metrics, and the user's own of the instance, are among them if all finished jobs have them; None: neither.
    """
    instance = metric_dict["instance"]
    known = _known_over_items(folder.instance_folder(instance) / "metrics.json", metric_dict)
    if known is None:
        from xval.answers.over_items import measure_over_items  # here, because it loads pandas and scipy

        done = done_jobs(metric_dict)
        folders = {key: folder.fold_folder(*key) for key in done}
        tested = [record["metrics"].get("test", {}) for record in done.values()]
        if added is not None:
            added = trained_with(metric_dict["task_type"], str(metric_dict["parameters"].get("metrics")), damaged) | {**added}
        further = {name: metric for name, metric in (added or {}).items() if all(name in of_job for of_job in tested)}
        for chosen in (further, {}) if further else ({},):  # a fault of the user's metric costs its own figures alone
            try:
                known = measure_over_items(metric_dict, folders, chosen)
                break
            except (XvalError, OSError) as error:
                of = f"{', '.join(chosen)} of " if chosen else ""
                damaged.append(f"{error} The pooled figures of {of}instance {instance} are missing.")
        if known is None:
            return
    metric_dict["over_items"] = known


def _known_over_items(metrics_file: Path, metric_dict: MetricDict) -> OverItems | None:
    """Return the figures over items in metrics.json if it has the same records."""
    try:
        old = read_json(metrics_file) or {}
    except ResultsError:
        return None  # it is written anew
    found: Any = old.get("over_items")
    if not is_over_items(found) or any(old.get(name) != metric_dict.get(name) for name in ("folds", "repeats")):
        return None
    return cast("OverItems", found) if found["version"] == OVER_ITEMS_VERSION and not found["missing"] else None
