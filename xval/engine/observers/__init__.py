"""What watches a job in the process that runs it: one file per observer, found by its name.

Each has ``watch(claimed, report) -> Observer | None``: what watches a claimed job, if it does; see xval/jobs/observers.py.
"""

from importlib import import_module
from pkgutil import iter_modules

from xval.backend.devices import load_keras
from xval.jobs.claim import ClaimedFold, Report
from xval.jobs.observers import Observers


def job_observers(claimed: ClaimedFold, report: Report) -> Observers:
    """Return what watches a job: all of this package, and those of the user's own; `report` is as of `run_job`."""
    watching = (import_module(f"{__name__}.{module.name}").watch(claimed, report) for module in iter_modules(__path__))
    of_xval = [observer for observer in watching if observer is not None]
    if claimed.job.settings.callbacks is None:
        return Observers(of_xval)
    load_keras()
    from xval.jobs.prepare import prepare_for
    from xval.training.own_callbacks import own_parts

    prepare_for(claimed.job)  # threads are bound before the user's own code computes anything
    return Observers(of_xval, *own_parts(claimed.job.settings))
