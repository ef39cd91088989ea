"""Rebuild the derived files of an experiment from its fold folders: each instance's metrics.json, and results.xlsx.

Comes in: a results folder. Goes out: the same folder with fresh derived files, written whole under the lock of the experiment,
so that several runs of one experiment may end at the same time. What is damaged is left out and named, so that it does not keep
the rest from being rebuilt. Next: summary.py, spreadsheet.
"""

import csv
from pathlib import Path
from typing import Any

from xval.errors import ResultsError
from xval.experiment_files import read_folds, read_records, read_settings
from xval.json_files import read_json, write_json
from xval.results import ExperimentFolder
from xval.summary import make_metric_dict


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
    from xval.spreadsheet import write_workbook

    damaged: list[str] = []
    if not folder.folds_file.exists():
        return damaged  # a run that ended before it had dealt any
    with folder.lock():
        metric_dicts = [found for instance in folder.instances() if (found := _rebuild_instance(folder, instance, damaged))]
        if not metric_dicts:
            return damaged
        histories = {
            (found["instance"], int(fold)): history
            for found in metric_dicts
            for fold, record in found["folds"].items()
            if record["status"] == "done"
            and (history := _read_history(folder.fold_folder(found["instance"], int(fold)) / "history.csv", damaged))
        }
        temporary = folder.workbook.with_name(f".{folder.workbook.name}.part")
        write_workbook(temporary, metric_dicts, histories)
        temporary.replace(folder.workbook)
    return damaged


def is_stale(folder: ExperimentFolder) -> bool:
    """Return whether a derived file is missing or older than a fold folder, as after a run that was killed."""
    if not folder.workbook.exists():
        return True
    built = folder.workbook.stat().st_mtime_ns
    return any(
        folder.fold_folder(instance, fold).stat().st_mtime_ns > built
        for instance in folder.instances()
        for fold in folder.folds(instance)
    )


def read_metric_dicts(folder: ExperimentFolder, instances: list[int]) -> list[dict[str, Any]]:
    """Return the metric dicts of some instances, those that have one."""
    found = (read_json(folder.instance_folder(instance) / "metrics.json") for instance in instances)
    return [metric_dict for metric_dict in found if metric_dict]


def gather_metrics(folder: ExperimentFolder, instance: int) -> dict[str, Any] | None:
    """Return the metric dict of an instance from its fold records of the present settings and folds; nothing is written.

    Returns:
        The metric dict; None where the instance has not been planned yet.

    Raises:
        ResultsError: A file is damaged.
    """
    damaged: list[str] = []
    found = _gather(folder, instance, damaged)
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


def _rebuild_instance(folder: ExperimentFolder, instance: int, damaged: list[str]) -> dict[str, Any] | None:
    """Write metrics.json of an instance, and return its content; None where its settings cannot be read."""
    metric_dict = _gather(folder, instance, damaged)
    if metric_dict:
        write_json(folder.instance_folder(instance) / "metrics.json", metric_dict)
    return metric_dict


def _gather(folder: ExperimentFolder, instance: int, damaged: list[str]) -> dict[str, Any] | None:
    """Return the metric dict of the records that can be read, and add what is wrong with the others."""
    folds = read_folds(folder)
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


def _read_history(path: Path, damaged: list[str]) -> dict[str, list[float]] | None:
    """Return the columns of a history; None where there is none, or it is damaged."""
    try:
        return read_history(path)
    except FileNotFoundError:
        return None  # a combination has no epochs
    except (OSError, ResultsError) as error:
        damaged.append(f"{error} Its curves are missing from the workbook.")
        return None
