"""Run one job: the complete path of one fold, one trial or all items, from the feature store to its record.

It runs in the process that the executor chose, whose device and backend are already set.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from xval.base.json_files import write_json
from xval.engine.learners import Fit, Fitted, find_learner
from xval.engine.observers import job_observers
from xval.engine.worker.trial import score_trial
from xval.jobs.claim import ClaimedFold, Report
from xval.jobs.job import Job
from xval.jobs.model_files import describe_model, hash_model_files
from xval.jobs.observers import Observers
from xval.jobs.outcome import JobOutcome
from xval.jobs.record import describe_job, describe_untested, write_history
from xval.models.saved.novelty import describe_novelty
from xval.models.saved.provenance import write_seen_audio

Work = Callable[[Job, Path, Observers], Mapping[str, Any]]
"""A function that writes files into the temporary folder of a claimed fold, and returns its record."""


def run_fold(job: Job, folder: Path, observers: Observers, fit: Fit | None = None) -> dict[str, Any]:
    """Run one fold, one trial, or all items, and return the record without the entries that are only known at the end.

    The model is fitted by the learner of its architecture, or by `fit`.
    """
    fit = fit or find_learner(job.settings.architecture)
    if job.trial:
        return describe_job(job) | score_trial(job, folder, observers, fit)
    with fit(job, folder, observers) as fitted:
        return test_and_save(fitted, folder, observers)


def test_and_save(fitted: Fitted, folder: Path, observers: Observers) -> dict[str, Any]:
    """Test a fitted model if there are test items; write the files of its fold, and return its record."""
    from xval.training.evaluation.novelty import find_novelty

    job, data = fitted.job, fitted.data
    novelty = observers.by_product("novelty", lambda: find_novelty(job, data, fitted.embedder()))
    if job.refit:
        tested = describe_untested(job, data)
    else:
        evaluation = fitted.evaluate(observers)
        evaluation.write(folder)
        tested = {"status": "done", **evaluation.facts}
    record = describe_job(job) | tested | dict(fitted.facts()) | describe_novelty(novelty)
    described = describe_model(job, data, fitted.earlier, record) | fitted.save(folder, tested)
    described |= (observers.by_product("novelty", lambda: novelty.write(folder)) if novelty else None) or {}
    write_json(folder / "model.json", described, flushed=False)
    observers.by_product("seen audio", lambda: write_seen_audio(folder, data, fitted.earlier))
    return record | {"model_sha256": hash_model_files(folder)}


def run_job(job: Job, report: Report, *, device: str = "cpu", raise_errors: bool = False, work: Work = run_fold) -> JobOutcome:
    """Train and test one fold, and publish its folder; a failure is an outcome, not an exception.

    Args:
        job: The job to run.
        report: Called with progress events: ``{"instance", "fold", "repeat", "epoch", "values"}``.
        device: Name of the device for the record.
        raise_errors: Raise the error of the job instead of recording it.
        work: The work of the job; another function is used to measure the overhead around it.
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
    """Publish the record of a job that failed finally; raise an `OSError` if the disk is full or missing."""
    folder = job.folder
    with folder.claim(*job.key) as is_ours:
        finished = folder.record(*job.key)
        if not is_ours or (finished and finished["status"] == "done"):
            return
        temporary = folder.begin_fold(*job.key)
        record = describe_job(job) | {
            "status": "failed",
            "error": outcome.error,
            "traceback": outcome.details,
            "seconds": outcome.seconds,
        }
        write_json(temporary / "record.json", record, flushed=False)
        if outcome.history:
            write_history(temporary / "history.csv", outcome.history)
        folder.publish(temporary, *job.key)
