"""What gpu.py finds on the machine: the backends that see the GPU, and how busy it is."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from xval.backend.devices import Slot, environment
from xval.backend.gpu_readings import read_gpu

_SECONDS_BETWEEN_READINGS = 0.1


@contextmanager
def watched(gpu: str) -> Iterator[tuple[list[float], list[float]]]:
    """Read the utilisation (percent) and the memory in use (MB) of a GPU again and again, until the end of the block."""
    utilisation: list[float] = []
    memory_mb: list[float] = []
    over = threading.Event()

    def read() -> None:
        while not over.wait(_SECONDS_BETWEEN_READINGS):
            if found := read_gpu(gpu):
                utilisation.append(found.utilisation)
                memory_mb.append(found.used_mb)

    thread = threading.Thread(target=read)
    if gpu != "cpu":
        thread.start()
    try:
        yield utilisation, memory_mb
    finally:
        over.set()
        if thread.ident:
            thread.join()


def find_backends(gpu: str, wanted: list[str]) -> list[str]:
    """Return which of some backends are installed and see the GPU, and print what each sees."""
    codes = {
        "tensorflow": "import tensorflow as b; n = len(b.config.list_physical_devices('GPU'))",
        "torch": "import torch as b; n = b.cuda.device_count()",
        "jax": "import jax as b; n = sum(d.platform == 'gpu' for d in b.devices())",
    }
    found = []
    for backend in wanted:
        if find_spec(backend) is None:
            print(f"{backend}: not installed")
            continue
        command = [sys.executable, "-c", f"{codes[backend]}; print(b.__version__, n)"]
        ended = subprocess.run(
            command, env=os.environ | environment(Slot(gpu, 1), backend), capture_output=True, text=True, check=False
        )
        version, n_gpus = ended.stdout.split()[-2:] if ended.returncode == 0 else ("cannot be imported", "0")
        print(f"{backend} {version}: {'sees the GPU' if int(n_gpus) else 'sees no GPU'}")
        if int(n_gpus) or (gpu == "cpu" and ended.returncode == 0):
            found.append(backend)
    return found
