"""Run one job: the whole path of one fold, from the feature store to its record.

Comes in: a frozen `Job`. Goes out: a complete fold folder and a `JobOutcome`. It runs in whatever process the executor chose;
the device and the backend are bound before this is called.
"""

import json
import re
import shutil
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from preprocessing.feature_settings import FeatureSettings
from xval.catalog import COMBINATION
from xval.epoch_note import EpochNote
from xval.errors import FirstJobError, SettingsError, XvalError
from xval.fold_files import describe_job, describe_untested, memory_mb, peak_memory_mb, save_model, versions, write_history
from xval.folds import SIDES
from xval.initial_model import find_initial_model
from xval.json_files import write_json
from xval.parameters import Settings
from xval.plan import Job, is_current
from xval.results import ExperimentFolder

Report = Callable[[Mapping[str, Any]], None]
Status = Literal["done", "failed", "crashed", "elsewhere"]
FAILED = ("failed", "crashed")
_PARTS = ("loss", "optimizer", "schedule", "metrics", "monitor", "momentum", "weight_decay", "clip_norm")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # Keras writes some of its errors for a terminal
_OUT_OF_MEMORY = ("ResourceExhausted", "OutOfMemory", "RESOURCE_EXHAUSTED")


@dataclass(frozen=True)
class JobOutcome:
    """What became of a job.

    Attributes:
        instance: Number of the instance.
        fold: Number of the fold.
        status: done; failed; crashed (ended by memory or by force, worth another try); elsewhere (another process has it).
        error: One line on what went wrong.
        details: The traceback.
        seconds: Wall-clock time.
        test_metrics: Of a done job; none where no items are left to test.
        memory_mb: Resident memory of the process after the job.
    """

    instance: int
    fold: int
    status: Status
    error: str = ""
    details: str = ""
    seconds: float = 0.0
    test_metrics: dict[str, float] = field(default_factory=dict)
    memory_mb: float = 0.0


def run_job(job: Job, report: Report, *, device: str = "cpu", raise_errors: bool = False) -> JobOutcome:
    """Train and test one fold, and publish its folder.

    Args:
        job: What to run.
        report: Called with what progresses: ``{"instance", "fold", "epoch", "values"}``.
        device: Named in the record.
        raise_errors: Raise the error of the job instead of recording it.

    Returns:
        The outcome; a failure is an outcome, not an exception.

    Raises:
        FirstJobError: The job failed and `raise_errors` is set.
    """
    folder = ExperimentFolder(Path(job.experiment_folder))
    started = time.monotonic()
    with folder.claim(job.instance, job.fold.number) as ours:
        if not ours:
            return JobOutcome(job.instance, job.fold.number, "elsewhere")
        finished = folder.record(job.instance, job.fold.number)
        if finished and finished["status"] == "done":
            if is_current(finished, job.settings_hash, job.folds_hash):
                return JobOutcome(job.instance, job.fold.number, "done", test_metrics=finished["metrics"]["test"])
            if not job.parameters["overwrite_results"]:
                reason = "another run has finished it meanwhile with other settings; its result is kept"
                return JobOutcome(job.instance, job.fold.number, "failed", error=reason)
        temporary = folder.begin_fold(job.instance, job.fold.number)
        note = EpochNote(temporary, job.parameters["num_epochs"])

        def report_and_note(event: Mapping[str, Any]) -> None:
            note.write(event["epoch"])
            report(event)

        try:
            record = _train_and_test(job, temporary, report_and_note) | {
                "seconds": round(time.monotonic() - started, 3),
                "peak_memory_mb": peak_memory_mb(),
                "device": device,
            }
            write_json(temporary / "record.json", record)
            note.remove()
            folder.publish(temporary, job.instance, job.fold.number)
        except Exception as error:
            if raise_errors:
                raise FirstJobError(f"instance {job.instance}, fold {job.fold.number}: {_one_line(error)}") from error
            out_of_memory = isinstance(error, MemoryError) or any(mark in repr(error) for mark in _OUT_OF_MEMORY)
            return JobOutcome(
                job.instance,
                job.fold.number,
                "crashed" if out_of_memory else "failed",
                error=_one_line(error),
                details=traceback.format_exc(),
                seconds=round(time.monotonic() - started, 3),
                memory_mb=memory_mb(),
            )
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return JobOutcome(
            job.instance,
            job.fold.number,
            "done",
            seconds=record["seconds"],
            test_metrics=record["metrics"].get("test", {}),
            memory_mb=memory_mb(),
        )


