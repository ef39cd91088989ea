from io import StringIO

import pytest
from rich.console import Console

from xval.experiment.progress import JobProgress
from xval.folds.plan import Fold
from xval.jobs.job import Job
from xval.jobs.observers import WatchedJobs
from xval.jobs.outcome import JobOutcome


@pytest.fixture
def make_progress(make_settings):
    """Return a function that gives the progress of jobs of some instances, each with settings, what its jobs
    are watched by, and what it writes to."""

    def make(instances, *, n_folds=2, is_verbose=False, **console):
        jobs = [
            Job("r", "code", "store", number, Fold(fold, ("a",), ("b",), ("c",)), make_settings(**own), {}, "h", "f", seed=1)
            for number, own in instances.items()
            for fold in range(1, n_folds + 1)
        ]
        written = StringIO()
        progress = JobProgress(Console(file=written, width=200, **console), jobs, quiet=False, is_verbose=is_verbose)
        return progress, WatchedJobs(jobs, progress.watch), written

    return make


def test_jobs_are_run_watched_and_each_outcome_is_taken_before_it_is_printed(make_progress):
    _, watched, written = make_progress({1: {}}, n_folds=2)
    taken = []

    def run_jobs(jobs, report):
        for job in jobs:
            report({"worker": 0, **job.key._asdict(), "epoch": 0, "values": {}})
            yield JobOutcome.of(job.key, "elsewhere")

    outcomes = watched.run(run_jobs, lambda job, outcome: taken.append((job.key == outcome.key, written.getvalue())))

    assert [outcome.fold for outcome in outcomes] == [1, 2]
    first, both = "1/2  instance 1, fold 1: another process is running it\n", written.getvalue()
    assert both == f"{first}2/2  instance 1, fold 2: another process is running it\n"
    assert taken == [(True, ""), (True, first)]


def test_an_error_of_what_takes_an_outcome_ends_what_runs(make_progress):
    _, watched, _ = make_progress({1: {}})
    ended = []

    def run_jobs(jobs, _report):
        try:
            for job in jobs:
                yield JobOutcome.of(job.key, "done")
        finally:
            ended.append(len(jobs))

    def take(_job, _outcome):
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        watched.run(run_jobs, take)
    assert ended == [2]


def test_a_note_is_printed_once_for_an_instance(make_progress):
    _, watched, written = make_progress({1: {}})
    for fold in (1, 2):
        watched.report({"worker": 0, "instance": 1, "fold": fold, "note": "trained by itself: no room"})

    assert written.getvalue() == "instance 1: trained by itself: no room\n"


def test_what_code_of_the_users_own_prints_is_shown_each_time_beside_its_job(make_progress):
    progress, watched, written = make_progress({1: {}})
    for _ in range(2):
        watched.report({"worker": 0, "instance": 1, "fold": 2, "printed": "norm 0.5"})
    progress.quiet = True
    watched.report({"worker": 0, "instance": 1, "fold": 1, "printed": "norm 0.5"})

    assert written.getvalue() == "instance 1, fold 2: norm 0.5\n" * 2


def test_a_fold_that_takes_minutes_has_its_seconds_per_epoch_said_once(make_progress, monkeypatch):
    _, watched, written = make_progress({1: {"num_epochs": 50}, 2: {"num_epochs": 5}})
    clock = iter(range(0, 1000, 7))  # each look at it is 7 s after the last one
    monkeypatch.setattr("xval.experiment.progress.time.monotonic", lambda: next(clock))
    for instance, fold in ((1, 1), (1, 2), (2, 1)):
        for epoch in range(4):
            watched.report({"worker": 0, "instance": instance, "fold": fold, "epoch": epoch, "values": {}})

    assert written.getvalue() == "instance 1: 14 s per epoch; all 50 of a fold take 11 min 40 s\n"


def test_a_line_shows_the_monitored_metric_the_main_one_and_those_of_the_user(make_progress):
    settings = {"monitor": "val_macro_f1", "metrics": "cosine_similarity", "num_epochs": 7}
    progress, watched, written = make_progress({1: settings}, force_terminal=True, color_system=None)
    values = {"loss": 0.5, "val_loss": 0.6, "val_macro_f1": 0.7, "val_balanced_accuracy": 0.8, "val_cosine_similarity": 0.9}
    with progress:
        for epoch in range(3):
            watched.report({"worker": 0, "instance": 1, "fold": 1, "epoch": epoch, "values": values})

    words = written.getvalue().split()
    scores = "epoch loss val loss val macro f1 val balanced accuracy val cosine similarity at most"
    header, line = words.index("epoch"), words.index("2/7")
    assert " ".join(words[header:line]).startswith(scores)
    assert words[line + 1 : line + 8] == ["0.500", "0.600", "0.700", "0.800", "0.900", "0", "s"]


def test_a_worker_whose_job_has_ended_has_no_line(make_progress):
    progress, watched, written = make_progress({1: {}}, force_terminal=True, color_system=None)
    for worker in range(2):
        watched.report({"worker": worker, "instance": 1, "fold": worker + 1, "epoch": 0, "values": {}})
    watched.end(JobOutcome(1, 1, "failed", error="no room"))
    with progress:
        pass

    lines = [line.split()[:3] for line in written.getvalue().splitlines()]
    assert ["2", "1", "2"] in lines
    assert ["1", "1", "1"] not in lines


def test_the_line_of_a_finished_job_has_the_main_metric_and_the_time_left(make_progress):
    _, watched, written = make_progress({1: {"metrics": "cosine_similarity"}})
    watched.report({"worker": 0, "instance": 1, "fold": 1, "epoch": 0, "values": {}})
    scores = {"accuracy": 0.25, "balanced_accuracy": 0.5, "cosine_similarity": 0.125}
    watched.end(JobOutcome(1, 1, "done", seconds=4.0, test_metrics=scores))
    watched.end(JobOutcome(1, 2, "failed", error="no room"))

    tested = "test balanced_accuracy 0.500, cosine_similarity 0.125"
    assert (
        written.getvalue()
        == f"1/2  instance 1, fold 1: {tested}  (4 s; about 4 s left)\n2/2  instance 1, fold 2 failed: no room\n"
    )


@pytest.mark.parametrize(("n_folds", "is_verbose", "n_lines"), [(20, False, 20), (21, False, 10), (21, True, 21)])
def test_each_job_has_a_line_up_to_20_and_of_more_if_that_is_asked(make_progress, n_folds, is_verbose, n_lines):
    _, watched, written = make_progress({1: {}}, n_folds=n_folds, is_verbose=is_verbose)
    for fold in range(1, n_folds + 1):
        watched.end(JobOutcome(1, fold, "done", test_metrics={"balanced_accuracy": 0.5}, seconds=1.0))

    lines = written.getvalue().splitlines()
    assert len(lines) == n_lines
    assert lines[-1].startswith(f"{n_folds}/{n_folds}  instance 1, fold {n_folds}: test balanced_accuracy 0.500")
