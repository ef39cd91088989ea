"""What is computed from the predictions of an instance: figures of further metrics, and figures over items.

Comes in: an experiment. Goes out: both, and estimates.json of the instance, which keeps them with the records and predictions
that they are of. What is not there, or is of others, is computed anew.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from xval.base.errors import ResultsError, XvalError
from xval.base.json_files import JsonObject
from xval.base.numbers import finite_or_none
from xval.base.user_code import imports
from xval.base.user_code.modules import looking_in
from xval.measures import metrics
from xval.measures.metrics import Metric
from xval.results.added_metrics import AddedMetric, load_metric, trained_with, version_of
from xval.results.estimates_file import Estimates, write_estimates
from xval.results.instance import InstanceResults
from xval.results.item_figures import OVER_ITEMS_VERSION, ItemFigure, OverItems
from xval.results.job_key import JobKey
from xval.results.open import OpenResults, open_results
from xval.results.read import Record, WrittenInstance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xval.measures.statistics.intervals import Bootstrap

Measured = TypeVar("Measured", bound=InstanceResults)


def update_further(results: OpenResults, instance: int, damaged: list[str]) -> dict[str, Metric]:
    """Compute and keep the figures of the metrics that were asked for, where they are not known, or of another source.

    Args:
        results: Of the experiment.
        instance: Its number.
        damaged: Is given a line for what cannot be computed.

    Returns:
        The metrics, by name.
    """
    state = results.folder.state(instance)
    try:
        written, requested = results.settings(instance), results.requested_metrics
    except ResultsError:
        return {}  # named by the reader of records
    current = results.current(instance, results.records(instance)[0])
    done = {key: record for key, record in current.items() if record["status"] == "done"}
    if not done or not requested:
        return {}
    loaded, errors = load_requested(results, instance)
    for name, error in errors.items():
        short = name.rpartition(".")[2]
        loaded[short] = None  # what is kept of it stays
        if not _has_figures(results, instance, done, name):
            damaged.append(f"{error} New values of {short} of instance {instance} are missing.")
    old = _kept(results, instance)
    further: JsonObject = {}
    for key, record in done.items():
        kept = old.further.get(key.folder_name)
        if not kept or not results.is_source(kept["of"], key):
            kept = {"of": results.source(key), "figures": {}}
        known, figures = kept["figures"], dict[str, Any]()
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
        further[key.folder_name] = {"of": kept["of"], "figures": figures}
    _keep(results, instance, state, Estimates(further, old.over_items))
    return {name: added.metric for name, added in loaded.items() if added}


def with_bootstrap(instance: Measured, bootstrap: "Bootstrap", only: Collection[str] | None = None) -> Measured:
    """Return an instance whose intervals over items are those of a bootstrap; nothing is kept, as it takes seconds a metric.

    Args:
        instance: With figures over items.
        bootstrap: Which kind.
        only: Metrics of the task; the others, as all that no predictions give, have no interval then. None: all.

    Raises:
        ResultsError: What is wrong with the predictions or a metric of the user's own.
    """
    if instance.over_items is None:
        return instance
    with looking_in(instance.written.own_folders):
        names = open_results(instance.experiment).requested_metrics
        asked = {name.rpartition(".")[2]: load_metric(instance.task.name, name).metric for name in names}
    computed, faults = compute_over_items(instance, asked, bootstrap, only)
    if computed is None or faults:
        raise ResultsError("\n".join(faults))
    figures = {
        side: {
            name: _with_ends(figure, _drawn(computed["figures"].get(side, {}).get(name))) for name, figure in of_side.items()
        }
        for side, of_side in instance.over_items["figures"].items()
    }
    return replace(instance, over_items=instance.over_items | {"figures": figures})


def _drawn(figure: ItemFigure | None) -> ItemFigure | None:
    """Return a figure whose interval is of the bootstrap, or the exact limit of a value at its bound; None: another one."""
    method = str(figure and figure["method"])
    return figure if method.endswith("bootstrap") or method == "exact limit" else None


def _with_ends(figure: ItemFigure, other: ItemFigure | None) -> ItemFigure:
    """Return a figure with the interval of another; None: without one."""
    ends = {name: other and other[name] for name in ("low", "high", "method", "covers")}
    return cast("ItemFigure", figure | ends)


def load_requested(results: OpenResults, instance: int) -> tuple[dict[str, AddedMetric | None], dict[str, XvalError]]:
    """Return the metrics that were asked for, by the names of their figures; and errors by the names that were asked for."""
    loaded, errors = dict[str, AddedMetric | None](), dict[str, XvalError]()
    for name in results.requested_metrics:
        try:
            with looking_in(results.own_folders(instance)):
                added = load_metric(results.settings(instance).settings.task_type, name)
                loaded[added.name] = added
        except XvalError as error:
            errors[name] = error
    return loaded, errors


def _has_figures(results: OpenResults, instance: int, done: Iterable[JobKey], written: str) -> bool:
    """Return whether the figures of a metric of the user's own are kept of all finished jobs, and are of its present source."""
    kept, short = _kept(results, instance).further, written.rpartition(".")[2]
    try:
        with looking_in(results.own_folders(instance)):
            version = version_of(written)
    except XvalError:
        return False
    known = [kept.get(key.folder_name, {}).get("figures", {}).get(short, {}).get("version") for key in done]
    return all(of_job == version for of_job in known)


