import json
import math
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from xval.backend.devices import Slot
from xval.base.errors import ResultsError
from xval.folds.plan import Fold
from xval.jobs import job_file as job_files
from xval.jobs.job import Job
from xval.jobs.job_file import JobProcess, describe_exit, job_file, outcome_file, read_job_file, read_outcome, write_job_file
from xval.jobs.outcome import JobOutcome


@pytest.fixture
def job(tmp_path, make_settings, make_options):
    mlp = {"architecture": "mlp", "n_units": (8,)}
    return Job(
        experiment_folder=str(tmp_path), code_folder=str(tmp_path / "code" / "abc"), store_folder=str(tmp_path / "store"),
        instance=3, fold=Fold(1, ("a", "b"), ("c",), ("d",)), settings=make_settings(**mlp),
        options=make_options(**mlp), settings_hash="s", folds_hash="f", seed=7,
    )  # fmt: skip


def test_a_job_comes_back_from_its_file_and_an_earlier_outcome_is_gone(job):
    job_files.job_file(job).parent.mkdir()
    job_files.write_outcome(job_file(job), JobOutcome(3, 1, "crashed"))

    path = write_job_file(job, Slot("0", 2))

    assert path.name == "instance_3_fold_1.json"
    assert read_job_file(path) == (job, Slot("0", 2))
    assert read_outcome(path) is None


def test_an_outcome_comes_back_with_its_undefined_metrics(job):
    path = write_job_file(job, Slot("cpu", 1))
    written = JobOutcome(3, 1, "done", seconds=2.5, test_metrics={"accuracy": 0.5, "auc": math.nan}, memory_mb=10.0)

    job_files.write_outcome(path, written)

    found = read_outcome(path)
    assert math.isnan(found.test_metrics.pop("auc"))
    assert written.test_metrics.pop("auc")
    assert found == written


@pytest.mark.parametrize("content", ["{}", '{"job": 3}', '{"job": {"fold": {}}, "slot": {}}', "[]", "no json"])
def test_what_is_no_job_file_is_refused(tmp_path, content):
    path = tmp_path / "job.json"
    path.write_text(content)

    with pytest.raises(ResultsError, match=str(path)):
        read_job_file(path)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda parameters: parameters.update(batch_size="many"), "batch_size: Input should be a valid integer"),
        (lambda parameters: parameters.pop("learning_rate"), "learning_rate: Field required"),
        (lambda parameters: parameters.update(learing_rate=0.1), "learing_rate: Extra inputs are not permitted"),
        (lambda parameters: parameters.pop("n_units"), "KeyError: 'n_units'"),
    ],
)
def test_the_setting_that_is_wrong_in_a_job_file_is_named(job, change, fault):
    path = write_job_file(job, Slot("cpu", 1))
    content = json.loads(path.read_text())
    change(content["job"]["parameters"])
    path.write_text(json.dumps(content))

    with pytest.raises(ResultsError, match=rf"{path}: not a job file \({fault}"):
        read_job_file(path)


def test_a_job_file_has_all_settings_and_options_under_one_name(job):
    written = json.loads(write_job_file(job, Slot("cpu", 1)).read_text())["job"]

    assert written.keys() == {
        "experiment_folder", "code_folder", "store_folder", "instance", "fold", "parameters", "option_names", "settings_hash",
        "folds_hash", "seed", "refit", "repeat",
    }  # fmt: skip
    assert written["parameters"] == job.settings.model_dump(mode="json") | {"n_units": [8], "dropout": 0.3}
    assert written["option_names"] == ["n_units", "dropout"]


def test_a_job_with_parts_of_the_users_own_is_read_where_they_are_not_found(job):
    settings = job.settings.model_copy(update={"loss": "nowhere.loss", "architecture": "nowhere.network"})
    path = write_job_file(replace(job, settings=settings), Slot("cpu", 1))

    assert read_job_file(path)[0].settings == settings


def test_a_missing_job_file_is_refused_with_what_is_wanted(tmp_path):
    with pytest.raises(ResultsError, match=r"there is no such file. Expected a job file"):
        read_job_file(tmp_path / "job.json")


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (3, "ended with exit code 3"),
        (-9, r"killed by SIGKILL \(the system may"),
        (-11, "killed by SIGSEGV$"),
        (-40, "by signal 40$"),
    ],
)
def test_how_a_process_ended_is_told(code, text):
    with pytest.raises(AssertionError, match=text):
        raise AssertionError(describe_exit(code))


@pytest.fixture
def program(job, monkeypatch):
    """Return a function that makes JobProcess run a program in the place of a job."""

    def make(source):
        monkeypatch.setattr(job_files, "command_line", lambda _path: [sys.executable, "-c", source])
        return JobProcess(write_job_file(job, Slot("cpu", 1)))

    return make


def test_a_process_that_dies_leaves_an_outcome_that_says_so(job, program):
    assert program("import os; print('last words', flush=True); os.kill(os.getpid(), 9)").wait() == -signal.SIGKILL

    outcome = read_outcome(job_file(job))
    assert (outcome.status, outcome.instance, outcome.fold) == ("crashed", 3, 1)
    assert "SIGKILL" in outcome.error
    assert outcome.details == "last words\n"


@pytest.mark.parametrize("end", ["sys.exit(130)", "os.kill(os.getpid(), signal.SIGTERM)"])
def test_a_process_that_was_told_to_end_leaves_no_outcome(job, program, end):
    process = program(f"import os, signal, sys; {end}")

    process.wait()

    assert process.was_interrupted
    assert not outcome_file(job_file(job)).exists()


def test_a_process_can_be_ended_from_a_signal_handler_while_it_is_waited_for(job, program):
    process = program("import time; time.sleep(60)")
    signal.signal(signal.SIGALRM, lambda *_: process.end())
    signal.setitimer(signal.ITIMER_REAL, 0.5)

    assert process.wait() < 0  # by a signal; had it slept to its end, 0
    assert not process.was_interrupted
    assert not outcome_file(job_file(job)).exists()


def test_the_command_is_found_by_its_name_with_a_hyphen():
    ended = subprocess.run(
        [sys.executable, "-m", "xval", "run-job", "nowhere.json"], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 2
    assert "nowhere.json: there is no such file" in ended.stderr
