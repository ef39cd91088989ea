"""A job holds its fold from its beginning to its end."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from xval.base.errors import DivergenceError
from xval.engine.worker.run import record_failure, run_job
from xval.folds.plan import Fold
from xval.jobs.claim import ClaimedFold
from xval.jobs.job import Job
from xval.jobs.job_file import read_outcome, write_outcome
from xval.jobs.outcome import JobOutcome
from xval.results.folder import ExperimentFolder
from xval.results.read import read_history
from xval.settings.resolve import Declaration, resolve


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


def test_a_fold_is_let_go_when_it_is_published_and_when_it_cannot_be_begun(jobs, folder, monkeypatch):
    with ClaimedFold(jobs[0], device="cpu") as fold:
        assert not is_free(folder, jobs[0])
        fold.publish({"status": "done", "metrics": {}})
        assert is_free(folder, jobs[0])

    def begin_fold(self, *key):
        raise OSError("the disk is full")

    monkeypatch.setattr(ExperimentFolder, "begin_fold", begin_fold)
    with pytest.raises(OSError, match="disk is full"), ClaimedFold(jobs[1], device="cpu"):
        pass
    assert is_free(folder, jobs[1])
    assert not list(Path(folder.path).glob("instance_1/.fold_*.part"))


def test_epochs_can_be_followed_while_a_fold_runs_and_stay_when_it_fails(jobs, folder, tmp_path):
    job = replace(jobs[0], settings=jobs[0].settings.model_copy(update={"tensorboard": True, "tensorboard_batches": True}))
    seen = []

    def scalars(side, name="epoch_loss"):
        found = EventAccumulator(str(folder.tensorboard_folder(*job.key) / side)).Reload().Scalars(name)
        return [(each.step, each.value) for each in found]

    def work(job, temporary, observers):
        observers.epoch({"epoch": 1, "loss": 0.5, "val_loss": 0.25, "learning_rate": 1.5e-9})
        seen.append((scalars("train"), scalars("validation")))
        observers.epoch({"epoch": 2, "loss": 0.125, "val_loss": float("nan"), "learning_rate": 1.5e-9})
        observers.batches(3, [0.75, 0.25])
        raise ValueError("val_loss is NaN")

    outcome = run_job(job, lambda event: None, work=work)
    write_outcome(tmp_path / "job.json", outcome)
    record_failure(job, read_outcome(tmp_path / "job.json"))

    assert seen == [([(1, 0.5)], [(1, 0.25)])]
    assert scalars("train") == [(1, 0.5), (2, 0.125)]
    assert scalars("batches", "batch_loss") == [(3, 0.75), (4, 0.25)]
    history = read_history(folder.fold_folder(*job.key) / "history.csv")
    assert (history["epoch"], history["loss"], history["learning_rate"]) == ([1, 2], [0.5, 0.125], [1.5e-9, 1.5e-9])
    assert [str(value) for value in history["val_loss"]] == ["0.25", "nan"]
    assert JobOutcome(**asdict(outcome)) == outcome


def test_a_loss_that_is_nan_is_not_blamed_on_the_learning_rate_where_the_store_holds_nan(jobs, tmp_path):
    path = tmp_path / "custom" / "predictors.npy"
    path.parent.mkdir()
    values = np.ones((3, 2), np.float32)
    job = replace(jobs[0], store_folder=str(path.parent))

    def diverge(*_):
        raise DivergenceError("loss is nan after epoch 1. Lower learning_rate (0.001)")

    np.save(path, values)
    assert "Lower learning_rate" in run_job(job, lambda event: None, work=diverge).error
    values[1, 0] = np.nan
    np.save(path, values)
    error = run_job(job, lambda event: None, work=diverge).error
    assert f"{path}: row 1 has NaN or infinite numbers, so the features are damaged. Run the script" in error
