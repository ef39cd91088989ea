"""A stand-in for the program that controls the service writes down what it is told."""

import os
import shlex
import signal
import subprocess
import sys
import time

import pytest

from xval.backend.devices import Slot
from xval.backend.mps import shared_time

SHARED = [Slot("0", 1, 0.5), Slot("0", 1, 0.5)]


@pytest.fixture
def control(tmp_path, monkeypatch):
    """Put a stand-in on the path; return the file of what it was told."""
    told = tmp_path / "told"
    program = tmp_path / "bin" / "nvidia-cuda-mps-control"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "${{1:-$(cat)}} $CUDA_MPS_PIPE_DIRECTORY" >> {shlex.quote(str(told))}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_MPS_PIPE_DIRECTORY", raising=False)
    return told


def test_workers_that_share_a_gpu_find_a_service_of_their_own_which_ends_with_the_block(control):
    with shared_time(SHARED) as is_shared:
        folder = os.environ["CUDA_MPS_PIPE_DIRECTORY"]
        assert is_shared
        assert control.read_text() == f"-d {folder}\n"

    assert control.read_text() == f"-d {folder}\nquit {folder}\n"
    assert "CUDA_MPS_PIPE_DIRECTORY" not in os.environ
    assert not os.path.exists(folder)  # noqa: PTH110


def test_a_run_that_is_killed_leaves_no_service(control):
    code = (
        "import time; from xval.backend.mps import shared_time; from xval.backend.devices import Slot\n"
        "with shared_time([Slot('0', 1, 0.5)]): print('in', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "in\n"
        run.send_signal(signal.SIGKILL)
    for _ in range(100):
        if "quit" in control.read_text():
            return
        time.sleep(0.1)
    pytest.fail(control.read_text())


@pytest.mark.parametrize("slots", [[Slot("cpu", 1)], [Slot("0", 1), Slot("1", 1)]])
def test_where_no_gpu_is_shared_nothing_is_started(control, slots):
    with shared_time(slots) as is_shared:
        assert not is_shared
    assert not control.exists()


def test_a_service_that_does_not_start_is_done_without(control):
    (control.parent / "bin" / "nvidia-cuda-mps-control").write_text("#!/bin/sh\nexit 1\n")
    with shared_time(SHARED) as is_shared:
        assert not is_shared
        assert "CUDA_MPS_PIPE_DIRECTORY" not in os.environ


def test_a_service_that_the_user_runs_is_used(control, monkeypatch):
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", "/mine")
    with shared_time(SHARED) as is_shared:
        assert is_shared
    assert os.environ["CUDA_MPS_PIPE_DIRECTORY"] == "/mine"
    assert not control.exists()
