"""What a run must stand: kills at any moment, a full disk, interrupts, other runs at once. Real processes, really killed."""

import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import openpyxl
import pytest

# Of the tests that compare figures with those of a run that nothing has disturbed.
SEEDS = [{"architecture": "mlp", "n_units": (8,), "seed": seed} for seed in range(1, 4)]


@pytest.fixture
def undisturbed(project, make_once):
    """Write a script of `SEEDS` in the project; return the figures of an inline run of it, which is made once."""

    def run(folder):
        other = type(project)(folder, folder / "results" / "toy" / "experiment_1")
        other.write_corpus()
        other.write_script(*SEEDS, num_epochs=8, workers=2, backend="jax")
        ended = other.run("--executor", "inline")
        assert ended.returncode == 0, ended.stdout + ended.stderr

    project.write_script(*SEEDS, num_epochs=8, workers=2, backend="jax")
    folder = make_once("undisturbed", run)
    return type(project)(folder, folder / "results" / "toy" / "experiment_1").scores()


def test_a_full_disk_fails_the_job_that_needs_it_and_harms_nothing_else(project):
    networks = ({"architecture": "mlp", "n_units": (8,)}, {"architecture": "mlp", "n_units": (1024,)})
    project.write_script(*networks, num_folds=2, backend="jax")
    limited = ["bash", "-c", 'ulimit -f 150; exec "$@"', "bash", *project.command("--workers", "1")]

    ended = subprocess.run(limited, cwd=project.folder, capture_output=True, text=True, env=project.environment(), check=False)

    assert ended.returncode == 1, ended.stderr
    found = project.records()
    assert [found[1, fold]["status"] for fold in (1, 2)] == ["done", "done"]
    assert [found[2, fold]["status"] for fold in (1, 2)] == ["failed", "failed"]
    assert "too large" in found[2, 1]["error"]
    assert not project.leftovers()


@pytest.mark.slow
def test_a_worker_past_its_memory_is_replaced_and_the_figures_are_the_same(project, undisturbed):
    running = project.start("1", "1", "--folds", "1,2", "--workers", "1", "--set", "max_worker_memory_mb=1")
    seen = set()
    while running.poll() is None:
        seen |= set(project.workers_of(running.pid))
        time.sleep(0.1)
    running.communicate()

    assert running.returncode == 0
    assert len(seen) == 2
    assert project.scores() == {job: undisturbed[job] for job in ((1, 1), (1, 2))}


@pytest.mark.parametrize(
    ("number", "tell"), [(signal.SIGTERM, os.kill), pytest.param(signal.SIGHUP, os.killpg, marks=pytest.mark.slow)]
)
def test_a_signal_ends_a_run_as_ctrl_c_does(project, number, tell):
    project.write_script({"architecture": "mlp"}, num_epochs=500, early_stopping=False, backend="jax")
    running = project.start()
    running.stdout.readline()
    time.sleep(1)
    tell(running.pid, number)
    printed = running.communicate(timeout=200)[0]

    assert running.returncode == 128 + number, printed
    assert printed.splitlines()[-1] == "Interrupted. Finished work is kept; the same command continues from there."
    assert not project.leftovers()


