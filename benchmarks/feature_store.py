"""From many wav files to a feature store: time with one worker and with more, and peak memory. Prints the ratio last.

python benchmarks/feature_store.py [--quick] [NUMBER_OF_CLIPS [WORKERS]]   4,000 clips and one worker for each core by default

The clips are generated: 0.5 s of noise at 16 kHz, of 20 items. Every run reads all of them twice, for the index and
for the features.
"""

import argparse
import csv
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from preprocessing.parallel import count_cores

RATE_HZ = 16000
N_ITEMS = 20
N_CLIPS = 4000
N_QUICK_CLIPS = 60


def write_corpus(folder: Path, n_clips: int) -> Path:
    """Write the clips and their table, and return the path of the table."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    with (folder / "clips.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "item", "label"])
        for number in range(n_clips):
            soundfile.write(folder / f"{number}.wav", 0.1 * rng.standard_normal(RATE_HZ // 2, dtype=np.float32), RATE_HZ)
            table.writerow([f"{number}.wav", f"speaker_{number % N_ITEMS}", f"word_{number % 7}"])
    return folder / "clips.csv"


def prepare(table: Path, data_folder: Path, n_workers: int) -> tuple[float, float]:
    """Run the command in a separate process; return its seconds, and the largest memory of any process so far (MB)."""
    command = [sys.executable, "-m", "preprocessing", "table", str(table), "--workers", str(n_workers)]
    started = time.perf_counter()
    subprocess.run([*command, "--data-folder", str(data_folder)], check=True, stdout=subprocess.DEVNULL)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return time.perf_counter() - started, peak / (2**20 if sys.platform == "darwin" else 2**10)


def main(n_clips: int, n_workers: int) -> None:
    """Time both runs and print the results."""
    with tempfile.TemporaryDirectory() as place:
        table = write_corpus(Path(place) / "audio", n_clips)
        one_s, one_mb = prepare(table, Path(place) / "one", 1)
        many_s, many_mb = prepare(table, Path(place) / "many", n_workers)
    print(f"{n_clips} clips of 0.5 s to log-mel, {os.cpu_count()} cores; peak memory of the largest process")
    print(f"1 worker   {one_s:7.1f} s  {n_clips / one_s:7.0f} clips/s  {one_mb:5.0f} MB")
    print(f"{n_workers} workers  {many_s:7.1f} s  {n_clips / many_s:7.0f} clips/s  {many_mb:5.0f} MB")
    print(f"ratio      {many_s / one_s:7.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A feature store with one worker and with more.")
    parser.add_argument("--quick", action="store_true", help=f"{N_QUICK_CLIPS} clips")
    parser.add_argument("n_clips", type=int, nargs="?", help=f"default: {N_CLIPS}")
    parser.add_argument("n_workers", type=int, nargs="?", default=count_cores(), help="default: as many as cores")
    given = parser.parse_args()
    main(given.n_clips or (N_QUICK_CLIPS if given.quick else N_CLIPS), given.n_workers)
