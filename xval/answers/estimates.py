"""What is computed from the predictions of an instance: figures of further metrics, and figures over items.

Comes in: an experiment. Goes out: both, and estimates.json of the instance, which keeps them with the records and predictions
that they are of. What is not there, or is of others, is computed anew.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from xval.answers.item_figures import OVER_ITEMS_VERSION, OverItems
from xval.answers.repeats import done_jobs
from xval.answers.summary import MetricDict
from xval.base.errors import ResultsError, XvalError
from xval.base.json_files import JsonObject
from xval.base.numbers import finite_or_none
from xval.measures import metrics
from xval.measures.metrics import Metric
from xval.measures.task import find_task
from xval.results.added_metrics import AddedMetric, load_metric, trained_with
from xval.results.estimates_file import Estimates, is_of, write_estimates
from xval.results.open import OpenResults
from xval.results.read import Record, WrittenInstance

if TYPE_CHECKING:
    from numpy.typing import NDArray


def update_further(results: OpenResults, instance: int, damaged: list[str]) -> dict[str, Metric]:
    """Compute and keep the figures of the metrics that were asked for, where they are not known, or of another source.

    Args:
        results: Of the experiment.
        instance: Number of the instance.
        damaged: Is given a line for what cannot be computed.

    Returns:
        The metrics, by name.

    Raises:
        OSError: The disk is full or not writable.
    """
    try:
        written, requested = results.settings(instance), results.requested_metrics
    except ResultsError:
        return {}  # named by the reader of records
    current = results.current(instance, results.records(instance)[0])
    done = {key: record for key, record in current.items() if record["status"] == "done"}
    loaded: dict[str, AddedMetric | None] = {}
    for name in requested if done else ():
        short = name.rpartition(".")[2]
        try:
            loaded[short] = load_metric(written.settings.task_type, name)
        except XvalError as error:
            loaded[short] = None  # what is kept of it stays
            damaged.append(f"{error} New figures of {short} of instance {instance} are missing.")
    if not loaded:
        return {}
    old = _kept(results, instance)
    further: JsonObject = {}
    for key, record in done.items():
        source = results.source(key)
        known = old.further.get(key.folder_name)
        known = known["figures"] if known and is_of(known["of"], source) else {}
        figures: JsonObject = {}
        for name, added in loaded.items():
            if name in record["metrics"].get("test", {}):
                continue
            if name in known and (added is None or known[name]["version"] == added.version):
                figures[name] = known[name]
            elif added:
                predictions = results.folder.fold_folder(*key) / "predictions.parquet"
                try:
                    figures[name] = _measure(written, record, predictions, added)
                except FileNotFoundError:
                    damaged.append(f"{predictions}: missing, so that {name} of this fold is missing, too.")
                except XvalError as error:
                    damaged.append(f"{error} {name} of {key} is missing.")
        further[key.folder_name] = {"of": source, "figures": figures}
    _keep(results, instance, old, Estimates(further, old.over_items))
    return {name: added.metric for name, added in loaded.items() if added}


def over_items_of(
    results: OpenResults, metric_dict: MetricDict, damaged: list[str], further: Mapping[str, Metric] | None
) -> OverItems | None:
    """Return the figures over items of the finished jobs; None: they cannot be computed.

    Further metrics, and the user's own of the instance, are among them if all finished jobs have them.

    Args:
        results: Of the experiment.
        metric_dict: Of an instance, without figures over items.
        damaged: Is given a line for what cannot be computed.
        further: The metrics that were asked for, to keep what is computed; None: nothing is written, and neither these nor the
            user's own are computed.
    """
    instance = metric_dict["instance"]
    old = _kept(results, instance)
    done = done_jobs(metric_dict)
    jobs = {key.folder_name: results.source(key) | {"further": done[key].get("added_metrics", {})} for key in done}
    if old.over_items and _is_known(old.over_items["of"], jobs):
        return cast("OverItems", old.over_items["figures"])
    if further is None:
        computed, faults = results.once(("over items", instance), jobs, partial(_compute, results, metric_dict, None))
    else:
        computed, faults = _compute(results, metric_dict, further)
        if computed:
            over_items = {"of": {"version": OVER_ITEMS_VERSION, "jobs": jobs}, "figures": computed}
            _keep(results, instance, old, Estimates(old.further, over_items))
    damaged += faults
    return computed


def kept_jobs(results: OpenResults, instance: int) -> list[str]:
    """Return the names of the folders of the jobs that the kept figures over items are of."""
    return list(_kept(results, instance).over_items.get("of", {"jobs": {}})["jobs"])


def _is_known(of: Mapping[str, Any], jobs: Mapping[str, Any]) -> bool:
    """Return whether figures were computed by this version of the code, of these jobs."""
    if of["version"] != OVER_ITEMS_VERSION or of["jobs"].keys() != jobs.keys():
        return False
    return all(is_of(known, jobs[name]) and known["further"] == jobs[name]["further"] for name, known in of["jobs"].items())


def _compute(
    results: OpenResults, metric_dict: MetricDict, further: Mapping[str, Metric] | None
) -> tuple[OverItems | None, list[str]]:
    """Return the figures over items of an instance, and what is wrong."""
    from xval.answers.over_items import measure_over_items  # here, because it loads pandas and scipy

    faults: list[str] = []
    done = done_jobs(metric_dict)
    folders = {key: results.folder.fold_folder(*key) for key in done}
    tested = [record["metrics"].get("test", {}) for record in done.values()]
    if further is not None:
        own = trained_with(metric_dict["task_type"], str(metric_dict["parameters"].get("metrics")), faults)
        further = {name: metric for name, metric in {**own, **further}.items() if all(name in of_job for of_job in tested)}
    for chosen in (further, {}) if further else ({},):  # a fault of the user's metric costs its own figures alone
        try:
            return measure_over_items(metric_dict, folders, chosen), faults
        except (XvalError, OSError) as error:
            of = f"{', '.join(chosen)} of " if chosen else ""
            faults.append(f"{error} The pooled figures of {of}instance {metric_dict['instance']} are missing.")
    return None, faults


def _kept(results: OpenResults, instance: int) -> Estimates:
    """Return what is kept of an instance; nothing of a file that is damaged."""
    try:
        return results.kept_estimates(instance)
    except ResultsError:
        return Estimates({}, {})


def _keep(results: OpenResults, instance: int, old: Estimates, new: Estimates) -> None:
    if new != old:
        write_estimates(results.folder.estimates_file(instance), new)


def _measure(written: WrittenInstance, record: Record, path: Path, added: AddedMetric) -> JsonObject:
    """Return the figures of a job: of examples, of clips, of the clips of each test item; None: undefined."""
    from xval.results.tested_examples import read_fold  # here, because it loads pandas

    task = find_task(written.settings.task_type, str(written.parameters.get("label_form", "multi_class")))

    def measure(targets: "NDArray[Any]", predictions: "NDArray[Any]") -> float | None:
        return finite_or_none(metrics.measure(task.name, targets, predictions, {added.name: added.metric})[added.name])

    clip_average = None if task.is_framewise else written.settings.clip_average
    parts = read_fold(task, record["fold"], path, record.get("class_names", []), clip_average)
    clips = parts["clip_metrics"]["test"]
    by_item = zip(clips.names, clips.rows, strict=True)
    return {
        "version": added.version,
        "higher_is_better": added.metric.higher_is_better,
        **{
            part: {side: measure(examples.targets, examples.predictions) for side, examples in sides.items()}
            for part, sides in parts.items()
        },
        "item_metrics": {item: measure(clips.targets[rows], clips.predictions[rows]) for item, rows in by_item},
    }
