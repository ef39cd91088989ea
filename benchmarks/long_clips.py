"""Epochs of `cnn_small` on clips of 250 frames x 64 bins, one thread: float32, its multiplications alone, and mixed_bfloat16.

python benchmarks/long_clips.py [--quick] [--rounds N] [--lengths]

An epoch trains on generated clips and validates, in the engine, in turn, in one process. Processor time is compared, since it
depends less on what else the machine does. The multiplications are those of all convolutions, forward and back, at the rate of
a product of matrices in this minute. Prints the ratios to float32 last. With --lengths: instead, `crnn_attention` on clips of
2.9 to 5.3 s, on average 3.7 s as in RAVDESS, all padded to the longest, in batches of like length, and both in mixed_bfloat16.
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
import soundfile
from _folds import make_jobs, write_store
from _job_seconds import TRAINING, multiplications

from xval.backend.devices import Slot, environment

SHAPE = (250, 64)
SIZES = {False: (480, 4), True: (48, 3)}  # clips of six items, epochs of a round
N_ITEMS = 6
CLIP_S = (2.9, 3.0, 5.3)  # shortest, most frequent, longest
RATE_HZ = 16000


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

    parameters = {"dataset": "folds", "data_folder": str(folder / "data"), "early_stopping": False, **parameters}
    (job,) = make_jobs(folder / "results", store, 1, parameters)
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


def write_clips(folder: Path, n_clips: int) -> str:
    """Write a store of log-mel spectrograms of noise whose clips differ in length, and return its folder."""
    from preprocessing import prepare

    rng = np.random.default_rng(1)
    for number in range(n_clips):
        path = folder / "clips" / f"class_{number // N_ITEMS % 2}" / f"item{number % N_ITEMS}_{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * rng.normal(size=round(rng.triangular(*CLIP_S) * RATE_HZ)), RATE_HZ)
    options = {"dataset": "folds", "data_folder": folder / "data", "item_pattern": "(item[0-9])", "quiet": True}
    return str(prepare(folder / "clips", settings={"sample_rate_hz": RATE_HZ}, **options).folder)


def time_lengths(*, quick: bool, n_rounds: int) -> None:
    """Time epochs of a network that knows where clips end, padded to one length or not, in both precisions, and print them."""
    from xval.data import examples

    n_clips, n_epochs = SIZES[quick]
    few_lengths = examples.few_lengths
    ways = {
        "one length, float32": (lambda n_frames, longest: np.full_like(n_frames, longest), "float32"),
        "like length, float32": (few_lengths, "float32"),
        "one length, mixed_bfloat16": (lambda n_frames, longest: np.full_like(n_frames, longest), "mixed_bfloat16"),
        "like length, mixed_bfloat16": (few_lengths, "mixed_bfloat16"),
    }
    cpu_s: dict[str, list[float]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as place:
        store = write_clips(Path(place), n_clips)
        for _ in range(n_rounds):
            for name, (examples.few_lengths, precision) in ways.items():
                parameters = {"architecture": "crnn_attention", "num_epochs": n_epochs, "precision": precision}
                cpu_s[name] += time_epochs(Path(place), store, parameters)
    n_training = n_clips * (N_ITEMS - 2) // N_ITEMS
    print(f"an epoch of crnn_attention on {n_training} clips of {CLIP_S[0]} to {CLIP_S[-1]} s, one thread, processor time (s)")
    base = min(next(iter(cpu_s.values())))
    for name, measured in cpu_s.items():
        print(f"{name:27} median {median(measured):6.3f}  least {min(measured):6.3f}  ratio {min(measured) / base:.2f}")


def main(*, quick: bool, n_rounds: int) -> None:
    """Time epochs of both precisions in turn and print the results."""
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
    parser.add_argument("--lengths", action="store_true", help="clips of several lengths and a network that masks padding")
    given = parser.parse_args()
    bound = environment(Slot("cpu", 1), "tensorflow")
    if any(os.environ.get(name) != value for name, value in bound.items()):  # glibc reads its variables when a process starts
        sys.exit(subprocess.run([sys.executable, *sys.argv], env=os.environ | bound, check=False).returncode)
    (time_lengths if given.lengths else main)(quick=given.quick, n_rounds=1 if given.quick else given.rounds)
