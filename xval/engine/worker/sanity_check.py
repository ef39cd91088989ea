"""Run all steps of a job on a few clips before the first job, to find errors before hours of training."""

import errno
import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from xval.backend.keras_internals import all_layers
from xval.base.errors import DivergenceError, SettingsError, UnsafeModelError, first_of, one_line
from xval.base.user_code.modules import describe_place
from xval.data.fold import Examples
from xval.engine.learners.network import FoldNetwork
from xval.engine.worker.run import test_and_save
from xval.jobs.claim import is_out_of_memory
from xval.jobs.job import Job
from xval.jobs.observers import Observers
from xval.models.predict import predict
from xval.models.saved.check_layers import IMPORT
from xval.models.saved.load import read_keras_model
from xval.models.saved.registered import check_registered, own_layers
from xval.results.folder import KERAS_NAME
from xval.training.fit import History, train_model
from xval.training.own_callbacks import own_parts
from xval.training.setup import set_up_fold

_MOST_COMPARED = 8  # predictions
# As a share of the largest prediction, by the type that the model computes in: what rounding alone does not reach.
_TOLERANCES = {"float32": 1e-3, "float16": 2e-2, "bfloat16": 1e-1}


def sanity_check(job: Job) -> None:
    """Train one step on a few clips, validate, test, save and read back, and compare the predictions.

    It uses the settings of the job, including callbacks; only the compiled model is kept, which the first job uses. Values that
    are undefined for so few clips, such as metrics, are not faults; nor is a lack of memory or disk space.

    Raises:
        SettingsError: A part fails; the message names it.
    """
    if job.trial:  # of a search: its fold has no test items
        job = replace(job, trial=None, fold=replace(job.fold, test=job.fold.validation))
    try:
        with TemporaryDirectory(prefix="xval_check_") as name, redirect_stdout(io.StringIO()):
            folder = Path(name)
            observers = Observers(callbacks=own_parts(job.settings)[1])
            with set_up_fold(job, folder, observers, few=True) as setup:
                model, side = setup.compiled.whole, setup.data.sides.get("test", setup.data.training)
                check_registered(model)
                with _named("its first training step"):
                    history = History([{"loss": np.nan, job.settings.task.training_metric: np.nan}], 1)
                    with _undefined_is_no_fault():
                        history = train_model(
                            setup.compiled, setup.data, job.settings, seed=job.seed, observers=observers, most_epochs=1,
                            refit=job.refit,
                        )  # fmt: skip
                with _named("its prediction for a single clip"):
                    model.predict_on_batch(side.predictors(np.arange(1)))
                with _named("its test"):
                    predicted = predict(model, side, job.settings.batch_size)
                    if np.isfinite(predicted).all():
                        with _undefined_is_no_fault():
                            fitted = FoldNetwork(job, setup.data, [], setup, history)
                            saved = fitted.calibrated(test_and_save(fitted, folder, observers).get("temperature"))
                if not (folder / KERAS_NAME).exists():
                    return
                with _named("loading its saved model"):
                    _compare(saved, _read_back(folder / KERAS_NAME), side)
    except Exception as error:
        if not _is_of_the_machine(error):
            raise


def _is_of_the_machine(error: BaseException | None) -> bool:
    """Return whether an error is a lack of memory or disk space, because such a job is retried or recorded."""
    if error is None:
        return False
    is_full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
    return is_full or is_out_of_memory(error) or _is_of_the_machine(error.__cause__)


@contextmanager
def _named(part: str) -> Iterator[None]:
    """Add the name of the part of the job to its errors."""
    try:
        yield
    except Exception as error:
        raise SettingsError(f"{part}: {describe_place(error)}{one_line(error)}") from error


@contextmanager
def _undefined_is_no_fault() -> Iterator[None]:
    try:
        yield
    except DivergenceError:
        return


def _read_back(path: Path) -> keras.Model:
    """Return a saved model; the error for one that cannot be read has advice."""
    try:
        return read_keras_model(path)
    except UnsafeModelError as error:
        text = str(error).removeprefix(f"{path}: ").partition(IMPORT)[0]
        raise SettingsError(
            f"{text} Your own functions and classes need @keras.saving.register_keras_serializable(package=...) above them, "
            "and classes need get_config() and from_config() to restore them"
        ) from error


def _compare(model: keras.Model, read: keras.Model, side: Examples) -> None:
    """Raise a SettingsError if the predictions of a model that was read back differ by more than rounding errors."""
    alike = np.arange(len(side)) if side.lengths is None else np.flatnonzero(side.lengths == side.lengths[0])
    predictors = side.predictors(alike[:_MOST_COMPARED])
    wanted, received = _answers(model, predictors), _answers(read, predictors)
    tolerance = _tolerance(model) * max(1.0, float(np.abs(wanted).max(initial=0)))
    difference = float(np.abs(wanted - received).max(initial=0))
    if difference <= tolerance or float(np.abs(wanted - _answers(model, predictors)).max(initial=0)) > tolerance:
        return  # what predicts otherwise each time cannot be compared
    named = first_of(dict.fromkeys(type(layer).__qualname__ for layer in own_layers(model)), 5)
    raise SettingsError(
        f"its predictions differ by up to {difference:.2g} from those of the trained model for the same clips"
        + (f". Probably one of its own classes ({named})" if named else ". Probably one of its layers")
        + " has a get_config() that lacks an argument of __init__, or stores values outside of a keras.Variable (add_weight)"
    )


def _answers(model: keras.Model, predictors: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(model(predictors, training=False), "float32")), np.float64)


def _tolerance(model: Any) -> float:
    return max(_TOLERANCES.get(layer.compute_dtype, 0.0) for layer in all_layers(model))
