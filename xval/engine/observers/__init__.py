"""Observers of a job in the process that runs it: one file each, found by its name.

Each has ``watch(claimed, report) -> Observer | None``, which returns the observer of a claimed job, if any; see
xval/jobs/observers.py.
"""

from functools import partial
from importlib import import_module
from pkgutil import iter_modules

from xval.backend.devices import load_keras
from xval.jobs.claim import ClaimedFold, Report
from xval.jobs.observers import Observers


def job_observers(claimed: ClaimedFold, report: Report) -> Observers:
    """Return the observers of a job: those of this package and the user's; `report` is as for `run_job`."""
    observers = Observers()
    for module in iter_modules(__path__):
        watch = import_module(f"{__name__}.{module.name}").watch
        if observer := observers.by_product(module.name, partial(watch, claimed, report)):
            observers.add(observer)
    if claimed.job.settings.callbacks is None:
        return observers
    load_keras()
    from xval.jobs.prepare_backend_for_job import prepare_for
    from xval.training.own_callbacks import own_parts

    prepare_for(claimed.job)  # threads are bound before the user's own code computes anything
    observers.add_own(*own_parts(claimed.job.settings))
    return observers