@pytest.mark.slow
def test_a_worker_and_a_run_that_are_ended_go_on_inside_the_fold(project):
    """SIGTERM to a worker, then to the run; in the end the figures of a run that nothing has disturbed."""
    epochs = (50, 100, 200)
    let_pass = write_gates(project.folder, *epochs)
    network = {"architecture": "mlp", "n_units": (8,), "dropout": 0.5, "schedule": "gates.hold"}
    project.write_script(network, num_epochs=300, early_stopping=False, backend="torch")
    for epoch in epochs:
        let_pass(epoch)
    ended = project.run("--folds", "1", "--executor", "inline", "--set", "experiment_folder=undisturbed")
    assert ended.returncode == 0, ended.stderr
    let_pass = write_gates(project.folder, *epochs)

    running = project.start("--folds", "1", "--workers", "1")
    wait_for((project.folder / "at_50").exists)
    (worker,) = project.workers_of(running.pid)
    os.kill(worker, signal.SIGUSR1)
    let_pass(50)
    wait_for((project.folder / "at_100").exists)
    assert project.workers_of(running.pid) == [worker]
    os.kill(worker, signal.SIGTERM)  # its executor tries the job once more
    let_pass(100)
    wait_for(lambda: set(project.workers_of(running.pid)) - {worker})
    wait_for((project.folder / "at_200").exists)
    running.send_signal(signal.SIGTERM)
    let_pass(200)
    printed = running.communicate(timeout=200)[0]
    assert running.returncode == 128 + signal.SIGTERM, printed
    status = project.run_module("xval", "status", str(project.results)).stdout
    again = project.run("--folds", "1", "--workers", "1")

    continued_at = [
        int(found.group(1))
        for text in (printed, status, again.stdout)
        for found in re.finditer(r"continues at epoch (\d+)", text)
    ]
    assert len(continued_at) == 3, printed + status + again.stdout
    assert 100 <= continued_at[0] <= 102
    assert 200 <= continued_at[1] == continued_at[2] <= 202
    assert project.scores() == project.scores("undisturbed")
    assert not [*project.results.rglob("*.npz")]


def wait_for(condition, seconds=120):
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)
    return found


def write_gates(folder, *epochs):
    """Write a schedule that waits ahead of some epochs, anew; return the function that lets it pass one of them."""
    (folder / "gates.py").write_text(
        "import inspect\nimport time\nfrom pathlib import Path\n\n\n"
        "def hold(epoch, learning_rate):\n"
        "    # Each rate is also asked for before the training.\n"
        f"    if epoch in {epochs} and 'on_epoch_begin' in [frame.function for frame in inspect.stack()]:\n"
        "        Path(f'at_{epoch}').touch()\n"
        "        while not Path(f'pass_{epoch}').exists():\n"
        "            time.sleep(0.01)\n"
        "    return learning_rate\n"
    )
    for epoch in epochs:
        for name in (f"at_{epoch}", f"pass_{epoch}"):
            (folder / name).unlink(missing_ok=True)
    return lambda epoch: (folder / f"pass_{epoch}").touch()


@pytest.mark.slow  # that a claim notices it: xval/results/test_folder.py
def test_a_run_stops_in_one_line_without_its_folder_and_goes_on_once_it_is_back(project):
    let_pass = write_gates(project.folder, 1)
    network = {"architecture": "mlp", "n_units": (4,)}
    gated = network | {"schedule": "gates.hold"}
    project.write_script(network, gated, num_folds=2, num_epochs=3, early_stopping=False, backend="jax")
    away = project.results.with_name("moved")
    running = project.start("--workers", "1")
    wait_for((project.folder / "at_1").exists)
    project.results.rename(away)
    let_pass(1)
    printed = running.communicate(timeout=300)[0]

    assert running.returncode == 2, printed
    (line,) = [
        line for line in printed.splitlines() if "was moved, renamed or removed while the experiment was running" in line
    ]
    assert line.startswith(f"error: {project.results}: the folder")
    assert not project.results.exists()
    assert "ModuleNotFoundError" not in printed

    away.rename(project.results)
    before = project.stamp((1, 1))
    ended = project.run()
    assert ended.returncode == 0, ended.stderr
    assert project.stamp((1, 1)) == before
    assert {job: record["status"] for job, record in project.records().items()} == {
        (instance, fold): "done" for instance in (1, 2) for fold in (1, 2)
    }


