"""How far an experiment is: which of its jobs are done, failed, running, interrupted or to do, and how long the rest will take.

Comes in: a results folder, also one that is empty, damaged, or being run; it is only read. Goes out: an `ExperimentStatus`.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, Literal, TypeVar

from xval.errors import ResultsError
from xval.json_files import Record
from xval.results.epoch_note import read_note
from xval.results.folder import ExperimentFolder
from xval.results.read import WrittenFolds, read_folds, read_records, read_settings

State = Literal["done", "failed", "running", "interrupted", "stale", "damaged", "to do"]
_Found = TypeVar("_Found")

OPEN: tuple[State, ...] = ("interrupted", "to do")
"""What the next run of the script will begin."""


@dataclass(frozen=True)
class JobStatus:
    """What is known of one job.

    Attributes:
        fold: Number of the fold.
        state: done; failed, as recorded; running, by a process that holds its lock; interrupted: a process died and left its
            temporary folder; stale: done with other settings or folds than are written now; damaged: its record cannot be
            read; or to do.
        reason: One line on a state that needs one.
        since: When a running job began, or an interrupted one was last written to (Unix time, s).
        epoch: Of a running job the last epoch that ended; 0: none, or it has none.
        epochs: How many it will have at most.
        seconds: Wall-clock time of a finished job.
    """

    fold: int
    state: State
    reason: str = ""
    since: float | None = None
    epoch: int | None = None
    epochs: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class InstanceStatus:
    """What is known of one instance.

    Attributes:
        instance: Its number.
        comment_1: As its settings have it, empty where they cannot be read; so are comment_2 and architecture.
        comment_2: See comment_1.
        architecture: See comment_1.
        jobs: Every fold of the experiment, and those that have a folder.
        seconds_left: Until all its jobs have ended, with as many jobs at once as run now; None: unknown, because nothing has
            finished yet.
    """

    instance: int
    comment_1: str
    comment_2: str
    architecture: str
    jobs: tuple[JobStatus, ...]
    seconds_left: float | None

    def count(self, *states: State) -> int:
        """Return how many jobs are in one of some states."""
        return sum(job.state in states for job in self.jobs)


@dataclass(frozen=True)
class ExperimentStatus:
    """What is known of an experiment.

    Attributes:
        path: Its folder.
        folds_total: How many folds it has; None where folds.json cannot be read.
        instances: Those that have a folder.
        faults: What cannot be read, and what waits to be replaced; a line each.
        seconds_left: As of `InstanceStatus`, for all of them.
    """

    path: Path
    folds_total: int | None
    instances: tuple[InstanceStatus, ...]
    faults: tuple[str, ...]
    seconds_left: float | None

    def count(self, *states: State) -> int:
        """Return how many jobs are in one of some states."""
        return sum(instance.count(*states) for instance in self.instances)


def read_status(folder: ExperimentFolder) -> ExperimentStatus:
    """Return how far an experiment is; nothing is written, and no run is disturbed.

    Args:
        folder: The results folder.
    """
    faults: list[str] = []
    folds = _read(partial(read_folds, folder), faults)
    settings = {number: _read(partial(read_settings, folder, number), faults) for number in folder.instances()}
    jobs = {number: _read_jobs(folder, number, settings[number], folds) for number in settings}
    every = [job for of_instance in jobs.values() for job in of_instance]
    n_at_once = max(1, sum(job.state == "running" for job in every))
    instances = []
    for number, of_instance in jobs.items():
        left = _seconds_left(of_instance, every, n_at_once)
        parameters = (settings[number] or {"parameters": {}})["parameters"]
        comment_1, comment_2, architecture = (
            str(parameters.get(name, "")) for name in ("comment_1", "comment_2", "architecture")
        )
        instances.append(InstanceStatus(number, comment_1, comment_2, architecture, tuple(of_instance), left))
        waiting = folder.replaced_folds(number)
        if waiting:
            listed = ", ".join(map(str, waiting))
            faults.append(f"{folder.replaced_folder(number)}: old results of fold(s) {listed} wait here for their successors.")
    known = [instance.seconds_left for instance in instances if instance.seconds_left is not None]
    total = sum(known) if len(known) == len(instances) else None
    return ExperimentStatus(folder.path, None if folds is None else len(folds.numbers), tuple(instances), tuple(faults), total)


def _read(read: Callable[[], _Found], faults: list[str]) -> _Found | None:
    """Return what is read, or None where it is missing or damaged, which is noted."""
    try:
        return read()
    except (ResultsError, OSError) as error:
        faults.append(str(error))
        return None


def _read_jobs(folder: ExperimentFolder, instance: int, settings: Record | None, folds: WrittenFolds | None) -> list[JobStatus]:
    """Return the state of every job of an instance."""
    records, damaged = read_records(folder, instance)
    available = [] if folds is None else folds.numbers
    wanted = {"settings_hash": settings and settings["settings_hash"], "folds_hash": folds and folds.hash}
    jobs = []
    for fold in sorted({*available, *folder.folds(instance)}):
        record = records.get(fold)
        others = [] if record is None else [name for name, known in wanted.items() if known and record[name] != known]
        if available and fold not in available:
            others.append("number, which is none of folds.json's")
        is_done = record is not None and record["status"] == "done"
        if is_done and not others:
            jobs.append(JobStatus(fold, "done", seconds=float(record["seconds"]) if record else None))
        elif folder.is_claimed(instance, fold):
            jobs.append(_running(folder, instance, fold))
        elif fold in damaged:
            jobs.append(JobStatus(fold, "damaged", damaged[fold]))
        elif is_done:
            jobs.append(JobStatus(fold, "stale", f"done with another {' and '.join(others)}"))
        elif record is not None and not others:
            jobs.append(JobStatus(fold, "failed", str(record["error"]), seconds=float(record["seconds"])))
        elif leftovers := folder.leftovers(instance, fold):
            since = max(map(_changed, leftovers))
            jobs.append(JobStatus(fold, "interrupted", "its process died; the next run begins it anew", since=since))
        else:
            jobs.append(JobStatus(fold, "to do"))
    return jobs


def _running(folder: ExperimentFolder, instance: int, fold: int) -> JobStatus:
    leftovers = folder.leftovers(instance, fold)
    note = next((found for path in leftovers if (found := read_note(path))), None)
    if note is None:
        return JobStatus(fold, "running", since=max(map(_changed, leftovers), default=None))
    return JobStatus(fold, "running", since=note.started, epoch=note.epoch, epochs=note.epochs)


def _changed(path: Path) -> float:
    """Return when something was last written into a folder; now, if it is gone meanwhile."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()


