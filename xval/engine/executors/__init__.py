"""Executors, which run jobs: one file each, found by its name.

Each has ``run(jobs, slots, report) -> Outcomes``. One whose jobs run on other machines, or in turn, also has
``make_slots(settings)``; the others get the devices of this one. A job that is only handed on has no outcome.
(processes.py starts workers by _worker_process.py, and _schedule.py decides which of them gets which job; _launched.py is what
ray.py and slurm.py have in common.)
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Protocol, cast

from xval.backend import devices
from xval.backend.devices import Slot
from xval.jobs.claim import Report
from xval.jobs.job import Job
from xval.jobs.outcome import Outcomes
from xval.settings.schema import Settings


class Executor(Protocol):
    """The interface of the files of this package."""

    def run(self, jobs: Sequence[Job], slots: Sequence[Slot], report: Report) -> Outcomes:
        """Run jobs.

        Args:
            jobs: The jobs to run, in order.
            slots: The slots from `make_slots`.
            report: Called with progress events: ``{"worker", "instance", "fold", "repeat", "epoch", "values"}``; see
                `WatchedJobs.report` for others.

        Yields:
            An outcome per job, in the order in which they end. Closing the iterator ends running and waiting jobs, and removes
            unfinished files.

        Raises:
            SettingsError: A model cannot be built, or resources of the jobs are missing; nothing has been trained.
            WorkerError: The process that builds the models died.
        """


def find_executor(name: str) -> Executor:
    """Return the executor with a valid name."""
    return cast("Executor", import_module(f"{__name__}.{'processes' if name == 'auto' else name}"))


def make_slots(executor: Executor, settings: Settings, n_jobs: int | None = None) -> tuple[Sequence[Slot], str]:
    """Return the slots of an executor for at most `n_jobs` jobs (None: not known), and a sentence that describes them."""
    elsewhere: Callable[[Settings], tuple[Sequence[Slot], str]] | None = getattr(executor, "make_slots", None)
    if elsewhere is not None:
        return elsewhere(settings)
    return devices.make_slots(
        settings.gpu_ID,
        workers=settings.workers,
        threads=settings.threads_per_job,
        workers_per_gpu=settings.workers_per_gpu,
        n_jobs=n_jobs,
    )
