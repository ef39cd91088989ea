"""xval status: every state that a job can be in, time left, and runs that it leaves alone."""

import itertools
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from xval.base.operating_system import quote
from xval.engine.observers.epoch_note import EpochNote
from xval.jobs.checkpoint_file import Checkpoint, write_checkpoint
from xval.results.folder import ExperimentFolder
from xval.results.job_key import JobKey

HOLDER = (
    "import sys, time; from pathlib import Path\n"
    "GPU = {'utilisation': 93.0, 'data_share': 0.021}\n"
    "from xval.results.folder import ExperimentFolder; from xval.engine.observers.epoch_note import EpochNote\n"
    "folder, instance, fold = ExperimentFolder(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3])\n"
    "with folder.claim(instance, fold) as ours:\n"
    "    note = EpochNote(folder.begin_fold(instance, fold), 50, lambda: GPU); note.epoch({'epoch': 7})\n"
    "    print('held', flush=True); time.sleep(60)"
)


@pytest.fixture
def running(results):
    """Start a process that claims a job as a worker does; it is killed in the end."""
    processes = []

    def start(instance, fold):
        arguments = [sys.executable, "-c", HOLDER, str(results), str(instance), str(fold)]
        processes.append(subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True))
        assert processes[-1].stdout.readline() == "held\n"
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def edit_record(results, instance, fold, **changes):
    path = results / f"instance_{instance}" / f"fold_{fold}" / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def remove(results, instance, fold):
    shutil.rmtree(results / f"instance_{instance}" / f"fold_{fold}")


def states(command, results):
    """Return the exit code, the whole status, and the state of each job."""
    code, printed, _ = command("status", results, "--format", "json")
    found = json.loads(printed)
    return code, found, {(each["instance"], job["fold"]): job for each in found["instances"] for job in each["jobs"]}


def test_a_job_with_a_checkpoint_goes_on_from_there(command, results, running):
    for fold in (1, 2):
        remove(results, 1, fold)
        write_checkpoint(results / "instance_1" / f".fold_{fold}.checkpoint.npz", Checkpoint({}, 6 * fold, 0.0, {}), results)
    (results / "instance_2" / ".fold_1.checkpoint.npz").write_bytes(b"damaged, and of a fold that is done")
    running(1, 1)

    code, printed, _ = command("status", results)
    _, _, jobs = states(command, results)

    assert code == 0
    assert "epoch 7 of 50, checkpoint at epoch 6" in printed
    assert "fold 2: to do: the next run continues at epoch 13" in printed
    assert [jobs[key]["checkpoint"] for key in ((1, 1), (1, 2), (2, 1))] == [6, 12, None]
    assert command("audit", results, "--data-folder", results)[1].count(".npz") == 0


def test_what_is_to_do_takes_as_long_as_finished_jobs_of_the_instance(command, results):
    remove(results, 1, 2)
    edit_record(results, 1, 1, seconds=100.0)
    for instance in (2, 3):
        for fold in (1, 2):
            edit_record(results, instance, fold, seconds=10.0)

    code, printed, _ = command("status", results)

    assert code == 0
    assert "1 min 40 s" in printed
    assert "Nothing is running: run the experiment again to continue. The time left is for one job at a time." in printed


def test_a_fold_of_an_ensemble_is_said_to_be_made_by_its_command(command, results):
    path = results / "instance_3" / "settings.json"
    written = json.loads(path.read_text())
    written["parameters"] |= {"architecture": "ensemble", "members": [1, 2], "method": "stack"}
    path.write_text(json.dumps(written))
    remove(results, 3, 2)

    _, printed, _ = command("status", results)

    made = f"made by xval ensemble {quote(str(results))} 1,2 --method stack --number 3"
    assert f"instance 3, fold 2: to do: {made}\n" in printed
    assert "Nothing is running. " in printed


def test_an_instance_without_finished_jobs_takes_as_long_as_the_others(command, results):
    for fold in (1, 2):
        remove(results, 1, fold)
    for instance in (2, 3):
        for fold in (1, 2):
            edit_record(results, instance, fold, seconds=30.0)

    _, found, _ = states(command, results)

    assert found["instances"][0]["seconds_left"] == pytest.approx(60.0)


def test_where_nothing_is_finished_the_time_left_is_unknown(command, results):
    for instance in (1, 2, 3):
        for fold in (1, 2):
            remove(results, instance, fold)

    _, printed, _ = command("status", results)

    assert printed.count("not known yet") == 4
    assert states(command, results)[1]["seconds_left"] is None


def test_running_jobs_with_their_epoch_share_the_time_left(command, results, running):
    for instance in (1, 2):
        remove(results, instance, 2)
        edit_record(results, instance, 1, seconds=1000.0)
    running(1, 2)
    running(2, 2)

    code, printed, _ = command("status", results)
    _, found, jobs = states(command, results)

    assert code == 0
    assert jobs[1, 2]["state"] == jobs[2, 2]["state"] == "running"
    assert (jobs[1, 2]["epoch"], jobs[1, 2]["epochs"]) == (7, 50)
    assert time.time() - 60 < jobs[1, 2]["since"] <= time.time()
    assert "epoch 7 of 50, GPU 93 % busy, 2.1% of the training waited for data" in printed
    assert jobs[1, 2]["gpu"] == {"utilisation": 93.0, "data_share": 0.021}
    assert "Nothing is running" not in printed
    assert found["seconds_left"] == pytest.approx(1000.0, abs=60)  # twice 1000 s, two at once