def _seconds_left(jobs: Iterable[JobStatus], every: Iterable[JobStatus], n_at_once: int) -> float | None:
    """Return how long the running and open jobs of an instance will take, or None where nothing tells."""
    jobs = list(jobs)
    ahead = [job for job in jobs if job.state in ("running", *OPEN)]
    if not ahead:
        return 0.0
    finished = _seconds(jobs) or _seconds(every)
    if not finished:
        return None
    mean, now = fmean(finished), time.time()
    return sum(max(mean - (now - job.since if job.state == "running" and job.since else 0), 0) for job in ahead) / n_at_once


def _seconds(jobs: Iterable[JobStatus]) -> list[float]:
    return [job.seconds for job in jobs if job.state == "done" and job.seconds is not None]


def as_json(status: ExperimentStatus) -> dict[str, Any]:
    """Return a status as plain values; commands/status.py documents the keys."""
    return {
        "experiment": str(status.path),
        "folds_total": status.folds_total,
        **_counts(status),
        "seconds_left": status.seconds_left,
        "faults": list(status.faults),
        "instances": [
            {
                "instance": each.instance,
                "comment_1": each.comment_1,
                "comment_2": each.comment_2,
                "architecture": each.architecture,
                **_counts(each),
                "seconds_left": each.seconds_left,
                "jobs": [vars(job) for job in each.jobs],
            }
            for each in status.instances
        ],
    }


def _counts(status: ExperimentStatus | InstanceStatus) -> dict[str, int]:
    states: tuple[State, ...] = ("done", "failed", "running", "interrupted", "stale", "damaged", "to do")
    return {state.replace(" ", "_"): status.count(state) for state in states}
