"""Retries in one process, with jobs whose fate is set."""

import pytest

from xval.backend.devices import Slot
from xval.engine.executors import inline
from xval.folds.plan import Fold
from xval.jobs.job import Job
from xval.jobs.outcome import JobOutcome


def test_jobs_run_in_turn_and_a_crashed_one_again(monkeypatch, make_settings):
    jobs = [
        Job("", "", "", 1, Fold(number, ("a",), ("b",), ("c",)), make_settings(backend="tensorflow"), {}, "hash", "folds", 1)
        for number in (1, 2, 3)
    ]
    ran, fates = [], {1: ["done"], 2: ["crashed", "crashed"], 3: ["done"]}

    def run_job(job, report, *, device, raise_errors=False):
        ran.append(job.fold.number)
        report({"instance": 1, "fold": job.fold.number, "epoch": 1, "values": {}})
        return JobOutcome(1, job.fold.number, fates[job.fold.number].pop(0))

    monkeypatch.setattr(inline.devices, "bind", lambda slot, backend, deterministic: backend)
    monkeypatch.setattr(inline, "check_models", lambda jobs: [])
    monkeypatch.setattr(inline, "run_job", run_job)
    events = []

    outcomes = list(inline.run(jobs, [Slot("cpu", 1)], events.append))

    assert ran == [1, 2, 2, 3]
    assert [(outcome.fold, outcome.status) for outcome in outcomes] == [(1, "done"), (2, "crashed"), (3, "done")]
    assert [(event["fold"], event["epoch"]) for event in events] == [
        (1, 0),
        (1, 1),
        (2, 0),
        (2, 1),
        (2, 0),
        (2, 1),
        (3, 0),
        (3, 1),
    ]
    assert {event["worker"] for event in events} == {0}


def test_an_unbuildable_model_is_said_before_anything_runs(monkeypatch, make_settings):
    monkeypatch.setattr(inline.devices, "bind", lambda slot, backend, deterministic: backend)
    monkeypatch.setattr(inline, "check_models", lambda jobs: ["instance 1: no"])
    job = Job("", "", "", 1, Fold(1, ("a",), (), ()), make_settings(backend="tensorflow"), {}, "hash", "folds", 1)

    with pytest.raises(inline.SettingsError, match="instance 1: no"):
        next(inline.run([job], [Slot("cpu", 1)], lambda event: None))