def test_a_job_whose_process_was_killed_is_interrupted(command, results, running):
    remove(results, 3, 1)
    process = running(3, 1)
    process.kill()
    process.wait()

    _, found, jobs = states(command, results)

    assert jobs[3, 1]["state"] == "interrupted"
    assert (found["interrupted"], found["to_do"]) == (1, 0)
    assert "instance 3, fold 1: interrupted: its process died" in command("status", results)[1]


def test_results_of_other_settings_or_folds_are_stale(command, results):
    edit_record(results, 1, 1, settings_hash="0" * 16)
    edit_record(results, 1, 2, folds_hash="0" * 16)

    code, found, jobs = states(command, results)

    assert code == 0
    assert found["stale"] == 2
    assert jobs[1, 1]["reason"] == "done with another settings_hash"
    assert jobs[1, 2]["reason"] == "done with another folds_hash"
    assert "instance 1, fold 1: stale: done with another settings_hash" in command("status", results)[1]


def test_a_failure_of_other_settings_is_to_do_again(command, results):
    edit_record(results, 1, 1, status="failed", error="old", settings_hash="0" * 16)

    code, _, jobs = states(command, results)

    assert (code, jobs[1, 1]["state"]) == (0, "to do")


def test_a_damaged_record_is_named(command, results):
    path = results / "instance_1" / "fold_1" / "record.json"
    path.write_text('{"status"')

    code, _, jobs = states(command, results)

    assert (code, jobs[1, 1]["state"]) == (1, "damaged")
    assert str(path) in jobs[1, 1]["reason"]


def test_damaged_settings_and_folds_are_named_and_the_rest_is_shown(command, results):
    (results / "instance_2" / "settings.json").write_text("")
    (results / "folds.json").write_text('{"folds": [{"number": "x"}]}')

    code, found, jobs = states(command, results)

    assert (code, found["folds_total"]) == (0, None)
    assert len(jobs) == 6
    assert [
        path for path in (results / "folds.json", results / "instance_2" / "settings.json") if str(path) in str(found["faults"])
    ]
    assert "an unknown number of folds" in command("status", results)[1]


def test_before_the_first_instance(command, results):
    for path in results.glob("instance_*"):
        shutil.rmtree(path)

    code, printed, _ = command("status", results)

    assert code == 0
    assert "No instance has been begun." in printed


def test_old_results_that_wait_to_be_replaced_are_named(command, results):
    ExperimentFolder(results).replace(1, [JobKey(1, 2), JobKey(1, 2, 3)])

    _, printed, _ = command("status", results)

    assert "instance_1.replaced: old results of fold 2 wait here for new ones." in printed


def test_looking_changes_nothing(command, results):
    def state():
        return {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in (results, *results.rglob("*"))}

    remove(results, 1, 1)
    (results / "instance_2" / ".fold_1.lock").unlink()
    before = state()
    command("status", results)

    assert state() == before


def test_looking_again_and_again_keeps_no_worker_from_a_job(results):
    program = (
        "import sys; from pathlib import Path; from xval.results.folder import ExperimentFolder\n"
        "from xval.results.job_key import JobKey\n"
        "folder = ExperimentFolder(Path(sys.argv[1])); print('looking', flush=True)\n"
        "while True: folder.claimed()(JobKey(1, 1))"
    )
    folder = ExperimentFolder(results)
    with subprocess.Popen([sys.executable, "-c", program, str(results)], stdout=subprocess.PIPE, text=True) as looking:
        assert looking.stdout.readline() == "looking\n"
        claimed = []
        for _ in range(300):
            with folder.claim(1, 1) as ours:
                claimed.append(ours)
        looking.kill()

    assert all(claimed)


def test_a_note_is_written_once_a_second_at_most(tmp_path, monkeypatch):
    clock = itertools.count(0, 10)
    times = SimpleNamespace(monotonic=lambda: next(clock) / 1000, time=time.time)  # other threads keep the true one
    monkeypatch.setattr("xval.engine.observers.epoch_note.time", times)
    written, replace = [], Path.replace
    monkeypatch.setattr(Path, "replace", lambda new, path: written.append(json.loads(new.read_text())) or replace(new, path))
    note = EpochNote(tmp_path, 1000)

    note.begin()
    for epoch in range(1, 1000):
        note.epoch({"epoch": epoch})

    assert [each["epoch"] for each in written] == list(range(0, 1000, 100))
    note.end()
    assert not list(tmp_path.iterdir())


def test_a_note_that_cannot_be_written_stops_nothing(tmp_path):
    note = EpochNote(tmp_path / "gone", 3)

    note.epoch({"epoch": 1})
    note.end()
