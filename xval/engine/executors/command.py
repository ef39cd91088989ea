"""Print one shell line per job, for any scheduler; nothing is run here.

A line runs its job from any folder on any machine that sees the results, the feature stores and this Python. It may be run
repeatedly: a finished job is not run again.
"""

import sys
from collections.abc import Sequence
from itertools import cycle

from xval.backend.devices import Slot
from xval.base.operating_system import quote
from xval.engine.executors._worker_process import check_models_apart
from xval.jobs.claim import Report
from xval.jobs.job import Job
from xval.jobs.job_file import command_line, write_job_file
from xval.jobs.outcome import Outcomes
from xval.settings.schema import Settings


def make_slots(settings: Settings) -> tuple[Sequence[Slot], str]:
    """Return the devices that job files name: they are looked up where a job runs, not here."""
    threads, share = settings.threads_per_job, 1 / settings.workers_per_gpu
    slots = [Slot(gpu.strip(), threads, share) for gpu in settings.gpu_ID.split(",")]
    return slots, "One line per job goes to standard output; nothing is run here."


def run(jobs: Sequence[Job], slots: Sequence[Slot], _report: Report) -> Outcomes:
    """Print the lines; the jobs take the slots in turn. See `Executor.run`; what becomes of them is in the results folder."""
    check_models_apart(jobs, Slot("cpu", slots[0].threads))
    for job, slot in zip(jobs, cycle(slots), strict=False):
        sys.stdout.write(" ".join(map(quote, command_line(write_job_file(job, slot)))) + "\n")
    sys.stdout.flush()
    yield from ()
