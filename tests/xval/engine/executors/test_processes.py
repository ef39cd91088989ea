"""Jobs that crash, their order and what is loaded ahead, with real worker processes in which no backend is loaded."""

import json
import os
from contextlib import closing
from dataclasses import replace

import pytest

from xval.backend.devices import Slot
from xval.backend.gpu_readings import GpuReading
from xval.engine.executors import _shared_gpus, processes
from xval.folds.plan import Fold
from xval.jobs.job import Job

WORKER = """
import json, os, signal, time
from pathlib import Path
from xval.engine.worker.serve import WorkerTasks, main
from xval.jobs.outcome import JobOutcome

def note(job, *more):
    folder = Path(job.experiment_folder)
    with (folder / "ran").open("a") as file:
        print(json.dumps([job.instance, job.fold.number, os.getpid(), *more]), file=file)

def note_end(job):
    with (Path(job.experiment_folder) / "ended").open("a") as file:
        print(json.dumps([job.fold.number, time.monotonic()]), file=file)

def run(job, report, *, device):
    tried = Path(job.experiment_folder) / f"tried_{job.instance}_{job.fold.number}"
    fate = "done" if tried.exists() and job.options["once"] else job.options["fate"].get(str(job.fold.number), "done")
    tried.touch()
    share = os.environ.get("XVAL_GPU_MEMORY_SHARE")
    if fate == "needs all":
        fate = "crashed" if share else "done"
    note(job, share, time.monotonic())
    if fate == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(job.options["sleep_s"])
    report({"instance": job.instance, "fold": job.fold.number, "epoch": 1, "values": {}})
    note_end(job)
    return JobOutcome(
        job.instance, job.fold.number, fate, error="because", seconds=1.0, memory_mb=1.0,
        out_of_memory=fate == "crashed", gpu_memory_mb=job.options.get("takes_mb", 0.0),
    )

def check(jobs):
    loaded = os.environ["KERAS_BACKEND"]
    return [f"{job.settings.backend} in a process of {loaded}" for job in jobs if job.settings.backend != loaded]

def preload(folder, settings):
    with Path(os.environ["XVAL_TEST_PRELOADED"]).open("a") as file:
        print(json.dumps([folder.name, settings.seed]), file=file)

def load():
    place = Path(os.environ["XVAL_TEST_MEETING"])
    (place / str(os.getpid())).touch()
    while len(list(place.iterdir())) < int(os.environ["XVAL_TEST_WORKERS"]):
        time.sleep(0.01)
    return WorkerTasks(run, check, preload=preload)

main(load)
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that runs jobs; it returns their outcomes, what ran in which order, and the events."""
    (tmp_path / "fateful_worker.py").write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("XVAL_TEST_PRELOADED", str(tmp_path / "preloaded"))
    monkeypatch.setenv("XVAL_TEST_MEETING", str(tmp_path / "meeting"))
    (tmp_path / "meeting").mkdir()

    def run_jobs(jobs, *, n_workers=1, slots=None):
        monkeypatch.setenv("XVAL_TEST_WORKERS", str(n_workers))
        events = []
        slots = slots or [Slot("cpu", 1)] * n_workers
        with closing(processes.run(jobs, slots, events.append, worker_module="fateful_worker")) as found:
            outcomes = list(found)
        ran = [json.loads(line) for line in (tmp_path / "ran").read_text().splitlines()]
        return outcomes, ran, events

    return run_jobs


@pytest.fixture
def make_jobs(tmp_path, make_settings):
    def make(*n_folds, fate=None, once=True, stores=None, sleep_s=0.0):
        return [
            Job(
                str(tmp_path), "", str(tmp_path / (stores or {}).get(instance, "store")), instance,
                Fold(fold, ("a",), ("b",), ("c",)),
                make_settings(num_epochs=1, max_worker_memory_mb=100, seed=instance),
                {"fate": fate or {}, "once": once, "sleep_s": sleep_s}, "hash", "folds", 1,
            )
            for instance, n in enumerate(n_folds, start=1)
            for fold in range(1, n + 1)
        ]  # fmt: skip

    return make


def test_models_are_built_with_the_backend_that_they_are_for(run, make_jobs):
    first, second = make_jobs(1, 1)
    second = replace(second, settings=second.settings.model_copy(update={"backend": "jax"}))

    outcomes, _, _ = run([first, second])

    assert {(outcome.instance, outcome.status) for outcome in outcomes} == {(1, "done"), (2, "done")}


def test_a_dead_worker_fails_its_own_job_alone_which_runs_again_in_a_fresh_one(run, make_jobs):
    outcomes, ran, events = run(make_jobs(4, fate={"3": "kill"}))

    assert [(outcome.fold, outcome.status) for outcome in outcomes] == [(1, "done"), (2, "done"), (3, "done"), (4, "done")]
    assert [fold for _, fold, *_ in ran] == [1, 2, 3, 3, 4]
    first, again = ran[0][2], ran[-1][2]
    assert first != again
    assert [event["fold"] for event in events if event["epoch"] == 0] == [1, 2, 3, 3, 4]


