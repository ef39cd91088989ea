"""The status of an experiment: which jobs are done, failed, running, interrupted or to do, and the time left.

The results folder may be empty, damaged or in use; this module only reads it.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, Literal, TypeVar, get_args

from xval.base.errors import ResultsError, XvalError
from xval.base.operating_system import quote
from xval.base.user_code.identity import describe_changes
from xval.base.user_code.modules import looking_in
from xval.results.checkpoint_note import checkpoint_path, read_position
from xval.results.epoch_note import read_note
from xval.results.folder import AtWork, ExperimentFolder
from xval.results.identity import JobIdentity
from xval.results.job_key import SEARCH, JobKey, job_keys
from xval.results.open import OpenResults
from xval.results.read import WrittenFolds, WrittenInstance
from xval.settings.architectures import ENSEMBLE, trains_network
from xval.settings.randomness import count_repeats
from xval.settings.space import SearchPlan

JobState = Literal["done", "failed", "running", "interrupted", "stale", "damaged", "to do"]
_Found = TypeVar("_Found")

OPEN: tuple[JobState, ...] = ("interrupted", "to do")
"""The states of jobs that the next run of the script will start."""

BY_WEIGHT: tuple[JobState, ...] = ("running", "failed", "damaged", "stale", "interrupted", "to do", "done")
"""The states of jobs; the first state that some job has describes an experiment best."""


@dataclass(frozen=True)
class JobStatus:
    """The status of one job.

    Attributes:
        state: done; failed, as recorded; running: a process holds its lock, or that of a trial of its search (a lease: is
            active); interrupted: a process died and left its temporary folder; stale: done with settings, folds or user code
            that have changed; damaged: its record cannot be read; to do.
        reason: An explanation of the state in one line, or empty.
        since: When a running job started, or an interrupted one last wrote (Unix time, s).
        epoch: The last finished epoch of a running job; 0: none.
        epochs: Largest number of epochs that it will train.
        seconds: Wall-clock time of a finished job.
        gpu: GPU values of a running job, as in `Note`.
        checkpoint: The last finished epoch of its checkpoint, from which training continues; None: it has none.
    """

    fold: int
    state: JobState
    reason: str = ""
    since: float | None = None
    epoch: int | None = None
    epochs: int | None = None
    seconds: float | None = None
    repeat: int = 1
    gpu: dict[str, float] = field(default_factory=dict)
    checkpoint: int | None = None


@dataclass(frozen=True)
class InstanceStatus:
    """The status of one instance.

    Attributes:
        parameters: The parameters of the instance; empty if its settings cannot be read.
        jobs: All jobs of the experiment's folds, and further jobs that have a folder.
        seconds_left: Time until its jobs have ended, with as many parallel jobs as now; None: unknown, because no job of this
            or another network (for an estimator: of another estimator) has finished yet.
    """

    instance: int
    parameters: Mapping[str, object]
    jobs: tuple[JobStatus, ...]
    seconds_left: float | None

    def count(self, *states: JobState) -> int:
        """Return how many jobs are in one of some states."""
        return sum(job.state in states for job in self.jobs)


@dataclass(frozen=True)
class ExperimentStatus:
    """The status of an experiment.

    Attributes:
        folds_total: Its number of folds; None if folds.json cannot be read, or a run is starting that will write it.
        instances: Those that have a folder.
        faults: Files that cannot be read, and old results that are still kept; a line each.
        seconds_left: As of `InstanceStatus`, for all of them.
        at_work: The runs that have begun and not ended; a run that is starting holds no job yet.
    """

    path: Path
    folds_total: int | None
    instances: tuple[InstanceStatus, ...]
    faults: tuple[str, ...]
    seconds_left: float | None
    at_work: tuple[AtWork, ...] = ()

    @property
    def is_starting(self) -> bool:
        """Whether its first run has begun and written nothing yet."""
        return bool(self.at_work) and self.folds_total is None and not self.instances and not self.faults

    def count(self, *states: JobState) -> int:
        """Return how many jobs are in one of some states."""
        return sum(instance.count(*states) for instance in self.instances)


def overall_state(counts: Mapping[str, int]) -> str:
    """Return the state that describes some jobs best, given the number of jobs in each state; ``to do`` without jobs."""
    return next((state for state in BY_WEIGHT if counts.get(state)), "to do")


def read_status(folder: ExperimentFolder, results: OpenResults | None = None) -> ExperimentStatus:
    """Return the status of an experiment, without writing files or disturbing runs.

    Files that `results` has read are not read again.
    """
    faults: list[str] = []
    results = results or OpenResults(folder, remembers=False)  # each record is asked for once
    at_work = tuple(folder.at_work())
    is_starting = bool(at_work) and not folder.folds_file.exists()
    folds = None if is_starting else _read(lambda: results.folds, faults)
    written = {number: _read(partial(results.settings, number), faults) for number in folder.instances()}
    claimed = _read(folder.claimed, faults) or (lambda _: False)
    jobs = {number: _read_jobs(results, number, written[number], folds, claimed) for number in written}
    all_jobs = [job for instance_jobs in jobs.values() for job in instance_jobs]
    n_at_once = max(1, sum(job.state == "running" for job in all_jobs))
    parameters = {number: _read(partial(_parameters, written[number]), faults) or {} for number in written}
    kinds = {number: trains_network(str(values.get("architecture", ""))) for number, values in parameters.items()}
    instances = []
    for number, instance_jobs in jobs.items():
        alike = [job for other in jobs if kinds[other] is kinds[number] for job in jobs[other]]
        left = _seconds_left(instance_jobs, alike, n_at_once)
        instances.append(InstanceStatus(number, parameters[number], tuple(instance_jobs), left))
        if replaced := folder.replaced_jobs(number):
            listed = "; ".join(key.fold_name for key in replaced)
            faults.append(f"{folder.replaced_folder(number)}: old results of {listed} wait here for new ones.")
    known = [instance.seconds_left for instance in instances if instance.seconds_left is not None]
    total = sum(known) if len(known) == len(instances) and not is_starting else None
    n_folds = None if folds is None else len(folds.numbers)
    return ExperimentStatus(folder.path, n_folds, tuple(instances), tuple(faults), total, at_work)


def _read(read: Callable[[], _Found], faults: list[str]) -> _Found | None:
    """Return the result of reading, or None and a note if a file is missing or damaged."""
    try:
        return read()
    except (ResultsError, OSError) as error:
        faults.append(str(error))
        return None


def _parameters(written: WrittenInstance | None) -> dict[str, object]:
    """Return the parameters of an instance; empty if its settings cannot be read."""
    return written.parameters if written and written.settings else {}


def _read_jobs(
    results: OpenResults,
    instance: int,
    written: WrittenInstance | None,
    folds: WrittenFolds | None,
    claimed: Callable[[JobKey], bool],
) -> list[JobStatus]:
    folder = results.folder
    records, damaged = results.records(instance)
    available = [] if folds is None else folds.numbers
    repeats = count_repeats(written.parameters) if written else 1
    code = _present_code(written) if written else None
    jobs = []
    for key in sorted({*job_keys(instance, available, repeats), *folder.jobs(instance)}):
        record = records.get(key)
        folds_hash = (folds and folds.hash_of(key.fold)) or None
        identity = JobIdentity((written and written.settings_hash) or None, folds_hash)
        others: list[str] = list(identity.changes(record)) if record else []
        if available and key.fold not in available:
            others.append("number, which is not in folds.json")
        is_done = record is not None and record["status"] == "done"
        with looking_in(written.own_folders if written else ()):
            changes = describe_changes(record.get("own_code"), code) if record else ""
        job = partial(JobStatus, key.fold, repeat=key.repeat)
        position = None if is_done else read_position(checkpoint_path(folder, key))
        ensemble = _ensemble_command(folder, written)
        next_run = ensemble or (
            f"the next run continues at epoch {position + 1}" if position else "the next run starts it again"
        )
        reasons = [f"another {' and '.join(others)}"] * bool(others) + [f"other code: {changes}"] * bool(changes)
        if record and is_done and not reasons:
            jobs.append(job("done", seconds=float(record["seconds"])))
        elif claimed(key):
            reason = _describe_trials(folder, key, written)
            jobs.append(replace(_running(folder, key), checkpoint=position, reason=reason))
        elif key in damaged:
            jobs.append(job("damaged", damaged[key]))
        elif is_done:
            jobs.append(job("stale", f"done with {'; '.join(reasons)}"))
        elif record and not others:
            jobs.append(job("failed", str(record["error"]), seconds=float(record["seconds"]), checkpoint=position))
        elif leftovers := folder.leftovers(*key):
            since = max(map(_changed, leftovers))
            reason = f"its process died; {next_run}"
            jobs.append(job("interrupted", reason, since=since, checkpoint=position))
        else:
            reason = next_run if position or ensemble else _describe_trials(folder, key, written)
            jobs.append(job("to do", reason, checkpoint=position))
    return jobs


def _present_code(written: WrittenInstance) -> dict[str, str] | None:
    """Return the hashes of the user's code now; None: it is not found, or the settings are damaged."""
    try:
        return written.present_code()
    except XvalError:
        return None


