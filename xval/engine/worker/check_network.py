"""Build the network of a job before training; errors of the architecture are raised."""

from functools import partial
from typing import Any

import keras
import numpy as np

from preprocessing.store import FeatureStore
from preprocessing.store.waveforms import example_lengths
from xval.base.errors import SettingsError, counted, one_line
from xval.jobs.fold_part import read_clips_of
from xval.jobs.job import Job
from xval.models.build import PREDICTION, build_model
from xval.models.network_end import activation_at_end, answers_of
from xval.models.residual import with_residual
from xval.models.saved.initial import find_initial_model
from xval.models.transfer import freeze_blocks, start_from
from xval.settings.schema import Settings
from xval.training.augmentation import augmented, check_sizes
from xval.training.built_twice import weights_from_elsewhere


def check_network(job: Job, store: FeatureStore) -> int:
    """Build the network of a job, with its initial weights and its augmentation; return its number of outputs."""
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
    """Raise an error for a network whose outputs already are probabilities although no layer shows it."""
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
    """Raise an error for crops that are too short for the pooling of a model for clips of any length."""
    try:
        prediction = np.asarray(model.predict_on_batch(np.zeros((1, n_samples), np.float32)))
    except Exception as error:
        raise SettingsError(f"cannot read crops of {counted(n_samples, 'sample')}. Raise crop_s ({one_line(error)})") from error
    if not np.isfinite(prediction).all():
        raise SettingsError(f"crops of {counted(n_samples, 'sample')} are too short for it. Raise crop_s")
