"""Jobs of a group, whatever trains them: each ends by itself, with a record and a time of its own."""

import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from xval.folds.split import Fold
from xval.jobs import claim
from xval.jobs.claim import ClaimedFold
from xval.jobs.job import Job
from xval.results.folder import ExperimentFolder
from xval.settings.resolve import Declaration, resolve
from xval.worker import run as job_module
from xval.worker.run import record_failure, run_jobs

TOGETHER_S, APART_S = 300.0, 20.0


@dataclass
class Result:
    job: Job
    error: Exception | None = None
    facts: Any = None


@pytest.fixture
def jobs(tmp_path):
    (instance,) = resolve(Declaration("exp.py", "exp.py", "a test", {"dataset": "toy"}, {1: {}}))
    return [
        Job(
            str(tmp_path), "code", "store", 1, Fold(number, ("a",), ("b",), ("c",)), instance.settings,
            instance.options, instance.settings_hash, "folds", seed=number,
        )
        for number in (1, 2, 3)
    ]  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    return ExperimentFolder(tmp_path)


def is_free(folder, job):
    with folder.claim(job.instance, job.fold.number) as ours:
        return ours


def test_a_member_that_fails_is_recorded_while_others_go_on_and_who_is_trained_apart_has_its_own_time(
    jobs, folder, monkeypatch
):
    class Trained(Result):
        pass

    class Failed(Result):
        pass

    clock = [1000.0]
    monkeypatch.setattr(claim, "time", SimpleNamespace(monotonic=lambda: clock[-1]))

    def train_together(group, report):
        clock.append(clock[-1] + TOGETHER_S)
        yield Failed(group[0], error=ValueError("diverged"))
        for each in group[1:]:
            yield Result(each, facts={"engine": {"reason": "it is slower together"}})

    def train_and_test(job, temporary, report):
        clock.append(clock[-1] + APART_S)
        return {"status": "done", "metrics": {"test": {"accuracy": 1.0}}}

    fused = SimpleNamespace(Trained=Trained, Failed=Failed, train_together=train_together)
    monkeypatch.setitem(sys.modules, "xval.training.fused.together", fused)
    monkeypatch.setattr(job_module, "train_and_test", train_and_test)
    found = []
    for outcome in run_jobs(jobs, lambda event: None):
        found.append((outcome.fold, outcome.status))
        if outcome.status == "failed":
            record_failure(jobs[0], outcome)

    assert found == [(1, "failed"), (2, "done"), (3, "done")]
    records = {number: folder.record(1, number) for number in (1, 2, 3)}
    assert (records[1]["status"], records[1]["error"]) == ("failed", "ValueError: diverged")
    for number in (2, 3):
        assert records[number]["seconds"] == APART_S


def test_a_fold_is_let_go_when_it_is_published_and_when_it_cannot_be_begun(jobs, folder, monkeypatch):
    with ClaimedFold(jobs[0], lambda event: None, device="cpu") as fold:
        assert not is_free(folder, jobs[0])
        fold.publish({"status": "done", "metrics": {}})
        assert is_free(folder, jobs[0])

    def begin_fold(self, *key):
        raise OSError("the disk is full")

    monkeypatch.setattr(ExperimentFolder, "begin_fold", begin_fold)
    with pytest.raises(OSError, match="disk is full"), ClaimedFold(jobs[1], lambda event: None, device="cpu"):
        pass
    assert is_free(folder, jobs[1])
    assert not list(Path(folder.path).glob("instance_1/.fold_*.part"))
