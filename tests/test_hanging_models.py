"""A model that does not return: a signal ends what it computes in, whether that is a process of its own or not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ENDLESS = """
import sys
from pathlib import Path

import numpy as np

from xval.base import operating_system

operating_system.SECONDS_TO_END = 0.5  # not 10; ahead of the modules that take it from there

from preprocessing.console import carry_out
from preprocessing.embeddings.families.onnx import load
from preprocessing.parallel import map_in_processes


def embed(path):
    model = load(str(path), is_pooled=True)
    path.with_name("begun").touch()
    return model.embed(np.zeros((1, 800), np.float32), 8000, (0,))


def main():
    from endless import embed  # by its own name, as other processes know it

    list(map_in_processes(embed, [Path(sys.argv[1])], n_processes=int(sys.argv[2]), smallest_parallel=1))


if __name__ == "__main__":
    sys.exit(carry_out(main))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no such signals")
@pytest.mark.parametrize("n_processes", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_signal_ends_a_program_whose_model_does_not_return(tmp_path, write_endless_onnx, n_processes, number):
    script = tmp_path / "endless.py"
    script.write_text(ENDLESS)
    running = subprocess.Popen(
        [sys.executable, script, write_endless_onnx(), str(n_processes)],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until = time.monotonic() + 100
        while not (tmp_path / "begun").exists() and running.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        while len(children := psutil.Process(running.pid).children(recursive=True)) < n_processes - 1:
            assert time.monotonic() < until
            time.sleep(0.05)
        running.send_signal(number)
        _, errors = running.communicate(timeout=200)
    finally:
        running.kill()
    assert running.returncode == 128 + number
    assert errors.startswith("Interrupted")
    assert errors.count("\n") == 1
    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []
