"""Whether derived files still go with the fold folders.

Comes in: a results folder. Goes out: whether to make metrics.json, the workbook and the page again; by the times of files, and
by which folders are there.
"""

import time
from pathlib import Path

from xval.answers.metric_dicts import read_metric_dicts
from xval.answers.repeats import jobs_of
from xval.report.rebuild import rebuild
from xval.results.folder import ExperimentFolder

_MOST_AHEAD_NS = 60 * 10**9  # the clock of a file server


def is_stale(folder: ExperimentFolder, *, put_there: bool = False) -> bool:
    """Return whether a derived file is missing, or older than a fold folder (or its move here), folds or added metrics.

    One from the future says nothing: the clock has gone back since.
    """
    built_ns = _written_ns(folder.workbook)
    if built_ns is None:
        return True
    shared = (folder.folds_file, folder.added_metrics)
    return any(path.exists() and path.stat().st_mtime_ns > built_ns for path in shared) or any(
        (changed_ns := folder.last_change_ns(instance, put_there=put_there)) > built_ns
        or (changed_ns and not (folder.instance_folder(instance) / "metrics.json").exists())
        for instance in folder.instances()
    )


def is_page_stale(folder: ExperimentFolder) -> bool:
    """Return whether report.html is missing, or older than the workbook, as after a run that was interrupted at its end."""
    page_ns = _written_ns(folder.page)
    return page_ns is None or (folder.workbook.exists() and page_ns < folder.workbook.stat().st_mtime_ns)


def _written_ns(path: Path) -> int | None:
    """Return when a file was written (Unix time, ns); None: it is missing, or from the future."""
    if not path.exists():
        return None
    written_ns = path.stat().st_mtime_ns
    return None if written_ns > time.time_ns() + _MOST_AHEAD_NS else written_ns


def rebuild_if_stale(folder: ExperimentFolder) -> list[str]:
    """Make the derived files again where the fold folders are not those of which they are; return what was left out.

    Raises:
        ResultsError: A metrics.json is damaged.
        OSError: The disk is full or not writable.
    """
    return rebuild(folder) if is_stale(folder) or _has_other_folds(folder) else []


def _has_other_folds(folder: ExperimentFolder) -> bool:
    """Return whether a fold folder was moved away that a metric dict has figures of, or one was put back that it lacks."""
    for metric_dict in read_metric_dicts(folder, folder.instances()):
        there, jobs = set(folder.jobs(metric_dict["instance"])), jobs_of(metric_dict)
        done = {key for key, record in jobs.items() if record["status"] == "done"}
        is_unfinished = metric_dict["folds_done"] < metric_dict["folds_total"] or len(done) < len(jobs)
        if done - there or (is_unfinished and there - jobs.keys()):
            return True
    return False