def check_models(jobs: Sequence[Job]) -> list[str]:
    """Build each different model of some jobs once, and use its loss and such, so that faults show before anything is trained.

    Args:
        jobs: Jobs of one experiment.

    Returns:
        A line per instance whose model cannot be built, or whose other parts cannot be used.
    """
    from xval.part_check import check_parts
    from xval.training import prepare_backend

    faults: dict[str, str] = {}
    names: tuple[str, ...] = (*_PARTS, "architecture", "reshaping_type", "normalization", "precision", "task_type")
    names += ("label_form", "label_frame_s", "sequence_frames", *FeatureSettings.model_fields)
    names += ("initial_model", "frozen_layers", "frozen")
    names += tuple(name for name in Settings.model_fields if name.startswith("augment_"))
    for job in jobs:
        described = json.dumps([job.store_folder, *(job.parameters[name] for name in (*names, *job.option_names))])
        if described not in faults:
            prepare_backend(job.parameters, seed=job.seed)
            checked = f"architecture '{job.parameters['architecture']}'"
            try:
                n_outputs = _check_model(job)
                checked = "loss, optimizer, schedule or metric"
                check_parts(job.parameters, n_outputs)
                faults[described] = ""
            except Exception as error:  # noqa: BLE001 - an architecture or another part of the user's own may raise anything
                faults[described] = f"instance {job.instance}: {checked}: {_one_line(error)}"
    return [fault for fault in faults.values() if fault]


def _check_model(job: Job) -> int:
    """Build the model of a job, or cut the networks that it combines where they are written; return its number of outputs."""
    from preprocessing.store import open_store
    from preprocessing.waveforms import example_lengths
    from xval.model import build_model
    from xval.residual import with_residual
    from xval.training_augmentation import augmented
    from xval.transfer import start_from

    store = open_store(Path(job.store_folder))
    if job.parameters["architecture"] == COMBINATION:
        from xval.combination.fold import cut_models
        from xval.combination_options import model_paths

        if all(Path(path).exists() for path in model_paths(job.parameters["models"], job.fold.number)):
            cut_models(job, store)
        return len(store.class_names)
    model = build_model(job.parameters, job.option_names, store, store.items)
    if initial := find_initial_model(job.parameters, job.fold):
        start_from(model, initial, job.parameters, store)
    fitted_model = augmented(model, job.parameters, seed=job.seed)
    if job.parameters["task_type"] == "representation":
        with_residual(model, fitted_model)
    if store.is_waveform and job.parameters["task_type"] != "frame_classification":
        _check_crop(model, example_lengths(store, FeatureSettings.among(job.parameters)).training)
    return int(model.output_shape[-1])


def _check_crop(model: Any, n_samples: int) -> None:
    """Refuse crops that a model for clips of any length pools away, which only shows with samples."""
    import numpy as np

    try:
        prediction = np.asarray(model.predict_on_batch(np.zeros((1, n_samples), np.float32)))
    except Exception as error:
        raise SettingsError(f"cannot read crops of {n_samples} samples; raise crop_s ({_one_line(error)})") from error
    if not np.isfinite(prediction).all():
        raise SettingsError(f"crops of {n_samples} samples are too short for it; raise crop_s")


