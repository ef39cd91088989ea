"""What Slurm is asked for, what is understood of its answers, preemption, and a driver that dies."""

import os
import pickle
import shlex
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("submitit")

from xval.backend.devices import Slot
from xval.base.errors import SettingsError
from xval.engine.executors import slurm
from xval.engine.executors.slurm import Queue, make_slots
from xval.folds.plan import Fold
from xval.jobs.checkpoint_file import Checkpoint, write_checkpoint
from xval.jobs.job import Job
from xval.jobs.job_file import read_outcome, write_job_file
from xval.results.checkpoint_note import checkpoint_path
from xval.results.folder import ExperimentFolder


@pytest.fixture
def settings(make_settings):
    """Return a function that gives settings of a job on a GPU."""
    given = {
        "slurm_cluster": "slurm", "slurm_partition": "short", "slurm_time_limit_min": 90, "slurm_cpus_per_job": 0,
        "slurm_memory_gb": 3.0, "slurm_gpus_per_job": 1, "slurm_max_running": 2, "threads_per_job": 2,
    }  # fmt: skip
    return lambda **changes: make_settings(**given | changes)


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Put programs of Slurm's names on the path, which note what they are asked; the queue is the file `queue`."""
    script, queue, cancelled = (shlex.quote(str(tmp_path / name)) for name in ("script", "queue", "cancelled"))
    programs = {
        "sbatch": f'cp "$1" {script}; echo Submitted batch job 77',
        "squeue": f"cat {queue}",
        "scancel": f'echo "$@" >> {cancelled}; : > {queue}',
        "srun": "",
    }
    (tmp_path / "bin").mkdir()
    for name, text in programs.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "queue").write_text("")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setitem(slurm._SECONDS_BETWEEN_LISTINGS, "slurm", 0.0)
    return tmp_path


def paths_of(folder, *numbers):
    return [folder / f"instance_{number}_fold_1.json" for number in numbers]


def test_an_array_asks_for_what_the_settings_say(cluster, settings):
    Queue(cluster / "submitit", settings()).launch(paths_of(cluster, 1, 2, 3))

    script = (cluster / "script").read_text()
    wanted = (
        "--array=0-2%2", "--partition=short", "--time=90", "--cpus-per-task=2", "--mem=3GB", "--gpus-per-node=1", "--requeue",
        "--signal=USR2@90", "--open-mode=append",
    )  # fmt: skip
    assert [option for option in wanted if f"#SBATCH {option}\n" not in script] == []


def test_without_gpus_and_partition_neither_is_asked_for(cluster, settings):
    chosen = settings(slurm_gpus_per_job=0, slurm_partition=None, slurm_cpus_per_job=5)

    Queue(cluster / "submitit", chosen).launch(paths_of(cluster, 1, 2))

    script = (cluster / "script").read_text()
    assert "--gpus" not in script
    assert "--partition" not in script
    assert "--cpus-per-task=5\n" in script


def test_a_job_waits_or_runs_while_it_is_listed(cluster, settings):
    queue = Queue(cluster / "submitit", settings())
    first, second = paths_of(cluster, 1, 2)
    queue.launch([first, second])
    (cluster / "queue").write_text("77_0\n78\n")

    assert queue.end_of(first) == ""
    assert queue.end_of(second).startswith("job 77_1 left the queue without a result")


def test_a_scheduler_that_does_not_answer_ends_no_job(cluster, settings):
    queue = Queue(cluster / "submitit", settings())
    (path,) = paths_of(cluster, 1)
    queue.launch([path])
    (cluster / "queue").unlink()

    assert queue.end_of(path) == ""


def test_another_driver_finds_the_jobs_and_cancels_them(cluster, settings):
    first, second = paths_of(cluster, 1, 2)
    Queue(cluster / "submitit", settings()).launch([first, second])
    (cluster / "queue").write_text("77_0\n")
    queue = Queue(cluster / "submitit", settings())

    assert queue.is_alive(first)
    assert not queue.is_alive(second)
    assert not queue.is_alive(cluster / "instance_9_fold_1.json")
    assert not Queue(cluster / "submitit", settings(slurm_cluster="local")).is_alive(first)
    queue.cancel([first, second])
    assert (cluster / "cancelled").read_text() == "77_0\n"


def test_what_slurm_refuses_is_told_with_its_words(cluster, settings):
    (cluster / "bin" / "sbatch").write_text("#!/bin/sh\necho invalid partition specified: short >&2\nexit 1\n")

    with pytest.raises(SettingsError, match="invalid partition specified: short"):
        Queue(cluster / "submitit", settings()).launch(paths_of(cluster, 1, 2))


def test_a_machine_without_slurm_is_told_so(monkeypatch, settings):
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(SettingsError, match="sbatch, squeue, scancel not found on this machine"):
        make_slots(settings())


