"""Job files that `run-job` refuses before it starts anything; executors/test_conformance.py has those that it runs."""

from pathlib import Path

import pytest

from xval.__main__ import main
from xval.backend.devices import Slot
from xval.commands import run_job
from xval.folds.plan import Fold
from xval.jobs.job import Job
from xval.jobs.job_file import write_job_file


@pytest.fixture
def job_file(tmp_path, make_settings):
    fold = Fold(1, ("a",), ("b",), ("c",))
    job = Job(str(tmp_path), str(tmp_path / "code" / "abc"), "", 1, fold, make_settings(), {}, "s", "f", 7)
    return write_job_file(job, Slot("cpu", 1))


def test_a_copy_of_the_code_that_is_gone_is_refused_in_a_line(job_file, capsys):
    assert main(["run-job", str(job_file)]) == 2

    assert capsys.readouterr().err.endswith(f"the copy of the code for {job_file} is missing.\n")


def test_a_copy_of_another_version_of_the_code_is_refused_in_a_line(job_file, tmp_path, capsys):
    (tmp_path / "code" / "abc" / "xval").mkdir(parents=True)
    (tmp_path / "code" / "abc" / "xval" / "job_process.py").touch()

    assert main(["run-job", str(job_file)]) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert "abc: the copy of the code" in line
    assert "has no xval.engine.worker.job_process, so it is of another version. Run the experiment again" in line


def test_a_job_finds_models_below_the_folder_that_the_experiment_was_started_in(job_file, tmp_path, monkeypatch):
    code = tmp_path / "code" / "abc" / "xval" / "engine" / "worker"
    code.mkdir(parents=True)
    (code / "job_process.py").touch()
    monkeypatch.setattr(run_job, "become", lambda command, variables: begun_in.append(Path.cwd()) or 0)
    begun_in, started_in = [], Path.cwd()
    monkeypatch.chdir(tmp_path)

    assert main(["run-job", str(job_file.relative_to(tmp_path))]) == 0

    assert begun_in == [started_in]


def test_a_link_is_named_as_it_was_given(tmp_path, capsys):
    link = tmp_path / "instance_1_fold_1.json"
    link.symlink_to("gone.json")

    assert main(["run-job", str(link)]) == 2

    assert str(link) in capsys.readouterr().err
