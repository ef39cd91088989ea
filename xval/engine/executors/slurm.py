"""Run jobs on a Slurm cluster, as job arrays (submitit: extra `slurm`).

[execution] of config.ini says what each job may ask of the cluster. A job that is preempted or reaches its time limit is
requeued and continues inside its fold; one that repeatedly reaches the limit without progress fails. The driver may be killed
and started again: jobs that wait or run are found by the note next to their job file. All machines see the results, the feature
stores and this Python under the same paths.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from xval.backend import devices
from xval.backend.devices import Slot
from xval.base.errors import SettingsError, counted
from xval.base.json_files import read_json, write_json
from xval.engine.executors._launched import checkpointed_epoch, run_launched, slot_of_each
from xval.jobs.claim import Report
from xval.jobs.job import Job
from xval.jobs.job_file import JobProcess, read_job_file, write_outcome
from xval.jobs.outcome import JobOutcome, Outcomes
from xval.settings.schema import Settings

_MOST_IN_VAIN = 3
_ANY_NUMBER = 1_000_000
_LARGEST_ARRAY = 1000  # Slurm's default MaxArraySize is 1001
_SECONDS_BETWEEN_LISTINGS = {"slurm": 15.0, "local": 1.0}
_SECONDS_TO_CANCEL = 60.0
_SECONDS_FOR_SCHEDULER = 300.0


def make_slots(settings: Settings) -> tuple[Sequence[Slot], str]:
    """Return the slot of a job, and a line on where it is submitted to."""
    n_gpus = settings.slurm_gpus_per_job
    slot = slot_of_each("slurm", "submitit", n_gpus=n_gpus, threads=settings.threads_per_job)
    asked = (
        f"{counted(_n_cpus(settings), 'CPU core')}, {counted(n_gpus, 'GPU')}, {settings.slurm_memory_gb:g} GB and at most "
        f"{settings.slurm_time_limit_min} min per job"
    )
    if settings.slurm_cluster == "local":
        return [slot], f"Submitting to this machine, as if it were a Slurm cluster: {asked}."
    missing = [name for name in ("sbatch", "squeue", "scancel") if shutil.which(name) is None]
    if missing:
        raise SettingsError(
            f"executor 'slurm': {', '.join(missing)} not found on this machine. Run this on a login node of the cluster, or "
            "try the experiment here with --set slurm_cluster=local."
        )
    partition = settings.slurm_partition or "default"
    return [slot], f"Submitting to Slurm, partition {partition}: {asked}. Ctrl-C cancels the jobs; a lost connection does not."


def run(jobs: Sequence[Job], slots: Sequence[Slot], report: Report) -> Outcomes:
    """Submit jobs, each with the first slot, and wait for their outcomes; see `Executor.run`."""
    settings = jobs[0].settings
    engine = Queue(Path(jobs[0].experiment_folder) / "jobs" / "submitit", settings)
    n_at_once = None  # Slurm itself lets them wait
    if settings.slurm_cluster == "local":
        n_at_once = settings.slurm_max_running or devices.default_workers(slots[0].threads)
    yield from run_launched(jobs, slots[0], report, engine, n_at_once=n_at_once)


class Launcher:
    """What submitit runs for a job file, on the machine that Slurm chose.

    `n_in_vain` is how often the job has reached its time limit without getting any further.
    """

    def __init__(self, limit_min: int, n_in_vain: int = 0) -> None:
        self._limit_min = limit_min
        self._n_in_vain = n_in_vain
        self._started, self._epoch = 0.0, 0
        self._process: JobProcess | None = None

    def __call__(self, path: str) -> int:
        """Run the job of a file to its end and return the exit code."""
        self._started, self._epoch = time.monotonic(), checkpointed_epoch(read_job_file(Path(path))[0])
        self._process = JobProcess(Path(path))
        code = self._process.wait()
        if self._process.was_interrupted:
            # Slurm has ended the process, and will requeue the job or end this process too.
            time.sleep(_SECONDS_FOR_SCHEDULER)
        return code

    def checkpoint(self, path: str) -> object:
        """End the process, which writes its checkpoint, before the job is requeued; submitit calls this when Slurm warns.

        Returns:
            What submitit runs next; None, with a failure as the outcome of the job: it has reached its time limit too often
            without getting any further.
        """
        from submitit.helpers import DelayedSubmission

        if self._process is not None:
            self._process.end()
        job, _ = read_job_file(Path(path))
        limit_s = 60 * self._limit_min
        is_over = time.monotonic() - self._started >= min(0.8 * limit_s, limit_s - 600)  # as submitit tells it from preemption
        n_in_vain = 0 if checkpointed_epoch(job) > self._epoch else self._n_in_vain + is_over
        if n_in_vain < _MOST_IN_VAIN:
            return DelayedSubmission(Launcher(self._limit_min, n_in_vain), path)
        error = f"it reached its time limit of {self._limit_min} min {counted(n_in_vain, 'time')} without progress"
        hint = "raise slurm_time_limit_min, or lower checkpoint_minutes (a checkpoint is written after an epoch)"
        write_outcome(Path(path), JobOutcome.of(job.key, "failed", error=f"{error}: {hint}"))
        return None


class Queue:
    """The jobs of one driver in Slurm's queue, or in submitit's stand-in on this machine.

    The folder is for the files of submitit: batch scripts, logs, and pickles that hold a `Launcher` and the path of a job file.
    """

    attempts_when_lost = 2

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._folder = folder
        self._settings = settings
        self._cluster = settings.slurm_cluster
        self._submitted: dict[Path, tuple[str, float]] = {}  # job file -> (id, when, monotonic s)
        self._processes: list[object] = []  # of the stand-in; they must live as long as their jobs
        self._listed: frozenset[str] = frozenset()
        self._listed_at = float("-inf")

    def is_alive(self, path: Path) -> bool:
        """Return whether an earlier driver's submission of a job waits or runs; it is this driver's from then on."""
        note = read_json(_note(path)) or {}
        if note.get("cluster") != self._cluster:
            return False
        self._list(since=0.0)
        self._submitted[path] = str(note["id"]), 0.0
        return note["id"] in self._listed

    def launch(self, paths: Sequence[Path]) -> None:
        """Submit an array of jobs, and note which task runs which job."""
        for first in range(0, len(paths), _LARGEST_ARRAY):
            chunk = paths[first : first + _LARGEST_ARRAY]
            for path, job in zip(chunk, self._submit(chunk), strict=True):
                write_json(_note(path), {"cluster": self._cluster, "id": job.job_id})
                self._submitted[path] = job.job_id, time.monotonic()
                self._processes.append(job)

    def end_of(self, path: Path) -> str:
        """Return how a submission ended; nothing while it waits or runs."""
        job_id, submitted_at = self._submitted[path]
        self._list(since=submitted_at)
        if self._listed_at <= submitted_at or job_id in self._listed:
            return ""
        return f"job {job_id} left the queue without a result; its logs are {self._folder}/{job_id}*"

    def cancel(self, paths: Sequence[Path]) -> None:
        """End submissions, waiting or running."""
        job_ids = {self._submitted[path][0] for path in paths if path in self._submitted}
        self._list(since=time.monotonic())
        if alive := job_ids & self._listed:
            _CANCEL[self._cluster](sorted(alive))
        until = time.monotonic() + _SECONDS_TO_CANCEL
        while job_ids & self._listed and time.monotonic() < until:
            time.sleep(0.2)
            self._list(since=time.monotonic())

    def _list(self, since: float) -> None:
        """Ask which jobs wait or run, unless that is known: from after a moment, and not long ago."""
        now = time.monotonic()
        if self._listed_at > since and now < self._listed_at + _SECONDS_BETWEEN_LISTINGS[self._cluster]:
            return
        with suppress(OSError, subprocess.SubprocessError):  # the scheduler is busy; its last answer is kept
            listed = frozenset(_LIST[self._cluster]())
            self._listed, self._listed_at = listed, now

    def _submit(self, paths: Sequence[Path]) -> Sequence[Any]:
        import submitit

        settings = self._settings
        # A `Launcher` counts how often a job reaches its limit: only where it has come no further.
        any_number = {f"{self._cluster}_max_num_timeout": _ANY_NUMBER}
        executor = submitit.AutoExecutor(self._folder, cluster=self._cluster, **any_number)
        executor.update_parameters(
            name="xval",
            timeout_min=settings.slurm_time_limit_min,
            cpus_per_task=_n_cpus(settings),
            mem_gb=settings.slurm_memory_gb,
            slurm_additional_parameters={"requeue": True},
        )
        if settings.slurm_gpus_per_job:
            executor.update_parameters(gpus_per_node=settings.slurm_gpus_per_job)
        if settings.slurm_partition:
            executor.update_parameters(slurm_partition=settings.slurm_partition)
        executor.update_parameters(slurm_array_parallelism=settings.slurm_max_running or len(paths))
        try:
            return list(executor.map_array(Launcher(settings.slurm_time_limit_min), [str(path) for path in paths]))
        except (submitit.core.utils.FailedJobError, submitit.core.utils.FailedSubmissionError) as error:
            raise SettingsError(f"Slurm rejected the jobs: {error}. Check the slurm_ settings.") from error


def _note(path: Path) -> Path:
    """Return the file that says under which id a job was submitted."""
    return path.with_suffix(".slurm.json")


def _n_cpus(settings: Settings) -> int:
    return settings.slurm_cpus_per_job or settings.threads_per_job


def _list_slurm() -> set[str]:
    command = ["squeue", "--me", "--array", "--noheader", "--format=%i"]
    return set(subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.split())


def _list_local() -> set[str]:
    """Return the process ids of submitit's stand-ins for jobs."""
    import psutil

    processes = psutil.process_iter(["pid", "cmdline"])
    return {str(process.info["pid"]) for process in processes if "submitit.local._local" in (process.info["cmdline"] or ())}


def _cancel_slurm(names: Iterable[str]) -> None:
    subprocess.run(["scancel", *names], capture_output=True, timeout=60, check=False)


def _cancel_local(names: Iterable[str]) -> None:
    for name in names:
        with suppress(ProcessLookupError):
            os.kill(int(name), signal.SIGINT)


_LIST = {"slurm": _list_slurm, "local": _list_local}
_CANCEL = {"slurm": _cancel_slurm, "local": _cancel_local}
