"""A job holds its fold from its beginning to its end."""

from pathlib import Path

import pytest

from xval.folds.split import Fold
from xval.jobs.claim import ClaimedFold
from xval.jobs.job import Job
from xval.results.folder import ExperimentFolder
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