def test_a_job_that_kills_its_worker_twice_fails_alone(run, make_jobs):
    outcomes, _, _ = run(make_jobs(3, fate={"1": "kill"}, once=False))

    found = {outcome.fold: (outcome.status, outcome.error) for outcome in outcomes}
    assert found[1][0] == "crashed"
    assert "SIGKILL" in found[1][1]
    assert found[1][1].endswith(", 2 times")
    assert found[2][0] == found[3][0] == "done"


def test_a_job_out_of_memory_is_tried_again_in_a_fresh_process(run, make_jobs):
    outcomes, ran, _ = run(make_jobs(3, fate={"2": "crashed"}))

    assert [(outcome.fold, outcome.status) for outcome in outcomes] == [(1, "done"), (2, "done"), (3, "done")]
    assert [fold for _, fold, *_ in ran] == [1, 2, 2, 3]
    assert ran[2][2] != ran[1][2]


def test_two_workers_keep_to_an_instance_each(run, make_jobs):
    _, ran, _ = run(make_jobs(4, 4, sleep_s=0.1), n_workers=2)

    homes = {instance: {pid for each, fold, pid, *_ in ran if each == instance and fold <= 3} for instance in (1, 2)}
    assert [len(pids) for pids in homes.values()] == [1, 1]
    assert homes[1] != homes[2]


def test_the_store_of_the_next_job_is_loaded_meanwhile_and_no_other(run, make_jobs, tmp_path):
    run(make_jobs(2, 1, 1, 1, stores={2: "second", 3: "second", 4: "third"}))

    loaded = [json.loads(line) for line in (tmp_path / "preloaded").read_text().splitlines()]
    assert sorted(loaded) == [["second", 2], ["third", 4]]  # each in a thread of its own, beside jobs that take no time


@pytest.mark.parametrize(("takes_mb", "n_later"), [(0.0, 2), (700.0, 1)])
def test_a_job_out_of_memory_on_a_shared_gpu_has_it_to_itself_and_fewer_workers_share_it_later(
    run, make_jobs, tmp_path, monkeypatch, takes_mb, n_later
):
    monkeypatch.setattr(_shared_gpus, "read_gpu", lambda device: GpuReading(0.0, 0.0, 2000.0))
    jobs = make_jobs(7, fate={"2": "needs all"}, once=False, sleep_s=0.05)
    for job in jobs:
        job.options["takes_mb"] = takes_mb

    outcomes, ran, _ = run(jobs, n_workers=3, slots=[Slot("0", 1, 1 / 3)] * 3)

    assert sorted((each.fold, each.status) for each in outcomes) == [(fold, "done") for fold in range(1, 8)]
    begun = [(fold, share, at) for _, fold, _, share, at in ran]
    ended = [json.loads(line) for line in (tmp_path / "ended").read_text().splitlines()]
    alone = [share for _, share, _ in begun].index(None)
    assert begun[alone][0] == 2
    assert begun[alone][2] > max(at for _, at in ended[:alone])
    own_end = ended[alone][1]
    later = begun[alone + 1 :]
    assert later
    assert all(at > own_end for *_, at in later)
    assert {share for _, share, _ in later} == ({"0.4500"} if n_later == 2 else {None})


def test_a_worker_more_begins_during_a_run_once_memory_of_a_shared_gpu_is_free(run, make_jobs, monkeypatch):
    used_mb = iter([1500.0])
    monkeypatch.setattr(_shared_gpus, "read_gpu", lambda device: GpuReading(0.0, next(used_mb, 200.0), 2000.0))

    outcomes, ran, events = run(make_jobs(3), slots=[Slot("0", 1, 1 / 2)] * 2)

    assert {each.status for each in outcomes} == {"done"}
    assert [(event["worker"], event["fold"]) for event in events if event["epoch"] == 0] == [(0, 1), (1, 2), (0, 3)]
    assert {share for *_, share, _ in ran} == {"0.4500"}


def test_a_job_that_finds_too_little_memory_on_all_of_a_gpu_fails_alone(run, make_jobs):
    outcomes, ran, _ = run(make_jobs(3, fate={"1": "crashed"}, once=False), n_workers=2, slots=[Slot("0", 1, 0.5)] * 2)

    found = {each.fold: (each.status, each.error) for each in outcomes}
    assert found == {1: ("crashed", "because, 2 times"), 2: ("done", "because"), 3: ("done", "because")}
    assert [share is None for _, fold, _, share, _ in ran if fold == 1] == [False, True]
