"""Ctrl-C in the middle of the tests: no process of a test goes on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def processes_below(folder):
    """Return the ids of the processes whose own folder lies below a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(folder):
                found.append(int(process.name))
        except OSError:
            continue
    return found


def wait_for(condition, seconds):
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.2)
    return condition()


@pytest.mark.slow
def test_ctrl_c_leaves_no_process(tmp_path):
    folder = tmp_path / "below"
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--basetemp", str(folder), "tests/test_resilience.py"]
    chosen = ["-m", "slow or not slow", "-k", "two_runs_of_one_experiment or the_same_command_twice"]
    with (tmp_path / "log").open("w") as log:
        running = subprocess.Popen([*command, *chosen], cwd=ROOT, start_new_session=True, stdout=log, stderr=log)
    try:
        # Two tests of two scripts each, in process groups of their own; and some of their workers.
        assert wait_for(lambda: len(processes_below(folder)) >= 6, 200), (tmp_path / "log").read_text()
        os.killpg(running.pid, signal.SIGINT)
        running.wait(120)
        assert wait_for(lambda: not processes_below(folder), 30), processes_below(folder)
    finally:
        running.kill()
        for process in processes_below(folder):
            os.kill(process, signal.SIGKILL)