def over_items_of(
    results: OpenResults,
    instance: InstanceResults,
    state: object,
    damaged: list[str],
    further: Mapping[str, Metric] | None,
) -> OverItems | None:
    """Return the figures over items of the finished jobs; None: they cannot be computed.

    Further metrics, and the user's own of the instance, are among them if all finished jobs have them.

    Args:
        results: Of the experiment.
        instance: Without figures over items.
        state: Of the files of the instance before its records were read, as of `ExperimentFolder.state`.
        damaged: Is given a line for what cannot be computed.
        further: The metrics that were asked for, to keep what is computed; None: nothing is written, and neither these nor the
            user's own are computed.
    """
    number, done = instance.number, instance.done
    old = _kept(results, number)
    if old.over_items and _is_known(results, old.over_items["of"], done):
        return cast("OverItems", old.over_items["figures"])
    if further is None:
        computed, faults = results.once(("over items", number), state, partial(compute_over_items, instance, None))
    else:
        jobs = {key.folder_name: source_of_figures(results, key, record) for key, record in done.items()}
        computed, faults = compute_over_items(instance, further)
        if computed and is_worth_keeping(faults):
            over_items = {"of": {"version": OVER_ITEMS_VERSION, "jobs": jobs}, "figures": computed}
            _keep(results, number, state, Estimates(old.further, over_items))
    damaged += faults
    return computed


def kept_jobs(results: OpenResults, instance: int) -> list[str]:
    """Return the names of the folders of the jobs that the kept figures over items are of."""
    return list(_kept(results, instance).over_items.get("of", {"jobs": {}})["jobs"])


def _is_known(results: OpenResults, of: Mapping[str, Any], done: Mapping[JobKey, Record]) -> bool:
    """Return whether figures were computed by this version of the code, of these jobs."""
    jobs = of["jobs"]
    if of["version"] != OVER_ITEMS_VERSION or jobs.keys() != {key.folder_name for key in done}:
        return False
    return all(is_source_of_figures(results, jobs[key.folder_name], key, record) for key, record in done.items())


def source_of_figures(results: OpenResults, key: JobKey, record: Record) -> JsonObject:
    """Return what figures over items are of: the files of a job, and the versions of the metrics that were added to it."""
    return results.source(key) | {"further": record.get("added_metrics", {})}


def is_source_of_figures(results: OpenResults, known: Mapping[str, Any], key: JobKey, record: Record) -> bool:
    """Return whether `known`, of `source_of_figures`, is of a job as it is now."""
    return bool(known["further"] == record.get("added_metrics", {})) and results.is_source(known, key)


def is_worth_keeping(faults: Sequence[str]) -> bool:
    """Return whether figures are all that can be known; code that was not named here may be named by another call."""
    return not (faults and imports.is_restricted())


def compute_over_items(
    instance: InstanceResults,
    further: Mapping[str, Metric] | None,
    bootstrap: "Bootstrap | None" = None,
    only: Collection[str] | None = None,
) -> tuple[OverItems | None, list[str]]:
    """Return the figures over items of an instance, or of the jobs that folds choose among several; and what is wrong.

    Args:
        instance: With its finished jobs.
        further: Metrics that were asked for; the user's own of the instance are added. None: neither of them.
        bootstrap: Which kind intervals are of; None: none.
        only: As of `with_bootstrap`.
    """
    from xval.answers.over_items import measure_over_items  # here, because it loads pandas and scipy

    faults: list[str] = []
    tested = [record["metrics"].get("test", {}) for record in instance.done.values()]
    if further is not None:
        with looking_in(instance.written.own_folders):
            class_names = next(iter(instance.done.values()), {}).get("class_names", [])
            positive = instance.settings.positive_number(class_names)
            own = trained_with(instance.task.name, str(instance.parameters.get("metrics")), positive, faults)
        further = {name: metric for name, metric in {**own, **further}.items() if all(name in of_job for of_job in tested)}
    for chosen in (further, {}) if further else ({},):  # a fault of the user's metric costs its own figures alone
        try:
            names = None if only is None else [*only, *(chosen or ())]
            return measure_over_items(instance, chosen, bootstrap, names), faults
        except (XvalError, OSError) as error:
            whose = f"{', '.join(chosen)} of " if chosen else ""
            faults.append(f"{error} The pooled values of {whose}instance {instance.number} are missing.")
    return None, faults


def _kept(results: OpenResults, instance: int) -> Estimates:
    """Return what is kept of an instance; nothing of a file that is damaged or cannot be read."""
    try:
        return results.kept_estimates(instance)
    except (ResultsError, OSError):
        return Estimates({}, {})


def _keep(results: OpenResults, instance: int, state: object, estimates: Estimates) -> None:
    """Write estimates that are not there yet, unless the files of a job have changed since that state."""
    if estimates != _kept(results, instance) and results.folder.state(instance) == state:
        write_estimates(results.folder.estimates_file(instance), estimates)


def _measure(written: WrittenInstance, record: Record, path: Path, added: AddedMetric) -> JsonObject:
    """Return the figures of a job: of examples, of clips, of the clips of each test item; None: undefined."""
    from xval.results.tested_examples import read_fold  # here, because it loads pandas

    task = written.task

    def measure(targets: "NDArray[Any]", predictions: "NDArray[Any]") -> float | None:
        return finite_or_none(metrics.measure(task.name, targets, predictions, {added.name: added.metric})[added.name])

    averaging = None if task.target == "frame" else written.settings.averaging
    parts = read_fold(task, record["fold"], path, record.get("class_names", []), averaging)
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
