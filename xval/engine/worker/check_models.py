"""Build the models of jobs before training.

This runs in the process that will train, or in a similar one.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeGuard

from preprocessing.store import open_store
from xval.backend.devices import load_keras
from xval.base.errors import one_line
from xval.base.user_code import definitions
from xval.base.user_code.modules import describe_place
from xval.engine.worker.check_metrics import check_metrics
from xval.jobs.job import Job, model_identity
from xval.settings.architectures import COMBINATION, trains_network
from xval.settings.combination import CombinationOptions
from xval.settings.model_address import is_address
from xval.settings.schema import UNHASHED_KEYS, Settings


def check_models(jobs: Sequence[Job]) -> list[str]:
    """Build each different model of some jobs once, test its loss and other parts, and try all steps of a job with it.

    Returns a line for each instance that fails.
    """
    faults: dict[str, str] = {}
    for job in jobs:
        settings = job.settings
        if not settings.uses_keras and settings.metrics == "auto":
            continue
        identity = model_identity(job)
        if definitions.is_dotted(settings.schedule):  # which is asked for each epoch
            identity += json.dumps([settings.num_epochs, settings.learning_rate])
        if identity not in faults:
            faults[identity] = _find_fault(job, _check_parts)
        if not faults[identity] and trains_network(settings.architecture) and (path := _path_of(job)) not in faults:
            faults[path] = _find_fault(job, _try)
    return [fault for fault in faults.values() if fault]


_LENGTHS = ("clip_length_s", "example_length_s", "crop_s", "stretch_frames")
_OF_SHAPES = re.compile(r"\b(shapes?|dimensions?|(input|output)[ _]size|allowed size)\b", re.IGNORECASE)

Check = Callable[[Job], Iterator[str]]
"""Yields the name of the next check."""


def _find_fault(job: Job, check: Check) -> str:
    """Return a line on the part of a job that fails; empty: none."""
    if job.settings.uses_keras:
        load_keras()
        from xval.jobs.prepare_backend_for_job import prepare_for

        prepare_for(job)
    checked = ""
    try:
        for checked in check(job):  # noqa: B007 - the last one is named
            pass
    except Exception as error:  # noqa: BLE001 - an architecture or another part of the user's own may raise anything
        cuts = _name_cuts(job.settings, str(error))
        text = f"{describe_place(error)}{one_line(error).rstrip('.') + cuts if cuts else one_line(error)}"
        return f"instance {job.instance}: {_describe_trial(job)}{text if text.startswith(checked) else f'{checked}: {text}'}"
    return ""


def _describe_trial(job: Job) -> str:
    """Return the values of a trial, as a prefix for a message; empty: the job is none."""
    if job.trial is None:
        return ""
    return f"search, {', '.join(f'{name}={value!r:.60}' for name, value in job.trial.values.items())}: "


def _name_cuts(settings: Settings, reason: str) -> str:
    """Return the settings that determine the length of examples, if this may be why a model cannot be built."""
    lengths = {name: getattr(settings, name) for name in _LENGTHS if getattr(settings, name) is not None}
    if not lengths or not _OF_SHAPES.search(reason):
        return ""
    listed = ", ".join(f"{name}={value:g}" for name, value in lengths.items())
    return f". The length of the examples is set by {listed}."


def _check_parts(job: Job) -> Iterator[str]:
    yield f"architecture '{job.settings.architecture}'"
    n_outputs = _check_model(job)
    yield "loss, optimizer, schedule, metric or callback"
    check_metrics(job.settings, n_outputs)
    if job.settings.uses_keras:
        from xval.engine.worker.check_parts import check_parts

        check_parts(job.settings, n_outputs)


def _try(job: Job) -> Iterator[str]:
    from xval.engine.worker.sanity_check import sanity_check

    yield f"architecture '{job.settings.architecture}'"
    sanity_check(job)


def _path_of(job: Job) -> str:
    """Return everything that determines the code path of a job's training as text: all settings that are not numbers.

    Numbers only determine sizes, so instances that differ only in numbers are tried once, except for numbers whose 0 switches
    off a part.
    """
    counted = {name: value for name, value in job.parameters.items() if name not in UNHASHED_KEYS}
    return json.dumps({name: value > 0 if _is_number(value) else value for name, value in counted.items()}, default=repr)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_model(job: Job) -> int:
    """Build the model of a job, or cut the networks that it combines if they exist; return its number of outputs."""
    store = open_store(Path(job.store_folder))
    if not trains_network(job.settings.architecture) and job.settings.architecture != COMBINATION:
        return len(store.class_names) or len(store.target_names)
    if job.settings.architecture == COMBINATION:
        from xval.engine.learners.combination import cut_models  # here and below, because estimators do without Keras

        if all(
            is_address(path) or Path(path).exists() for path in CombinationOptions.of(job.options).model_paths(job.fold.number)
        ):
            cut_models(job, store)
        return len(store.class_names)
    from xval.engine.worker.check_network import check_network

    return check_network(job, store)
