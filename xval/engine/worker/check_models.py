"""Build the models of jobs before any of them is trained.

It runs in the process that will train, or in one like it.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeGuard

from preprocessing.store import open_store
from xval.backend.devices import load_keras
from xval.base.errors import SettingsError, counted, one_line
from xval.base.user_code import definitions
from xval.base.user_code.modules import describe_place
from xval.engine.worker.check_metrics import check_metrics
from xval.jobs.fold_part import read_clips_of
from xval.jobs.job import Job, model_identity
from xval.models.saved.initial import find_initial_model
from xval.settings.architectures import COMBINATION, trains_network
from xval.settings.model_address import is_address
from xval.settings.schema import UNHASHED_KEYS, Settings


def check_models(jobs: Sequence[Job]) -> list[str]:
    """Build each different model of some jobs once, use its loss and such, and try all that a job does with it.

    A line is returned per instance where that fails.
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


Check = Callable[[Job], Iterator[str]]
"""Yields the name of what is checked next."""


def _find_fault(job: Job, check: Check) -> str:
    """Return a line on what of a job fails; empty: nothing."""
    if job.settings.uses_keras:
        load_keras()
        from xval.jobs.prepare_backend_for_job import prepare_for

        prepare_for(job)
    checked = ""
    try:
        for checked in check(job):  # noqa: B007 - the last one is named
            pass
    except Exception as error:  # noqa: BLE001 - an architecture or another part of the user's own may raise anything
        text = f"{describe_place(error)}{one_line(error)}"
        return f"instance {job.instance}: {text if text.startswith(checked) else f'{checked}: {text}'}"
    return ""


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
    """Return all of a job that decides which code its training goes through: each setting that is no number, as a text.

    Numbers decide sizes. So instances that differ only in them are tried once, but for what 0 switches off.
    """
    counted = {name: value for name, value in job.parameters.items() if name not in UNHASHED_KEYS}
    return json.dumps({name: value > 0 if _is_number(value) else value for name, value in counted.items()}, default=repr)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_model(job: Job) -> int:
    """Build the model of a job, or cut the networks that it combines where they are written; return its number of outputs."""
    store = open_store(Path(job.store_folder))
    if not trains_network(job.settings.architecture) and job.settings.architecture != COMBINATION:
        return len(store.class_names) or len(store.target_names)
    if job.settings.architecture == COMBINATION:
        from xval.engine.learners.combination import cut_models
        from xval.settings.combination import CombinationOptions

        if all(
            is_address(path) or Path(path).exists() for path in CombinationOptions.of(job.options).model_paths(job.fold.number)
        ):
            cut_models(job, store)
        return len(store.class_names)
    from preprocessing.store.waveforms import example_lengths
    from xval.models.build import build_model
    from xval.models.residual import with_residual
    from xval.models.transfer import freeze_blocks, start_from
    from xval.training.augmentation import augmented, check_sizes
    from xval.training.built_twice import weights_from_elsewhere

    build = partial(build_model, job.settings, job.options, store, store.items)
    model = build()
    weights_from_elsewhere(job, build, model)
    corpus_folder = store.folder.parents[1]
    if initial := find_initial_model(job.settings, job.fold, corpus_folder, read_clips_of(job.settings, corpus_folder)):
        start_from(model, initial, job.settings, store)
    else:
        freeze_blocks(model, job.settings)
    fitted_model = augmented(model, job.settings, seed=job.seed)
    if job.settings.task.target == "input":
        with_residual(model, fitted_model)
    example_shape = model.input_shape[1:]
    if store.is_waveform and job.settings.frames is None:
        example_shape = (example_lengths(store, job.settings.feature_settings()).training,)
        _check_crop(model, *example_shape)
    elif None in example_shape:  # padding = masked: batches are cut to their longest clip
        example_shape = store.example_shape
        check_sizes(fitted_model, example_shape)
    n_outputs = int(model.output_shape[-1])
    _check_end(model, example_shape, job.settings)
    return n_outputs


def _check_end(model: Any, example_shape: tuple[int, ...], settings: Settings) -> None:
    """Refuse a network whose answers are probabilities already, where no layer tells."""
    import keras

    from xval.models.build import PREDICTION
    from xval.models.network_end import activation_at_end, answers_of

    activation, names = settings.task.activation, [layer.name for layer in model.layers]
    network = model.layers[names.index(PREDICTION) - 1]
    if activation == "linear" or activation_at_end(network) == "linear":
        return
    form = answers_of(keras.Model(model.input, model.get_layer(PREDICTION).input), example_shape)
    if form == "numbers":
        return
    what = "probabilities: each row adds up to 1" if form == "probabilities" else "numbers from 0 to 1, as after a sigmoid"
    raise SettingsError(
        f"its network always outputs {what}. xval adds {activation} itself, which would make the probabilities nearly equal. "
        "Remove the last activation, as in keras.layers.Dense(output_shape[-1])"
    )


def _check_crop(model: Any, n_samples: int) -> None:
    """Refuse crops that a model for clips of any length pools away, which only shows with samples."""
    import numpy as np

    try:
        prediction = np.asarray(model.predict_on_batch(np.zeros((1, n_samples), np.float32)))
    except Exception as error:
        raise SettingsError(f"cannot read crops of {counted(n_samples, 'sample')}. Raise crop_s ({one_line(error)})") from error
    if not np.isfinite(prediction).all():
        raise SettingsError(f"crops of {counted(n_samples, 'sample')} are too short for it. Raise crop_s")
