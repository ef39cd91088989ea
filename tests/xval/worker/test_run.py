"""Jobs of a group, whatever trains them: each ends by itself, with a record and a time of its own."""

import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from xval.folds.split import Fold
from xval.jobs import claim
from xval.jobs.claim import ClaimedFold, JobOutcome, epoch_report
from xval.jobs.job import Job
from xval.jobs.job_file import read_outcome, write_outcome
from xval.results.folder import ExperimentFolder
from xval.results.read import read_history
from xval.settings.resolve import Declaration, resolve
from xval.worker import run as job_module
from xval.worker.run import record_failure, run_job, run_jobs

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


def test_epochs_can_be_followed_while_a_fold_runs_and_stay_when_it_fails(jobs, folder, tmp_path):
    job = replace(jobs[0], settings=jobs[0].settings.model_copy(update={"tensorboard": True}))
    seen = []

    def scalars(side):
        found = EventAccumulator(str(folder.tensorboard_folder(*job.key) / side)).Reload().Scalars("epoch_loss")
        return [(each.step, each.value) for each in found]

    def work(job, temporary, report):
        end_epoch = epoch_report(job, report)
        end_epoch(1, {"loss": 0.5, "val_loss": 0.25, "learning_rate": 1.5e-9})
        seen.append((scalars("train"), scalars("validation")))
        end_epoch(2, {"loss": 0.125, "val_loss": float("nan"), "learning_rate": 1.5e-9})
        raise ValueError("val_loss is NaN")

    outcome = run_job(job, lambda event: None, work=work)
    write_outcome(tmp_path / "job.json", outcome)
    record_failure(job, read_outcome(tmp_path / "job.json"))

    assert seen == [([(1, 0.5)], [(1, 0.25)])]
    assert scalars("train") == [(1, 0.5), (2, 0.125)]
    history = read_history(folder.fold_folder(*job.key) / "history.csv")
    assert (history["epoch"], history["loss"], history["learning_rate"]) == ([1, 2], [0.5, 0.125], [1.5e-9, 1.5e-9])
    assert [str(value) for value in history["val_loss"]] == ["0.25", "nan"]
    assert JobOutcome(**asdict(outcome)) == outcome
