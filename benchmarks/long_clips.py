"""Epochs of `cnn_small` on clips of 250 frames x 64 bins, one thread: float32, its multiplications alone, and mixed_bfloat16.

python benchmarks/long_clips.py [--quick] [--rounds N]

An epoch trains on generated clips and validates, in the engine, in turn, in one process. Processor time is compared, since it
depends less on what else the machine does. The multiplications are those of all convolutions, forward and back, at the rate of
a product of matrices in this minute. Prints the ratios to float32 last.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
from _folds import make_jobs, write_store
from _job_seconds import TRAINING, multiplications

from xval.backend.devices import Slot, environment

SHAPE = (250, 64)
SIZES = {False: (480, 4), True: (48, 3)}  # clips of six items, epochs of a round
N_ITEMS = 6


class EpochEnds:
    """An observer of a job that notes the processor time at the end of each epoch."""

    def __init__(self) -> None:
        self.cpu_s: list[float] = []

    def epoch(self, _: Mapping[str, float]) -> None:
        """Note the time."""
        self.cpu_s.append(time.process_time())


def time_epochs(folder: Path, store: str, parameters: Mapping[str, object]) -> list[float]:
    """Train a fold and return the processor time of each epoch but the first, which traces (s)."""
    from xval.jobs.observers import Observers
    from xval.training.fit import train_model
    from xval.training.setup import set_up_fold

    (job,) = make_jobs(folder / "results", store, 1, {"dataset": "folds", "early_stopping": False, **parameters})
    ends, temporary = EpochEnds(), Path(tempfile.mkdtemp(dir=folder))
    observers = Observers([ends])
    with set_up_fold(job, temporary, observers) as fold:
        train_model(fold.compiled, fold.data, job.settings, seed=job.seed, observers=observers)
    return [end - begin for begin, end in pairwise(ends.cpu_s)]


def peak_per_s(n_runs: int = 10, size: int = 1024) -> float:
    """Return the multiplications of a product of matrices in a second of one core, at best."""
    first, second = np.random.default_rng(0).normal(size=(2, size, size)).astype(np.float32)
    least = float("inf")
    for _ in range(n_runs):
        started = time.process_time()
        first @ second
        least = min(least, time.process_time() - started)
    return size**3 / least


def main(*, quick: bool, n_rounds: int) -> None:
    """Time epochs of both precisions in turn and print the figures."""
    n_clips, n_epochs = SIZES[quick]
    cpu_s: dict[str, list[float]] = {"float32": [], "mixed_bfloat16": []}
    peaks = []
    with tempfile.TemporaryDirectory() as place:
        store = write_store(Path(place), n_items=N_ITEMS, n_examples=n_clips, shape=SHAPE)
        for _ in range(n_rounds):
            for precision, measured in cpu_s.items():
                parameters = {"architecture": "cnn_small", "num_epochs": n_epochs, "precision": precision}
                measured += time_epochs(Path(place), store, parameters)
            peaks.append(peak_per_s())
    # Of the items one validates, which is a pass forward, and one is tested.
    n_passes = TRAINING * n_clips * (N_ITEMS - 2) / N_ITEMS + n_clips / N_ITEMS
    floor_s = multiplications(*SHAPE, 10) * n_passes / max(peaks)
    n_training = n_clips * (N_ITEMS - 2) // N_ITEMS
    print(f"an epoch of cnn_small on {n_training} clips of {SHAPE[0]} x {SHAPE[1]}, one thread, processor time (s)")
    for precision, measured in cpu_s.items():
        print(f"{precision:16} median {median(measured):6.3f}  least {min(measured):6.3f}")
    print(f"multiplications  {floor_s:6.3f}")
    base = min(cpu_s["float32"])
    print(f"ratio to float32: multiplications {floor_s / base:.2f}, mixed_bfloat16 {min(cpu_s['mixed_bfloat16']) / base:.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few clips")
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    bound = environment(Slot("cpu", 1), "tensorflow")
    if any(os.environ.get(name) != value for name, value in bound.items()):  # glibc reads its variables when a process starts
        sys.exit(subprocess.run([sys.executable, *sys.argv], env=os.environ | bound, check=False).returncode)
    main(quick=given.quick, n_rounds=1 if given.quick else given.rounds)
