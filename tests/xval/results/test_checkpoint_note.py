"""The checkpoints of done jobs are removed, and no others."""

import os

import pytest

from xval.base.json_files import write_json
from xval.results.checkpoint_note import checkpoint_path, remove_finished_checkpoints
from xval.results.folder import ExperimentFolder
from xval.results.job_key import JobKey


@pytest.mark.parametrize(
    ("status", "newer_s", "stays"),
    [("done", -5, False), ("done", 5, True), ("failed", -5, True), (None, 0, True)],
    ids=["done", "done, being replaced", "failed", "not ended"],
)
@pytest.mark.parametrize("trial", [0, 3])
def test_only_what_was_written_before_its_job_was_done_is_removed(tmp_path, status, newer_s, stays, trial):
    folder, key = ExperimentFolder(tmp_path), JobKey.from_numbers(1, 2, 1, trial)
    final, path = folder.fold_folder(*key), checkpoint_path(folder, key)
    final.parent.mkdir(parents=True)
    path.touch()
    if status:
        final.mkdir()
        write_json(final / "record.json", {"status": status})
        at_s = final.stat().st_mtime + newer_s
        os.utime(path, (at_s, at_s))

    remove_finished_checkpoints(folder)

    assert path.exists() == stays
