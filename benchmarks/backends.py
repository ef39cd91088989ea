"""One fold of `cnn_small` on the demo corpus with TensorFlow, torch and JAX, on the CPU. Prints the ratios to TensorFlow last.

python benchmarks/backends.py [--quick] [--rounds N]

The job of each backend is written by `--executor command` and run by its line, as a scheduler does, in turn and each in a
process of its own with one thread. A fold counts from the begin of the job, behind the imports, to its published folder; the
first epoch from the begin of the job, so that building and compiling the model are in it.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from _experiments import prepare_corpus, read_records, results_folder, write_script

BACKENDS = ("tensorflow", "torch", "jax")
N_EPOCHS = 5
QUICK_EPOCHS = 2


@dataclass(frozen=True)
class Run:
    """One job.

    Attributes:
        fold_s: The whole job (s).
        first_epoch_s: From the begin of the job to the end of the first epoch (s).
        later_epoch_s: Median of the other epochs (s).
        peak_memory_mb: Largest resident memory of its process (MB).
        accuracy: On the test clips.
    """

    fold_s: float
    first_epoch_s: float
    later_epoch_s: float
    peak_memory_mb: float
    accuracy: float


def run_backend(folder: Path, parameters: dict[str, Any]) -> Run:
    """Write the job of the first fold, run it, and return what it took.

    Raises:
        SystemExit: A command failed.
    """
    script = write_script(folder, parameters)
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    command = [sys.executable, str(script), "1", "1", "cpu", "--folds", "1", "--executor", "command"]
    written = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if written.returncode:
        sys.exit(f"the job of {parameters['backend']} cannot be written:\n{written.stdout}\n{written.stderr}")
    (line,) = written.stdout.splitlines()
    with subprocess.Popen(
        shlex.split(line), cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        ends = [time.time() for printed in process.stdout or () if printed.startswith("epoch ")]
    if process.returncode:
        sys.exit(f"{line} ended with exit code {process.returncode}")
    (record,) = read_records(results_folder(parameters))
    published = (results_folder(parameters) / "instance_1" / "fold_1" / "record.json").stat().st_mtime
    return Run(
        fold_s=record["seconds"],
        first_epoch_s=ends[0] - (published - record["seconds"]),
        later_epoch_s=median(end - begin for begin, end in pairwise(ends)),
        peak_memory_mb=record["peak_memory_mb"],
        accuracy=record["test_scores"]["accuracy"],
    )


def main(*, quick: bool, n_rounds: int) -> None:
    """Time the backends in turn and print the results."""
    n_epochs = QUICK_EPOCHS if quick else N_EPOCHS
    runs: dict[str, list[Run]] = {backend: [] for backend in BACKENDS}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        parameters = prepare_corpus(folder, None, quick=quick)
        parameters |= {"architecture": "cnn_small", "num_epochs": n_epochs, "early_stopping": False}
        for number in range(n_rounds):
            for place_of, backend in enumerate(BACKENDS, start=1):
                chosen = parameters | {"backend": backend, "num_experiment": 10 * (number + 1) + place_of}
                runs[backend].append(run_backend(folder, chosen))
    print(f"one fold of cnn_small on the demo corpus, {n_epochs} epochs, CPU, 1 thread; median of {n_rounds} round(s), seconds")
    print(f"{'':12}    fold   first epoch   later epochs   peak memory (MB)   test accuracy")
    medians = {}
    for backend, found in runs.items():
        fold, first, later, memory, accuracy = (
            median(getattr(run, name) for run in found) for name in Run.__dataclass_fields__
        )
        medians[backend] = fold
        print(f"{backend:12} {fold:7.2f} {first:13.2f} {later:14.3f} {memory:18.0f} {accuracy:15.3f}")
    others = (f"{backend} {medians[backend] / medians['tensorflow']:.3f}" for backend in BACKENDS[1:])
    print(f"ratio to tensorflow: {', '.join(others)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The same job on three backends.")
    parser.add_argument("--quick", action="store_true", help="a small demo corpus, 2 epochs")
    parser.add_argument("--rounds", type=int, help="runs of each backend (default: 3, quick: 1)")
    given = parser.parse_args()
    main(quick=given.quick, n_rounds=given.rounds or (1 if given.quick else 3))
