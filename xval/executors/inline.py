"""Run jobs one after the other in this process; an error can be let through, for debugging.

Comes in: frozen jobs and slots, of which the first is used. Goes out: an outcome per job. Next: job.py.
"""

import os
import sys
from collections.abc import Iterator, Sequence

from xval.devices import Slot, environment
from xval.errors import SettingsError
from xval.job import JobOutcome, Report, run_job
from xval.model_check import check_models
from xval.plan import Job


def run(jobs: Sequence[Job], slots: Sequence[Slot], report: Report, *, raise_errors: bool = False) -> Iterator[JobOutcome]:
    """Run jobs in their order.

    Args:
        jobs: What to run.
        slots: The first one's device is used.
        report: Called with what progresses.
        raise_errors: Let the first error through instead of recording it.

    Yields:
        An outcome per job. A job that ran out of memory is tried once more.

    Raises:
        SettingsError: A model cannot be built; or the jobs want more than one backend, or another than the one that this
            process has loaded.
    """
    backends = sorted({str(job.parameters["backend"]) for job in jobs})
    if len(backends) > 1:
        raise SettingsError(f"the inline executor has one backend; received {', '.join(backends)}. Use --executor processes.")
    _bind(slots[0], backends[0])
    faults = check_models(list({job.instance: job for job in jobs}.values()))
    if faults:
        raise SettingsError("\n".join(faults))
    for job in jobs:
        report({"worker": 0, "instance": job.instance, "fold": job.fold.number, "epoch": 0, "values": {}})
        outcome = run_job(job, lambda event: report({"worker": 0, **event}), device=slots[0].device, raise_errors=raise_errors)
        if outcome.status == "crashed":
            outcome = run_job(job, lambda event: report({"worker": 0, **event}), device=slots[0].device)
        yield outcome


def _bind(slot: Slot, backend: str) -> None:
    """Bind this process to a device and a backend; later calls must want the same backend."""
    if "keras" not in sys.modules:
        os.environ.update(environment(slot, backend))
        return
    import keras

    loaded = keras.backend.backend()
    if loaded != backend:
        raise SettingsError(f"this process has loaded {loaded}, the jobs want {backend}. Use --executor processes.")
