"""Experiments whose jobs fail, die or wait, and how each executor is asked to run them."""

import os
import shlex
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from xval.__main__ import main as run_xval

NETWORK = {"architecture": "mlp", "n_units": (8,)}
HOOKS = """
import os
import signal
import time
from pathlib import Path

import keras

from xval import Observer

class DieOnce(Observer):
    def epoch(self, values):
        if values["epoch"] == 1 and not Path("{folder}/died").exists():
            Path("{folder}/died").touch()
            os.kill(os.getpid(), signal.SIGKILL)

class Fail(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        print("the callback prints", epoch)
        if epoch == 1:
            raise ValueError("on purpose")

class Wait(Observer):
    at_epoch = 1

    def epoch(self, values):
        if values["epoch"] == self.at_epoch:
            with open("{folder}/waiting", "a") as file:
                print(os.getpid(), os.environ.get("XVAL_TEST_MACHINE", ""), file=file)
            while not Path("{folder}/go").exists():
                time.sleep(0.05)

class WaitLater(Wait):
    at_epoch = 2  # an observer of the user's is notified of an epoch before its checkpoint is written

die_once, fail, wait, wait_later = DieOnce, Fail, Wait, WaitLater
"""
WANTED = {"slurm": "submitit", "ray": "ray"}
OPTIONS = {
    "slurm": ("--set", "slurm_cluster=local", "--set", "slurm_max_running=2"),
    "ray": ("--set", "ray_address=local"),
}


def write_experiment(project, *hooks, **parameters):
    """Write a script with an instance per hook of `HOOKS`; None: without one."""
    (project.folder / "own_hooks.py").write_text(HOOKS.format(folder=project.folder))
    own = [{**NETWORK, **({"callbacks": f"own_hooks.{name}"} if name else {})} for name in hooks]
    project.write_script(*own, **{"num_folds": 2, "gpu_ID": "cpu", "backend": "jax"} | parameters)


def options_of(executor):
    """Return the options that choose an executor on this machine; skip where it is not installed."""
    if executor in WANTED:
        pytest.importorskip(WANTED[executor])
    return ("--executor", executor, *OPTIONS.get(executor, ()))


def run_all(project, executor, *arguments):
    """Run an experiment as a user of an executor does; return the exit code and all that was printed."""
    ended = project.run(*arguments, *options_of(executor))
    if executor != "command" or ended.returncode:
        return ended.returncode, ended.stdout + ended.stderr

    def run_line(line):
        return subprocess.run(
            ["sh", "-c", line], cwd="/", capture_output=True, text=True, env=project.environment(), check=False
        )

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(run_line, ended.stdout.splitlines()))
    assert run_xval(["rebuild", str(project.results)]) == 0
    return max((abs(each.returncode) for each in results), default=0), "".join(each.stdout + each.stderr for each in results)


def wait_for(condition, seconds=120):
    """Return what a function returns as soon as that is true."""
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.1)
    return found


def processes_with(text):
    """Return the command line of every process whose command line has a text, by process id."""
    listed = subprocess.run(["ps", "-ww", "-eo", "pid=,args="], capture_output=True, text=True, check=True).stdout.splitlines()
    found = {int(line.split()[0]): line.split(maxsplit=1)[1] for line in listed if text in line}
    return {pid: line for pid, line in found.items() if pid != os.getpid() and not line.startswith("ps -ww")}


def is_running(pid):
    """Return whether there is a process of an id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def engines(project):
    """The functions of this file, which tests cannot import; jobs that still wait in the end are let go."""
    yield SimpleNamespace(
        write_experiment=write_experiment,
        options_of=options_of,
        run_all=run_all,
        wait_for=wait_for,
        processes_with=processes_with,
        is_running=is_running,
        split=shlex.split,
        compared=("metrics", "clip_metrics", "item_metrics", "confusion_matrix", "best_epoch", "epochs", "seed"),
    )
    (project.folder / "go").touch()
