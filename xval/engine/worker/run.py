"""Run one job: the whole path of one fold, from the feature store to its record.

Comes in: a frozen `Job`. Goes out: a complete fold folder and a `JobOutcome`. It runs in whatever process the executor chose;
the device and the backend are bound before this is called.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from xval.backend.devices import load_keras
from xval.base.json_files import write_json
from xval.engine.observers import job_observers
from xval.folds.predefined import SIDES
from xval.jobs.claim import ClaimedFold, Report
from xval.jobs.job import Job
from xval.jobs.model_files import save_model
from xval.jobs.observers import Observers
from xval.jobs.outcome import JobOutcome
from xval.jobs.record import describe_job, describe_untested, versions, write_history
from xval.models.saved.novelty import describe_novelty
from xval.settings.architectures import trains_network

if TYPE_CHECKING:
    import keras

    from xval.training.fit import History
    from xval.training.setup import FoldSetup

Work = Callable[[Job, Path, Observers], Mapping[str, Any]]
"""What is done in a claimed fold: it writes files into its temporary folder, and returns its record."""


def train_and_test(job: Job, temporary: Path, observers: Observers) -> dict[str, Any]:
    """Take one fold from the feature store to its record, but for what only the end knows: the whole path of the data."""
    if job.trial:
        load_keras()
        from xval.engine.worker.trial import train_and_score

        return _describe(job) | train_and_score(job, temporary, observers)
    if not trains_network(job.settings.architecture):
        from xval.engine.worker import classical

        return _describe(job) | classical.train_and_test(job, temporary)
    load_keras()
    from xval.backend import on_device
    from xval.training.fit import train_model
    from xval.training.setup import set_up_fold

    with set_up_fold(job, temporary, observers) as setup:
        history = train_model(
            setup.compiled,
            setup.data,
            job.settings,
            seed=job.seed,
            observers=observers,
            refit=job.refit,
            checkpoints=setup.checkpoints,
        )
        tested = test_and_save(job, setup, history, temporary, observers)
    return {**tested.record, **on_device.describe(setup.compiled.fitted)}


def run_job(
    job: Job, report: Report, *, device: str = "cpu", raise_errors: bool = False, work: Work = train_and_test
) -> JobOutcome:
    """Train and test one fold, and publish its folder; a failure is an outcome, not an exception.

    Args:
        job: What to run.
        report: Called with what progresses: ``{"instance", "fold", "repeat", "epoch", "values"}``.
        device: Named in the record.
        raise_errors: Raise the error of the job instead of recording it.
        work: What is done; another than the job itself is for measuring what is done around it.
    """
    with ClaimedFold(job, device=device) as claimed:
        if claimed.outcome is not None:
            return claimed.outcome
        try:
            claimed.begin(job_observers(claimed, report))
            return claimed.publish(work(job, claimed.temporary, claimed.observers))
        except Exception as error:  # noqa: BLE001 - whatever a job raises is its outcome
            return claimed.fail(error, raise_errors=raise_errors)


def record_failure(job: Job, outcome: JobOutcome) -> None:
    """Publish the record of a job that failed for good; an `OSError` is raised where the disk is full or gone."""
    folder = job.folder
    with folder.claim(*job.key) as is_ours:
        finished = folder.record(*job.key)
        if not is_ours or (finished and finished["status"] == "done"):
            return
        temporary = folder.begin_fold(*job.key)
        record = _describe(job) | {
            "status": "failed",
            "error": outcome.error,
            "traceback": outcome.details,
            "seconds": outcome.seconds,
        }
        write_json(temporary / "record.json", record, flushed=False)
        if outcome.history:
            write_history(temporary / "history.csv", outcome.history)
        folder.publish(temporary, *job.key)


def _describe(job: Job) -> dict[str, Any]:
    searched = {"search": dict(job.chosen)} if job.chosen else {}
    return describe_job(job) | {"items": {side: list(getattr(job.fold, side)) for side in SIDES}} | searched


class Tested(NamedTuple):
    """What a fold has left: its record, and the model as it is saved."""

    record: dict[str, Any]
    model: "keras.Model"


def test_and_save(job: Job, setup: "FoldSetup", history: "History", temporary: Path, observers: Observers) -> Tested:
    """Test a fitted model, and write the files of its fold."""
    from xval.models.build import class_names, count_parameters, with_temperature
    from xval.training.evaluation.fold import evaluate_model
    from xval.training.evaluation.novelty import novelty_of_network

    model = setup.compiled.whole
    limit_ratio = job.refit.facts.get("novelty_limit_ratio") if job.refit else None
    novelty = observers.by_product(
        "novelty", lambda: novelty_of_network(model, setup.data, job.settings, limit_ratio=limit_ratio)
    )
    if job.refit:
        tested = describe_untested(job, setup.data, class_names(setup.store, job.settings))
    else:
        settings = job.settings
        of_training = None if settings.evaluate_training else history.followed_figures(settings.task.training_metric)
        evaluation = evaluate_model(
            model, setup.data, settings, known=history.predictions, of_training=of_training, observers=observers
        )
        evaluation.write(temporary)
        tested = {"status": "done", **evaluation.facts}
    temperature = tested.get("temperature")
    saved = with_temperature(model, temperature) if temperature else model
    save_model(
        saved,
        temporary,
        job,
        setup.store,
        tested["class_names"],
        setup.initial,
        tested.get("thresholds"),
        setup.facts.get("outside_weights", ()),
        novelty,
        observers,
    )
    write_history(temporary / "history.csv", history.epochs)
    record = _describe(job) | {
        **setup.facts,
        **tested,
        "best_epoch": history.best_epoch,
        "epochs": len(history.epochs),
        **({"diverged": history.diverged} if history.diverged else {}),
        "n_parameters": count_parameters(model),
        **describe_novelty(novelty),
        "versions": versions(),
    }
    return Tested(record, saved)
