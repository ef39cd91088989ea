"""Run jobs one after the other in this process, in which errors can be raised for debugging."""

from collections.abc import Mapping, Sequence
from typing import Any

from xval.backend import devices
from xval.backend.devices import Slot
from xval.backend.gpu_readings import watched_gpus
from xval.backend.limits import limit_threads
from xval.base.errors import SettingsError
from xval.engine.executors._warnings import warnings_to
from xval.engine.worker.check_models import check_models
from xval.engine.worker.run import run_job
from xval.jobs.claim import Report
from xval.jobs.job import Job
from xval.jobs.outcome import Outcomes
from xval.settings.schema import Settings


def make_slots(settings: Settings) -> tuple[Sequence[Slot], str]:
    """Return where this process runs jobs, and a sentence that says so."""
    slots, where = devices.make_slots(settings.gpu_ID.partition(",")[0], workers=1, threads=settings.threads_per_job)
    loaded = devices.loaded_backend()
    if loaded == settings.backend == "tensorflow" and not limit_threads(loaded, settings.threads_per_job):
        where += (
            " TensorFlow has already computed in this process, for example for a Keras object in the script, so "
            "threads_per_job and gpu_ID have no effect."
        )
    return slots, where


def run(jobs: Sequence[Job], slots: Sequence[Slot], report: Report, *, raise_errors: bool = False) -> Outcomes:
    """Run jobs in their order; one that ran out of memory is tried once more. See `Executor.run`.

    All want the same backend, that which this process has loaded, if any. With `raise_errors` the first error is let through
    instead of being recorded.
    """
    backends = sorted({job.settings.backend for job in jobs if job.settings.uses_keras})
    if len(backends) > 1:
        raise SettingsError(
            f"the inline executor supports one backend; received {', '.join(backends)}. Use --executor processes."
        )
    slot = slots[0]
    chosen = backends[0] if backends else jobs[0].settings.backend
    loaded = devices.bind(slot, chosen, deterministic=jobs[0].settings.deterministic)
    if backends and loaded != chosen:
        processes = "--executor processes without debug_mode" if raise_errors else "--executor processes"
        raise SettingsError(
            f"this process has loaded {loaded}, but the jobs need {chosen}, because a script that imports Keras loads a "
            f"backend. Use {processes}, or set KERAS_BACKEND={chosen} before Python starts."
        )
    faults = check_models(list({job.instance: job for job in jobs}.values()))
    if faults:
        raise SettingsError("\n".join(faults))

    def show(event: Mapping[str, Any]) -> None:
        report({"worker": 0, **event})

    def show_begin(job: Job) -> None:
        show({**job.key._asdict(), "epoch": 0, "values": {}})

    with watched_gpus([slot.device]), warnings_to(lambda _: None):
        for job in jobs:
            show_begin(job)
            outcome = run_job(job, show, device=slot.device, raise_errors=raise_errors)
            if outcome.status == "crashed":
                show_begin(job)
                outcome = run_job(job, show, device=slot.device)
            yield outcome
