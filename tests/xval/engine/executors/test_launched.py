"""Retry, loss and adoption of what engines launch, with an engine that decides in memory what becomes of a job."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from xval.backend.devices import Slot
from xval.base.errors import SettingsError
from xval.engine.executors import _launched
from xval.engine.executors._launched import run_launched, slot_of_each
from xval.engine.observers.epoch_note import EpochNote
from xval.folds.plan import Fold
from xval.jobs.checkpoint_file import Checkpoint, write_checkpoint
from xval.jobs.job import Job
from xval.jobs.job_file import job_file, printed_file, write_job_file, write_outcome
from xval.jobs.outcome import JobOutcome
from xval.results.folder import ExperimentFolder

CPU = Slot("cpu", 1)


@pytest.mark.parametrize(("n_gpus", "slot"), [(0, Slot("cpu", 3)), (0.25, Slot("0", 3, 0.25)), (2, Slot("0", 3, 1.0))])
def test_a_job_gets_the_first_gpu_or_its_share_or_the_cpu(n_gpus, slot):
    assert slot_of_each("slurm", "pytest", n_gpus=n_gpus, threads=3) == slot


def test_a_package_that_is_not_installed_is_named():
    with pytest.raises(SettingsError, match=r"executor 'slurm' needs no_such_package: pip install -e '\.\[slurm\]'"):
        slot_of_each("slurm", "no_such_package", n_gpus=0, threads=1)


class Engine:
    """Gives each launch of a job its next fate: a status, or None: the job is lost."""

    attempts_when_lost = 3

    def __init__(self, fates, alive=()):
        self.fates = {number: list(each) for number, each in fates.items()}
        self.alive = set(alive)
        self.launched, self.cancelled = [], []

    def is_alive(self, path):
        return path in self.alive

    def launch(self, paths):
        self.launched.append([path.stem for path in paths])

    def end_of(self, path):
        number = int(path.stem.split("_")[1])
        if not self.fates.get(number):
            return ""
        fate = self.fates[number].pop(0)
        if fate:
            write_outcome(path, JobOutcome(number, 1, fate, error="because"))
        return "it is gone"

    def cancel(self, paths):
        self.cancelled += [path.stem for path in paths]


@pytest.fixture
def jobs(tmp_path, monkeypatch, make_settings):
    monkeypatch.setattr(_launched, "check_models_apart", lambda jobs, slot: None)
    monkeypatch.setattr(_launched, "_SECONDS_BETWEEN_POLLS", 0)
    fold = Fold(1, ("a",), ("b",), ("c",))
    return [Job(str(tmp_path), "", "", number, fold, make_settings(), {}, "hash", "folds", 1) for number in (1, 2)]


def run(jobs, engine, **options):
    found = run_launched(jobs, CPU, lambda event: None, engine, **options)
    return {outcome.instance: (outcome.status, outcome.error) for outcome in found}


def test_a_crash_is_tried_again_once_and_a_failure_never(jobs):
    engine = Engine({1: ["crashed", "done"], 2: ["failed"]})

    assert run(jobs, engine) == {1: ("done", "because"), 2: ("failed", "because")}
    assert engine.launched == [["instance_1_fold_1", "instance_2_fold_1"], ["instance_1_fold_1"]]


def test_two_crashes_are_final(jobs):
    assert run(jobs[:1], Engine({1: ["crashed", "crashed"]})) == {1: ("crashed", "because, 2 times")}


def test_a_lost_job_goes_elsewhere_as_often_as_its_engine_allows(jobs):
    engine = Engine({1: [None, None, "done"], 2: [None] * 3})

    assert run(jobs, engine) == {1: ("done", "because"), 2: ("crashed", "it is gone, 3 times")}


def test_a_loss_after_progress_is_not_counted_with_those_before(jobs, tmp_path):
    class Progressing(Engine):
        def end_of(self, path):
            (tmp_path / "instance_1").mkdir(exist_ok=True)
            epoch = len(self.launched) // 2  # every second launch comes further
            if epoch:
                write_checkpoint(tmp_path / "instance_1" / ".fold_1.checkpoint.npz", Checkpoint({}, epoch, 0.0, {}), tmp_path)
            return super().end_of(path)

    engine = Progressing({1: [None] * 9 + ["done"]})

    assert run(jobs[:1], engine) == {1: ("done", "because")}
    assert len(engine.launched) == 10


def test_that_a_job_goes_on_is_shown_by_its_note(jobs):
    engine, seen = Engine({}), []
    outcomes = run_launched(jobs[:1], CPU, seen.append, engine)
    engine.end_of = lambda path: say(path) or ""

    def say(path):
        if seen:
            engine.fates, engine.end_of = {1: ["done"]}, lambda path: Engine.end_of(engine, path)
            return
        folder = ExperimentFolder(Path(jobs[0].experiment_folder))
        (folder.leftovers(1, 1) or [folder.begin_fold(1, 1)])[0].joinpath("progress.json").unlink(missing_ok=True)
        note = EpochNote(folder.leftovers(1, 1)[0], 30)
        note.epoch({"epoch": 12})
        note.note("fold 1 continues at epoch 13 of 30")

    assert next(outcomes).status == "done"
    assert {"instance": 1, "fold": 1, "repeat": 1, "worker": 0, "note": "fold 1 continues at epoch 13 of 30"} in seen
    assert 12 in [event.get("epoch") for event in seen]


def test_what_a_job_prints_is_shown_line_by_line_and_once(jobs):
    written, seen = [b"one\nt", b"wo\n", b"caf\xc3\xa9\n"], []

    class Printing(Engine):
        def end_of(self, path):
            with printed_file(path).open("ab") as file:
                file.write(written.pop(0))
            return "" if written else super().end_of(path)

    (outcome,) = run_launched(jobs[:1], CPU, seen.append, Printing({1: ["done"]}))

    assert outcome.status == "done"
    assert [event["printed"] for event in seen if "printed" in event] == ["one", "two", "café"]


def test_no_more_are_launched_at_a_time_than_there_is_room_for(jobs):
    engine = Engine({1: ["done"], 2: ["done"]})

    assert len(run(jobs, engine, n_at_once=1)) == 2
    assert engine.launched == [["instance_1_fold_1"], ["instance_2_fold_1"]]


def test_what_an_earlier_driver_launched_is_waited_for_and_not_launched_again(jobs):
    engine = Engine({1: ["done"], 2: ["done"]}, alive=[write_job_file(jobs[0], CPU)])

    assert len(run(jobs, engine)) == 2
    assert engine.launched == [["instance_2_fold_1"]]
    assert not engine.cancelled


def test_what_an_earlier_driver_launched_with_other_settings_is_cancelled_and_launched_anew(jobs):
    earlier = replace(jobs[0], settings_hash="other")
    engine = Engine({1: ["done"]}, alive=[write_job_file(earlier, CPU)])

    assert len(run(jobs[:1], engine)) == 1
    assert engine.cancelled == ["instance_1_fold_1"]
    assert engine.launched == [["instance_1_fold_1"]]


def test_closing_cancels_what_waits_or_runs_and_removes_what_it_left(jobs):
    engine = Engine({1: ["done"]})
    outcomes = run_launched(jobs, CPU, lambda event: None, engine)
    assert next(outcomes).instance == 1
    leftover = job_file(jobs[1]).parents[1] / "instance_2" / ".fold_1.1.abc.part"
    leftover.mkdir(parents=True)

    outcomes.close()

    assert engine.cancelled == ["instance_2_fold_1"]
    assert not leftover.exists()


HOLDER = """
import sys, threading, os
from pathlib import Path
from xval.results.folder import ExperimentFolder
folder = ExperimentFolder(Path(sys.argv[1]))
with folder.claim(1, 1):
    folder.begin_fold(1, 1)
    print("begun", flush=True)
    sys.stdin.read()
    threading.Event().wait(1)
    os._exit(130)
"""


def test_a_process_that_ends_a_moment_after_it_was_cancelled_leaves_nothing_either(jobs, request):
    """As below Ray, which kills its own process, and the process that trains looks up later."""

    class Late(Engine):
        def launch(self, paths):
            command = [sys.executable, "-c", HOLDER, jobs[0].experiment_folder]
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            request.addfinalizer(self.process.communicate)
            assert self.process.stdout.readline() == "begun\n"

        def end_of(self, path):
            raise KeyboardInterrupt

        def cancel(self, paths):
            self.process.stdin.close()
            self.process.stdin = None

    with pytest.raises(KeyboardInterrupt):
        run(jobs[:1], Late({}))

    assert not list(Path(jobs[0].experiment_folder).rglob("*.part"))