@pytest.mark.usefixtures("cluster")
def test_the_gpu_is_the_first_of_those_that_slurm_gives(settings):
    assert make_slots(settings())[0][0].device == "0"
    assert make_slots(settings(slurm_gpus_per_job=0))[0][0].device == "cpu"


def test_only_restarts_without_progress_are_counted(tmp_path, settings, monkeypatch):
    job = Job(str(tmp_path), "", "", 1, Fold(1, ("a",), ("b",), ("c",)), settings(), {}, "hash", "folds", 1)
    path = write_job_file(job, Slot("cpu", 1))
    (tmp_path / "instance_1").mkdir()
    clock, trained = [0.0], [0]

    class Process:
        was_interrupted = False

        def __init__(self, path):
            """Start."""

        def wait(self):
            return 0

        def end(self):
            if trained[0]:
                place = checkpoint_path(ExperimentFolder(tmp_path), job.key)
                write_checkpoint(place, Checkpoint({}, trained[0], 0.0, {}), tmp_path)

    monkeypatch.setattr(slurm, "JobProcess", Process)
    monkeypatch.setattr(slurm, "time", SimpleNamespace(monotonic=lambda: clock[0], sleep=lambda _: None))
    launcher, counts = slurm.Launcher(60), []
    # (minutes until the signal, epochs in the checkpoint): preemption counts as little as progress
    for minutes, epochs in ((59, 0), (59, 0), (5, 0), (5, 0), (59, 7), (59, 7), (59, 9), (59, 9), (59, 9)):
        trained[0] = epochs
        launcher(str(path))
        clock[0] += 60 * minutes
        launcher = pickle.loads(pickle.dumps(launcher.checkpoint(str(path)))).function  # noqa: S301 - as submitit does
        counts.append(launcher._n_in_vain)
    assert counts == [1, 2, 2, 2, 0, 1, 0, 1, 2]

    launcher(str(path))
    clock[0] += 3600
    assert launcher.checkpoint(str(path)) is None
    outcome = read_outcome(path)
    assert outcome.status == "failed"
    assert "reached its time limit of 60 min 3 times without progress: raise slurm_time_limit_min" in outcome.error


@pytest.mark.slow
def test_a_preempted_job_is_requeued_and_goes_on_inside_its_fold(project, engines):
    engines.write_experiment(project, "wait_later", num_folds=2, checkpoint_minutes=1e-6)
    waiting = project.folder / "waiting"
    running = project.start("--folds", "1", *engines.options_of("slurm"))
    engines.wait_for(waiting.exists)
    first = int(waiting.read_text().split()[0])

    preempt(project, engines)
    engines.wait_for(lambda: len(waiting.read_text().splitlines()) == 2)

    assert not Path(f"/proc/{first}").exists()
    (project.folder / "go").touch()
    printed = running.communicate(timeout=100)[0]
    assert running.returncode == 0, printed
    assert {job: record["status"] for job, record in project.records().items()} == {(1, 1): "done"}
    logs = "".join(path.read_text() for path in (project.results / "jobs" / "submitit").glob("*_log.err"))
    assert "this job is preempted" in logs
    assert "continues at epoch 2 of 2" in printed
    assert project.records()[1, 1]["went_on"]["after_epoch"] == 1
    assert len(list((project.results / "jobs" / "submitit").glob("*_submitted.pkl"))) == 1
    assert not project.leftovers()


def preempt(project, engines):
    """Do as Slurm does to all processes of a job: end what listens to SIGTERM, then say what will come."""
    processes = [
        pid
        for text in ("submitit.core._submit", "xval.engine.worker.job_process")
        for pid, line in engines.processes_with(text).items()
        if str(project.folder) in line
    ]
    assert len(processes) == 2, processes
    for pid in processes:
        os.kill(pid, signal.SIGTERM)
    time.sleep(1)
    for pid in processes:
        if Path(f"/proc/{pid}").exists():
            os.kill(pid, signal.SIGUSR2)


@pytest.mark.slow
def test_a_driver_that_was_killed_finds_its_jobs_and_submits_none_twice(project, engines):
    engines.write_experiment(project, "wait", num_folds=2)
    waiting = project.folder / "waiting"
    first = project.start(*engines.options_of("slurm"))
    engines.wait_for(lambda: waiting.exists() and len(waiting.read_text().splitlines()) == 2)
    first.kill()
    first.wait()
    first.stdout.close()  # what it has started still holds the other end

    second = project.start(*engines.options_of("slurm"))
    time.sleep(10)
    (project.folder / "go").touch()
    printed = second.communicate(timeout=100)[0]

    assert second.returncode == 0, printed
    assert {job: record["status"] for job, record in project.records().items()} == {(1, 1): "done", (1, 2): "done"}
    assert len(list((project.results / "jobs" / "submitit").glob("*_submitted.pkl"))) == 2
    assert len(waiting.read_text().splitlines()) == 2
