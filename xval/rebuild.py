"""Rebuild the derived files of an experiment from its fold folders: each instance's metrics.json, and results.xlsx.

Comes in: a results folder. Goes out: the same folder with fresh derived files, written whole under the lock of the experiment,
so that several runs of one experiment may end at the same time. Next: summary.py, spreadsheet.
"""

import csv
from pathlib import Path
from typing import Any

from xval.results import ExperimentFolder, read_json, write_json
from xval.summary import make_metric_dict


def rebuild(folder: ExperimentFolder) -> None:
    """Write every instance's metrics.json and the workbook anew.

    Args:
        folder: The results folder.

    Raises:
        ResultsError: A record is not readable.
        OSError: The disk is full or not writable; what stood there stays.
    """
    from xval.spreadsheet import write_workbook

    with folder.lock():
        metric_dicts = [found for instance in folder.instances() if (found := _rebuild_instance(folder, instance))]
        if not metric_dicts:
            return
        histories = {
            (found["instance"], int(fold)): read_history(path)
            for found in metric_dicts
            for fold, record in found["folds"].items()
            if record["status"] == "done"
            and (path := folder.fold_folder(found["instance"], int(fold)) / "history.csv").exists()
        }
        temporary = folder.workbook.with_name(f".{folder.workbook.name}.part")
        write_workbook(temporary, metric_dicts, histories)
        temporary.replace(folder.workbook)


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
        ResultsError: A record is not readable.
    """
    settings, folds = folder.settings(instance), read_json(folder.folds_file)
    if settings is None or folds is None:
        return None
    expected = (settings["settings_hash"], folds["hash"])
    found = (folder.record(instance, fold) for fold in folder.folds(instance))
    records = [record for record in found if record and (record["settings_hash"], record["folds_hash"]) == expected]
    return make_metric_dict(settings, records, folds_total=len(folds["folds"]))


def _rebuild_instance(folder: ExperimentFolder, instance: int) -> dict[str, Any] | None:
    metric_dict = gather_metrics(folder, instance)
    if metric_dict:
        write_json(folder.instance_folder(instance) / "metrics.json", metric_dict)
    return metric_dict


def read_history(path: Path) -> dict[str, list[float]]:
    """Return the columns of a history.csv, float of each epoch."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in (rows[0] if rows else {})}
