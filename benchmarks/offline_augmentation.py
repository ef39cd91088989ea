"""Augmented copies of generated files: files per second with one worker and with two. Prints the ratio last.

python benchmarks/offline_augmentation.py [--quick] [N_FILES]   400 by default, three copies of each; about a minute on 2 cores

Both go in turn over the same files, each time into a fresh folder; the medians of the runs are compared.
"""

import argparse
import io
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import soundfile
from rich.console import Console

from augmentation.folder import Augmentation, augment_folder
from augmentation.offline_settings import read_augmentation_settings

N_RUNS = 3
N_FILES = 400
N_QUICK_FILES = 6
N_COPIES = 3
RATE_HZ = 16000
SECONDS = 1.0


def write_files(folder: Path, n_files: int) -> None:
    """Write so many files of coloured noise."""
    for number in range(n_files):
        rng = np.random.default_rng(number)
        samples = np.cumsum(rng.normal(0, 1, round(SECONDS * RATE_HZ)))
        soundfile.write(folder / f"{number}.wav", 0.5 * samples / np.abs(samples).max(), RATE_HZ)


def main(n_files: int, n_runs: int) -> None:
    """Time both numbers of workers in turn and print the results."""
    settings = read_augmentation_settings()
    rates: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as place:
        source = Path(place) / "in"
        source.mkdir()
        write_files(source, n_files)
        for run in range(n_runs):
            for n_workers in rates:
                output = Path(place) / f"out_{run}_{n_workers}"
                started = time.perf_counter()
                wanted = Augmentation(source, output, N_COPIES, settings, n_processes=n_workers)
                augment_folder(wanted, Console(file=io.StringIO()))
                rates[n_workers].append(n_files * (1 + N_COPIES) / (time.perf_counter() - started))
    print(f"{n_files} files of {SECONDS:g} s at {RATE_HZ} Hz, {N_COPIES} copies of each; median of {n_runs} runs")
    for n_workers, runs in rates.items():
        workers = f"{n_workers} worker{'s' * (n_workers > 1)}"
        print(f"{workers:9} {median(runs):7.1f} files per second  (from {min(runs):.1f} to {max(runs):.1f})")
    print(f"ratio     {median(rates[2]) / median(rates[1]):7.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Augmented copies with one worker and with two.")
    parser.add_argument("--quick", action="store_true", help=f"{N_QUICK_FILES} files, once")
    parser.add_argument("n_files", type=int, nargs="?", help=f"default: {N_FILES}")
    given = parser.parse_args()
    main(given.n_files or (N_QUICK_FILES if given.quick else N_FILES), 1 if given.quick else N_RUNS)