@pytest.mark.slow
def test_a_job_that_kills_every_worker_fails_alone_after_two_tries(project):
    (project.folder / "killing.py").write_text(
        "import os, signal\n\nimport keras\n\n\n"
        "class Killer(keras.callbacks.Callback):\n"
        "    def on_epoch_end(self, epoch, logs=None):\n"
        "        if epoch >= 1:  # a trial before the first fold has one epoch\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    network = {"architecture": "mlp", "n_units": (8,)}
    project.write_script(network, network | {"callbacks": "killing.Killer"}, num_folds=2, num_epochs=2, backend="jax")

    ended = project.run("--folds", "1")

    found = project.records()
    assert ended.returncode == 1
    assert {job: record["status"] for job, record in found.items()} == {(1, 1): "done", (2, 1): "failed"}
    assert "the worker process was killed by SIGKILL (the system may have run out of memory), 2 times" in found[2, 1]["error"]


@pytest.mark.parametrize(
    "targets",
    [
        ("folds.json", "results.xlsx"),
        pytest.param(("description.txt", "code", "settings.json", "metrics.json"), marks=pytest.mark.slow),
    ],
)
def test_what_writers_leave_that_are_killed_before_they_rename_is_gone_after_the_next_run(project, targets):
    project.write_script({"architecture": "logistic"}, num_folds=2, executor="inline")
    site = write_rename_killer(project.folder)

    for target in targets:
        killed = project.run(PYTHONPATH=str(site), XVAL_TEST_KILL_AT=target)
        assert killed.returncode == -signal.SIGKILL, killed.stdout + killed.stderr
        assert project.leftovers()
    ended = project.run()

    assert ended.returncode == 0, ended.stderr
    assert not project.leftovers()


def write_rename_killer(folder):
    """Write a sitecustomize that kills the script where it would give a file or a folder its name; return its folder."""
    place = folder / "site"
    place.mkdir()
    (place / "sitecustomize.py").write_text(
        "import os, pathlib, signal, sys\n"
        "def killing(rename):\n"
        "    def killed(path, target):\n"
        "        if os.environ['XVAL_TEST_KILL_AT'] in (target.name, target.parent.name):\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return rename(path, target)\n"
        "    return killed\n"
        "if 'exp.py' in sys.orig_argv:\n"
        "    pathlib.Path.rename, pathlib.Path.replace = killing(pathlib.Path.rename), killing(pathlib.Path.replace)\n"
    )
    return place


def test_the_same_command_twice_at_once_shares_the_jobs(project):
    project.write_script(*({"architecture": "logistic", "seed": seed} for seed in (1, 2)))
    first, second = project.start(), project.start()
    printed = [running.communicate(timeout=200)[0] for running in (first, second)]

    assert [first.returncode, second.returncode] == [0, 0], printed
    assert len(project.records()) == 6
    assert not project.leftovers()
    # Who ends last has all of them in the table.
    assert sum("being run by another process" in text for text in printed) < 2


def kill_and_restart(project, n_kills, seed):
    """Kill the whole process group at random moments, restart each time; return the final figures and what was done when."""
    rng = random.Random(seed)
    stamps = {}
    for _ in range(n_kills):
        running = project.start()
        try:
            running.wait(rng.uniform(0.3, 9.0))
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
        wait_for_workers_to_end(project)
        for job, record in project.records().items():
            assert record["status"] == "done"
            assert stamps.setdefault(job, project.stamp(job)) == project.stamp(job), "a finished job ran again"
    ended = project.run("--workers", "1")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for job, stamp in stamps.items():
        assert project.stamp(job) == stamp
    return project.scores()


def wait_for_workers_to_end(project):
    """Wait until no process has the project's folder as its own."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and any(map(project.is_home_of, Path("/proc").glob("[0-9]*"))):
        time.sleep(0.1)


@pytest.mark.slow  # by the hundred: make torture
def test_killed_at_random_moments_nothing_finished_runs_again_and_the_figures_are_the_same(project, undisturbed):
    survived = kill_and_restart(project, n_kills=8, seed=8)

    assert survived == undisturbed
    assert not project.leftovers()
    openpyxl.load_workbook(project.results / "results.xlsx")


def test_a_worker_ends_when_its_executor_is_killed(project):
    project.write_script({"architecture": "mlp"}, num_epochs=5000, early_stopping=False, backend="jax")
    running = project.start("--workers", "1")
    (worker,) = wait_for(lambda: project.workers_of(running.pid))
    os.kill(running.pid, signal.SIGKILL)
    running.communicate()

    wait_for(lambda: not Path(f"/proc/{worker}").exists())
