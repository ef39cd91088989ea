"""Rebuild the derived files of an experiment from its fold folders: metrics.json of each instance, and results.xlsx.

Comes in: a results folder. Goes out: the same folder with fresh derived files, written under the lock of the experiment, so
that several runs of one experiment may end at the same time. Damaged files are left out and named.
"""

import gc
import os
from array import array
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from xval.errors import ResultsError, XvalError
from xval.json_files import MOVE_AWAY, part_of, read_json, write_if_changed
from xval.metrics import Metric
from xval.operating_system import flush, quote, replace
from xval.results.added_figures import merge_added, update_added
from xval.results.added_metrics import trained_with
from xval.results.folder import ExperimentFolder
from xval.results.item_figures import OVER_ITEMS_VERSION, OverItems, is_over_items
from xval.results.job_key import JobKey
from xval.results.metric_dict_form import is_metric_dict
from xval.results.read import Curves, WrittenFolds, is_current, read_folds, read_history, read_records, read_settings
from xval.results.repeats import done_jobs, jobs_of
from xval.results.summary import MetricDict, make_metric_dict

_MOST_VALUES_OF_HISTORY = 1_000_000  # 13 MB of metrics.json, which is read whole


@dataclass(frozen=True)
class _Gathered:
    """What was read of an instance.

    Attributes:
        state: Of its files when they were read; see `ExperimentFolder.state`.
        metric_dict: Its metric dict.
        histories: Of its finished jobs.
    """

    state: object
    metric_dict: MetricDict
    histories: Mapping[JobKey, Curves]


class DerivedFiles:
    """The derived files of a results folder; instances that have not changed since the last rebuild are not read again."""

    def __init__(self, folder: ExperimentFolder) -> None:
        self._folder = folder
        self._known: dict[int, _Gathered] = {}

    def rebuild(self) -> list[str]:
        """Write metrics.json of every changed instance, and the workbook; see `rebuild`."""
        from xval.results.workbook import write_workbook

        folder = self._folder
        damaged: list[str] = []
        if not folder.folds_file.exists():
            return damaged  # a run that ended before it had written them
        with folder.lock(), part_of(folder.workbook) as temporary:
            temporary.touch()
            begun_ns = temporary.stat().st_mtime_ns
            folds = read_folds(folder)
            found = [gathered for number in folder.instances() if (gathered := self._gather(number, folds, damaged))]
            if not found:
                return damaged
            histories = {key: history for each in found for key, history in each.histories.items()}
            write_workbook(temporary, [each.metric_dict for each in found], histories)
            flush(temporary)
            os.utime(temporary, ns=(begun_ns, begun_ns))  # so that a fold that has ended since makes it stale
            replace(temporary, folder.workbook)
        return damaged

    def _gather(self, instance: int, folds: WrittenFolds, damaged: list[str]) -> _Gathered | None:
        """Write metrics.json of an instance and return what was read; None if its settings cannot be read."""
        state = (folds.hash, self._folder.state(instance))
        known = self._known.pop(instance, None)
        metrics_file = self._folder.instance_folder(instance) / "metrics.json"
        if known and known.state == state and metrics_file.exists():
            self._known[instance] = known
            return known
        n_damaged = len(damaged)
        metric_dict = _gather(self._folder, instance, folds, damaged, computes_added=True)
        if metric_dict is None:
            return None
        records = jobs_of(metric_dict)
        paths = {key: self._folder.fold_folder(*key) / "history.csv" for key in records}
        histories = {key: found for key, path in paths.items() if (found := _read_history(path, damaged))}
        write_if_changed(metrics_file, {**metric_dict, **_history(histories)}, with_checksum=True)
        done = {key: found for key, found in histories.items() if records[key]["status"] == "done"}
        gathered = _Gathered(state, metric_dict, done)
        if len(damaged) == n_damaged:  # damage is named by every rebuild
            self._known[instance] = gathered
        return gathered


def rebuild(folder: ExperimentFolder) -> list[str]:
    """Write metrics.json of every instance, and the workbook.

    Returns:
        The damaged files that were left out, a line each: records, settings of instances, histories.

    Raises:
        ResultsError: folds.json is damaged.
        OSError: The disk is full or not writable; the old files stay.
    """
    folder.remove_stale_parts()
    with without_collector():
        return DerivedFiles(folder).rebuild()


@contextmanager
def without_collector() -> Iterator[None]:
    """Switch the garbage collector off, which takes a quarter of the time when there are millions of values."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


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


def _history(histories: Mapping[JobKey, Curves]) -> dict[str, object]:
    """Return the histories as metrics.json has them: to six digits, which halves the file; none if they are very long."""
    if sum(len(column) for curves in histories.values() for column in curves.values()) > _MOST_VALUES_OF_HISTORY:
        return {}
    rounded = {
        key.folder_name: {name: [float(f"{value:.6g}") for value in column] for name, column in curves.items()}
        for key, curves in histories.items()
    }
    return {"history": rounded}


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
    found = _gather(folder, instance, read_folds(folder), damaged, over_items=over_items)
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


def _gather(
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
        from xval.results.over_items import measure_over_items  # here, because it loads pandas and scipy

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


def _read_history(path: Path, damaged: list[str]) -> Curves | None:
    """Return a history as arrays, which take little memory; None if there is none, or it is damaged."""
    try:
        return {name: array("d", column) for name, column in read_history(path).items()}
    except FileNotFoundError:
        return None  # a combination has no epochs
    except (OSError, ResultsError) as error:
        named = f"{path}: {error.strerror or error}." if isinstance(error, OSError) else str(error)
        damaged.append(f"{named} Its curves are missing from the workbook.")
        return None
