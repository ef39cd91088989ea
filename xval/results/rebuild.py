"""Rebuild the derived files of an experiment from its fold folders: each instance's metrics.json, and results.xlsx.

Comes in: a results folder. Goes out: the same folder with fresh derived files, written whole under the lock of the experiment,
so that several runs of one experiment may end at the same time. What is damaged is left out and named, so that it does not keep
the rest from being rebuilt.
"""

import csv
import gc
import os
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xval.errors import ResultsError
from xval.json_files import flush, part_of, read_json, write_if_changed
from xval.results.folder import ExperimentFolder
from xval.results.read import WrittenFolds, read_folds, read_records, read_settings
from xval.results.summary import make_metric_dict

History = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class _Gathered:
    """What was read of an instance.

    Attributes:
        state: What its files were then: changed when one of them has.
        metric_dict: Its metric dict.
        histories: Columns of history.csv of its finished folds.
    """

    state: object
    metric_dict: dict[str, Any]
    histories: Mapping[int, History]


class DerivedFiles:
    """The derived files of an experiment; what has not changed since the last time is neither read nor written again.

    Args:
        folder: The results folder.
    """

    def __init__(self, folder: ExperimentFolder) -> None:
        self._folder = folder
        self._known: dict[int, _Gathered] = {}

    def rebuild(self) -> list[str]:
        """Write every instance's metrics.json and the workbook anew, as far as they have changed.

        Returns:
            What is damaged and was left out, a line each: a record, the settings of an instance, a history.

        Raises:
            ResultsError: folds.json is damaged.
            OSError: The disk is full or not writable; what stood there stays.
        """
        from xval.results.workbook import write_workbook

        folder = self._folder
        damaged: list[str] = []
        if not folder.folds_file.exists():
            return damaged  # a run that ended before it had dealt any
        with folder.lock(), part_of(folder.workbook) as temporary:
            temporary.touch()
            begun_ns = temporary.stat().st_mtime_ns
            folds = read_folds(folder)
            found = [gathered for number in folder.instances() if (gathered := self._gather(number, folds, damaged))]
            if not found:
                return damaged
            histories = {
                (gathered.metric_dict["instance"], fold): history
                for gathered in found
                for fold, history in gathered.histories.items()
            }
            write_workbook(temporary, [gathered.metric_dict for gathered in found], histories)
            flush(temporary)
            os.utime(temporary, ns=(begun_ns, begun_ns))  # a fold that has ended since then makes it stale
            temporary.replace(folder.workbook)
        return damaged

    def _gather(self, instance: int, folds: WrittenFolds, damaged: list[str]) -> _Gathered | None:
        """Return what there is of an instance, its metrics.json written; None where its settings cannot be read."""
        state = (folds.hash, self._folder.state(instance))
        known = self._known.pop(instance, None)
        metrics_file = self._folder.instance_folder(instance) / "metrics.json"
        if known and known.state == state and metrics_file.exists():
            self._known[instance] = known
            return known
        n_damaged = len(damaged)
        metric_dict = _gather(self._folder, instance, folds, damaged)
        if metric_dict is None:
            return None
        write_if_changed(metrics_file, metric_dict)
        done = [int(fold) for fold, record in metric_dict["folds"].items() if record["status"] == "done"]
        paths = {fold: self._folder.fold_folder(instance, fold) / "history.csv" for fold in done}
        histories = {fold: found for fold, path in paths.items() if (found := _read_history(path, damaged))}
        gathered = _Gathered(state, metric_dict, histories)
        if len(damaged) == n_damaged:  # what is damaged is named each time
            self._known[instance] = gathered
        return gathered


def rebuild(folder: ExperimentFolder) -> list[str]:
    """Write every instance's metrics.json and the workbook anew.

    Args:
        folder: The results folder.

    Returns:
        What is damaged and was left out, a line each: a record, the settings of an instance, a history.

    Raises:
        ResultsError: folds.json is damaged.
        OSError: The disk is full or not writable; what stood there stays.
    """
    folder.remove_stale_parts()
    with without_collector():
        return DerivedFiles(folder).rebuild()


@contextmanager
def without_collector() -> Iterator[None]:
    """Keep Python from looking for garbage again and again among millions of values, which costs a quarter of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def is_stale(folder: ExperimentFolder) -> bool:
    """Return whether a derived file is missing or older than a fold folder, as after a run that was killed."""
    if not folder.workbook.exists():
        return True
    built_ns = folder.workbook.stat().st_mtime_ns
    return any(folder.last_change_ns(instance) > built_ns for instance in folder.instances())


def read_metric_dicts(folder: ExperimentFolder, instances: list[int]) -> list[dict[str, Any]]:
    """Return the metric dicts of some instances, those that have one."""
    with without_collector():
        found = [read_json(folder.instance_folder(instance) / "metrics.json") for instance in instances]
    return [metric_dict for metric_dict in found if metric_dict]


def gather_metrics(folder: ExperimentFolder, instance: int) -> dict[str, Any] | None:
    """Return the metric dict of an instance from its fold records of the present settings and folds; nothing is written.

    Returns:
        The metric dict; None where the instance has not been planned yet.

    Raises:
        ResultsError: A file is damaged.
    """
    damaged: list[str] = []
    found = _gather(folder, instance, read_folds(folder), damaged)
    if damaged:
        raise ResultsError("\n".join(damaged))
    return found


def gather_finished(folder: ExperimentFolder) -> list[dict[str, Any]]:
    """Return the metric dicts of the instances that have a finished fold, from the fold records; nothing is written.

    Raises:
        ResultsError: A file is damaged, or no fold is finished.
    """
    gathered = (gather_metrics(folder, instance) for instance in folder.instances())
    found = [metric_dict for metric_dict in gathered if metric_dict and metric_dict["folds_done"]]
    if not found:
        raise ResultsError(f"{folder.path}: no fold is finished, so there is no best instance. Run the experiment first.")
    return found


def read_history(path: Path) -> dict[str, list[float]]:
    """Return the columns of a history.csv, float of each epoch.

    Raises:
        OSError: There is none.
        ResultsError: It is damaged.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return {name: [float(row[name]) for row in rows] for name in (rows[0] if rows else {})}
    except (ValueError, TypeError, KeyError, csv.Error) as error:
        raise ResultsError(f"{path}: damaged ({error}).") from error


def _gather(folder: ExperimentFolder, instance: int, folds: WrittenFolds, damaged: list[str]) -> dict[str, Any] | None:
    """Return the metric dict of the records that can be read, and add what is wrong with the others."""
    if not folder.folds(instance) and folder.settings(instance) is None:
        return None  # another run is about to begin it
    try:
        settings = read_settings(folder, instance)
    except ResultsError as error:
        damaged.append(str(error))
        return None
    found, damaged_records = read_records(folder, instance)
    damaged += damaged_records.values()
    expected = (settings["settings_hash"], folds.hash)
    records = [record for record in found.values() if (record["settings_hash"], record["folds_hash"]) == expected]
    return make_metric_dict(settings, records, folds_total=len(folds.numbers))


def _read_history(path: Path, damaged: list[str]) -> History | None:
    """Return the columns of a history, float64, which takes little memory; None where there is none, or it is damaged."""
    try:
        return {name: array("d", column) for name, column in read_history(path).items()}
    except FileNotFoundError:
        return None  # a combination has no epochs
    except (OSError, ResultsError) as error:
        damaged.append(f"{error} Its curves are missing from the workbook.")
        return None