def _ensemble_command(folder: ExperimentFolder, written: WrittenInstance | None) -> str:
    """Return the command that makes the folds of an ensemble; empty for an instance that is trained."""
    if written is None or written.parameters.get("architecture") != ENSEMBLE:
        return ""
    members, method = written.parameters.get("members"), written.parameters.get("method")
    listed = ",".join(map(str, members)) if isinstance(members, list) else "MEMBERS"
    how = {"choose": " --choose", "stack": " --method stack"}.get(str(method), "")
    return f"made by xval ensemble {quote(str(folder.path))} {listed}{how} --number {written.instance}"


def _describe_trials(folder: ExperimentFolder, key: JobKey, written: WrittenInstance | None) -> str:
    """Return the progress of the search of a fold; empty if the instance has no search."""
    plan = written and written.parameters.get("search")
    if not isinstance(plan, str):
        return ""
    trials = (folder.instance_folder(key.instance) / SEARCH).glob(f"fold_{key.fold}_trial_*/record.json")
    n_ended = len({path.parent.name.partition("_inner_")[0] for path in trials})
    return f"{n_ended} of {SearchPlan.from_text(plan).n_trials} trials of its search have ended"


def _running(folder: ExperimentFolder, key: JobKey) -> JobStatus:
    leftovers = folder.leftovers(*key)
    job = partial(JobStatus, key.fold, "running", repeat=key.repeat)
    note = next((progress for path in leftovers if (progress := read_note(path))), None)
    if note is None:
        return job(since=max(map(_changed, leftovers), default=None))
    return job(since=note.started, epoch=note.epoch, epochs=note.epochs, gpu=note.gpu)


def _changed(path: Path) -> float:
    """Return when a folder last changed (Unix time, s); the current time if it is gone."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()


def _seconds_left(jobs: Iterable[JobStatus], alike: Iterable[JobStatus], n_at_once: int) -> float | None:
    """Return the time that the running and open jobs of an instance will take (s), or None if no similar job has finished."""
    jobs = list(jobs)
    ahead = [job for job in jobs if job.state in ("running", *OPEN)]
    if not ahead:
        return 0.0
    finished = _seconds(jobs) or _seconds(alike)
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
        "at_work": [{"script": run.script, "since": run.since} for run in status.at_work],
        "instances": [_instance_as_json(instance) for instance in status.instances],
    }


def _instance_as_json(instance: InstanceStatus) -> dict[str, Any]:
    texts = {name: instance.parameters.get(name, "") for name in ("comment_1", "comment_2", "architecture")}
    jobs = [asdict(job) for job in instance.jobs]
    return {"instance": instance.instance, **texts, "jobs": jobs, "seconds_left": instance.seconds_left, **_counts(instance)}


def _counts(status: ExperimentStatus | InstanceStatus) -> dict[str, int]:
    return {state.replace(" ", "_"): status.count(state) for state in get_args(JobState)}