def _train_and_test(job: Job, temporary: Path, report: Report) -> dict[str, Any]:
    """Take one fold from the feature store to its record; this is the whole path of the data."""
    from preprocessing.store import open_store
    from xval.compiled_model import WARM_MODEL, compile_model
    from xval.fold_data import load_fold
    from xval.model import build_model, class_names, count_parameters
    from xval.training import prepare_backend, train_model
    from xval.transfer import start_from

    settings = job.parameters
    if settings["architecture"] == COMBINATION:
        from xval.combination import fold

        items = {side: list(getattr(job.fold, side)) for side in SIDES}
        return describe_job(job) | {"items": items} | fold.train_and_test(job, temporary)
    prepare_backend(settings, seed=job.seed)
    store = open_store(Path(job.store_folder))
    frames = settings if settings["task_type"] == "frame_classification" else None
    data = load_fold(store, job.fold, FeatureSettings.among(settings), in_memory=not settings["generator"], frames=frames)
    model = build_model(settings, job.option_names, store, data.training_items)
    initial = find_initial_model(settings, job.fold)
    transferred = initial.facts | start_from(model, initial, settings, store) if initial else {}

    def report_epoch(epoch: int, values: Mapping[str, float]) -> None:
        known = {name: round(float(value), 6) for name, value in values.items()}
        report({"instance": job.instance, "fold": job.fold.number, "epoch": epoch, "values": known})

    compiled = WARM_MODEL.take(compile_model(model, settings, seed=job.seed), settings)
    log_folder = str(temporary / "tensorboard") if settings["tensorboard"] else None
    try:
        history = train_model(
            compiled, data, settings, seed=job.seed, report=report_epoch, log_folder=log_folder, refit=job.refit
        )
    except BaseException:
        WARM_MODEL.forget()  # nobody knows in what state it is
        raise
    model = compiled.whole
    if job.refit:
        tested = describe_untested(job, data, class_names(store, settings))
    else:
        evaluation = _evaluate(model, data, settings, history)
        evaluation.write(temporary)
        tested = {"status": "done", **evaluation.figures}

    save_model(model, temporary, job, store, tested["class_names"], initial)
    write_history(temporary / "history.csv", history)
    return describe_job(job) | {
        "items": {side: list(getattr(job.fold, side)) for side in SIDES},
        **transferred,
        **tested,
        "best_epoch": history.best_epoch,
        "epochs": len(history.epochs),
        "n_parameters": count_parameters(model),
        "versions": versions(),
    }


def _evaluate(model: Any, data: Any, settings: Mapping[str, Any], history: Any) -> Any:
    """Test a fitted model as its task wants it; return an `evaluation.Evaluation`."""
    match settings["task_type"]:
        case "representation":
            from xval.reconstruction import evaluate_reconstruction

            return evaluate_reconstruction(model, data, settings)
        case "frame_classification":
            from xval.frame_evaluation import evaluate_frames

            return evaluate_frames(model, data, settings, history)
    from xval.evaluation import evaluate_model

    return evaluate_model(model, data, settings, history)


def record_failure(job: Job, outcome: JobOutcome) -> None:
    """Publish the record of a job that failed for good.

    Args:
        job: The job.
        outcome: Its outcome.

    Raises:
        OSError: The disk is full or gone.
    """
    folder = ExperimentFolder(Path(job.experiment_folder))
    with folder.claim(job.instance, job.fold.number) as ours:
        finished = folder.record(job.instance, job.fold.number)
        if not ours or (finished and finished["status"] == "done"):
            return
        temporary = folder.begin_fold(job.instance, job.fold.number)
        record = describe_job(job) | {
            "status": "failed",
            "items": {side: list(getattr(job.fold, side)) for side in SIDES},
            "error": outcome.error,
            "traceback": outcome.details,
            "seconds": outcome.seconds,
        }
        write_json(temporary / "record.json", record)
        folder.publish(temporary, job.instance, job.fold.number)


def _one_line(error: BaseException) -> str:
    text = " ".join(_COLOURS.sub("", str(error)).split())
    name = "" if isinstance(error, XvalError) else f"{type(error).__name__}: "
    return f"{name}{text}"[:500]
