"""Jobs of several kinds that get SIGKILL again and again, against the same jobs undisturbed; a part of checkpoints.py.

python benchmarks/_kills.py FOLDER --jobs 1 2 8 --kills 75 --epochs 30 --seed 1        with KERAS_BACKEND set

This process loads the backend and computes nothing, so that each start of a job is a fork of it, in place of seconds of
imports, and is really killed. A checkpoint is written after each epoch. For each kill the seed draws an epoch, from 0 (while
the job starts) to the last (while it is tested and published), and a moment within it. Several kills may hit one epoch: the
later ones come while the job starts again.

Prints a line for each job: how many epochs that were trained had to be trained again (1 is the interval), and whether metrics,
weights, predictions and history are those of the undisturbed job, bit for bit. Ends with 1 where one is not as promised.
"""

import argparse
import importlib
import json
import multiprocessing
import os
import random
import runpy
import shutil
import signal
import statistics
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from preprocessing import store
from xval.backend.devices import load_keras

JOBS: tuple[dict[str, Any], ...] = (
    {"architecture": "cnn_small", "n_filters": (4, 8), "dropout": 0.3, "augment_mixup": 0.3, "augment_noise": 0.3,
     "augment_time_masks": 1, "augment_time_mask_frames": 3, "augment_mixstyle": 0.5, "weight_average": 0.9},
    {"architecture": "mlp", "n_units": (16,), "optimizer": "sgd", "momentum": 0.9, "schedule": "plateau",
     "schedule_patience": 2, "early_stopping": True, "patience": 30, "label_smoothing": 0.1},
    {"architecture": "crnn", "n_filters": (4,), "n_units": 4, "clip_norm": 1.0, "augment_frequency_masks": 1,
     "augment_frequency_mask_bins": 2},
    {"architecture": "rnn_small", "n_units": (8,), "optimizer": "adamw", "weight_decay": 0.01, "schedule": "cosine",
     "schedule_unit": "batch", "warmup_epochs": 1},
    {"architecture": "vgg_ultramini", "class_weights": "balanced", "schedule": "exponential", "schedule_decay": 0.9},
    {"architecture": "cnn_small", "n_filters": (8,), "precision": "mixed_bfloat16", "augment_mixstyle": 0.3, "generator": True},
    {"architecture": "mlp", "n_units": (8,), "optimizer": "rmsprop", "precision": "mixed_float16", "weight_average": 0.99},
    {"architecture": "cnn_small", "n_filters": (4, 4), "restore_best_weights": False, "augment_frequency_shift_bins": 2,
     "augment_mixup": 0.2, "schedule": "linear", "final_learning_rate": 1e-5},
)  # fmt: skip
SCRIPT = """
from xval import Experiment
experiment = Experiment("killed", **{parameters!r})
for number, job in enumerate({jobs!r}, start=1):
    experiment[number] = job
if __name__ == "__main__":
    experiment.main()
"""
LOADED = (
    "scipy.stats", "pandas", "pyarrow.parquet", "openpyxl", "h5py", "xval.experiment.declare", "xval.engine.worker.run",
    "xval.engine.worker.check_models", "xval.training.setup", "xval.training.fit", "xval.report.rebuild",
)  # fmt: skip
TRAINED, WENT_ON = 0, 1  # places in what a job shares: its last epoch, and the one before its first (-1: it has none yet)
_LOOK_EVERY_S = 0.01


def write_corpus(folder: Path, n_examples: int) -> None:
    """Write six items of two classes."""
    rng = np.random.default_rng(0)
    predictors = {f"item_{number}": rng.normal(size=(n_examples, 40, 16)).astype(np.float32) for number in range(6)}
    targets = {item: np.array(["low", "high"])[np.arange(n_examples) % 2] for item in predictors}
    store.write("toy", predictors, targets, data_folder=folder / "data")


class Starts:
    """Starts the jobs of an experiment, each time in a fork of this process.

    Args:
        folder: Gets the corpus, the script and the results.
        n_epochs: Of each job.

    Attributes:
        epochs: What a running job writes and this process reads, see `TRAINED` and `WENT_ON`.
    """

    def __init__(self, folder: Path, n_epochs: int) -> None:
        self.folder, self.n_epochs = folder, n_epochs
        folder.mkdir()
        write_corpus(folder, 24)
        parameters = {
            "dataset": "toy", "backend": os.environ["KERAS_BACKEND"], "fold_strategy": "holdout", "num_epochs": n_epochs,
            "early_stopping": False, "batch_size": 16, "page": "none", "executor": "inline", "gpu_ID": "cpu",
            "checkpoint_minutes": 1e-6,
        }  # fmt: skip
        (folder / "exp.py").write_text(SCRIPT.format(parameters=parameters, jobs=JOBS))
        self._context = multiprocessing.get_context("fork")
        self.epochs = self._context.RawArray("i", 2)

    def start(self, number: int, epoch: int | None = None, after_s: float = 0.0) -> multiprocessing.Process:
        """Start a job; SIGKILL ends it so long after an epoch, or after the start where it had trained that epoch before."""
        self.epochs[WENT_ON] = -1
        process = self._context.Process(target=self._run, args=(number, epoch, after_s))
        process.start()
        return process

    def wait(self, process: multiprocessing.Process, until: Callable[[], bool] = lambda: False) -> float:
        """Wait for something or for the end of a job, and return how long that took (s)."""
        began = time.perf_counter()
        while process.is_alive() and not until():
            time.sleep(_LOOK_EVERY_S)
        if process.exitcode not in (None, 0, -signal.SIGKILL):
            sys.exit((self.folder / "printed").read_text())
        return time.perf_counter() - began

    def take(self, number: int) -> dict[str, object]:
        """Return what a finished job left that must not differ, and remove its results."""
        place = self.folder / "results" / "toy" / "experiment_1" / f"instance_{number}" / "fold_1"
        record = json.loads((place / "record.json").read_text())
        with zipfile.ZipFile(place / "model.keras") as model:
            weights = blake2b(model.read("model.weights.h5")).hexdigest()
        names = ("confusion_matrix", "best_epoch", "epochs")
        found = {name: record[name] for name in names} | {
            "weights": weights,
            "history": (place / "history.csv").read_text(),
            **{name: blake2b((place / f"{name}.parquet").read_bytes()).hexdigest() for name in ("scores", "predictions")},
        }
        shutil.rmtree(self.folder / "results")
        return found

    def _run(self, number: int, kill_epoch: int | None, after_s: float) -> None:
        """Be the process of a job."""
        kill = threading.Timer(after_s, os.kill, (os.getpid(), signal.SIGKILL))
        if kill_epoch is not None and kill_epoch <= self.epochs[TRAINED]:
            kill.start()
        from xval.jobs.checkpoints import FoldCheckpoints

        take_epoch, go_on = FoldCheckpoints.epoch, FoldCheckpoints.go_on

        def noted_epoch(checkpoints: FoldCheckpoints, values: Mapping[str, float]) -> None:
            self.epochs[TRAINED], self.epochs[WENT_ON] = int(values["epoch"]), max(0, self.epochs[WENT_ON])
            if values["epoch"] == kill_epoch:
                kill.start()
            take_epoch(checkpoints, values)

        def noted_go_on(checkpoints: FoldCheckpoints) -> None:
            record: dict[str, Any] = {}
            checkpoints.complete(record)
            self.epochs[WENT_ON] = record["went_on"]["after_epoch"]
            go_on(checkpoints)

        FoldCheckpoints.epoch, FoldCheckpoints.go_on = noted_epoch, noted_go_on  # type: ignore[method-assign]
        os.chdir(self.folder)
        printed = os.open("printed", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(printed, 1)
        os.dup2(printed, 2)
        random.seed()  # as a separate process would begin
        sys.argv = ["exp.py", str(number)]
        runpy.run_path("exp.py", run_name="__main__")


def kill(starts: Starts, number: int, *, n_kills: int, rng: random.Random) -> bool:
    """Run a job undisturbed and then under kills, and print what came of it.

    Args:
        starts: Starts it; gives the results of the two in turn.
        number: Its number.
        n_kills: How often it is killed.
        rng: Draws the moments.

    Returns:
        Whether all is as promised.
    """
    shared = starts.epochs
    shared[TRAINED] = 0
    quiet = starts.start(number)
    until_first_s = starts.wait(quiet, lambda: shared[TRAINED] > 0)
    until_last_s = starts.wait(quiet, lambda: shared[TRAINED] == starts.n_epochs)
    behind_s = starts.wait(quiet)
    expected = starts.take(number)

    shared[TRAINED] = n_killed = n_starting = 0
    again, back_s = [0], []
    for epoch in [*sorted(rng.choices(range(starts.n_epochs + 1), k=n_kills)), None]:
        trained = shared[TRAINED]  # by the one that was killed before
        longest_s = until_last_s / (starts.n_epochs - 1)
        if epoch is not None and epoch <= trained:
            longest_s = until_first_s
        elif epoch == starts.n_epochs:
            longest_s = behind_s
        running = starts.start(number, epoch, rng.uniform(0, longest_s))
        seconds = starts.wait(running, lambda: shared[WENT_ON] >= 0)
        starts.wait(running)
        if running.exitcode == -signal.SIGKILL:
            n_killed += 1
            n_starting += shared[WENT_ON] < 0
        if shared[WENT_ON] >= 0:
            back_s.append(seconds)
            again.append(trained - shared[WENT_ON])
    is_equal = starts.take(number) == expected
    print(
        f"{os.environ['KERAS_BACKEND']}, job {number} ({JOBS[number - 1]['architecture']}): {n_killed} kills, {n_starting} of "
        f"them before it was trained again; epochs trained twice after a kill: at most {max(again)}; equal bits: {is_equal}; "
        f"back at work after {statistics.median(back_s):.2f} s (median), {max(back_s):.2f} s (most)",
        flush=True,
    )
    return is_equal and max(again) <= 1


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", type=int, nargs="+", default=range(1, len(JOBS) + 1), help="their numbers")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    load_keras()
    for name in LOADED:
        importlib.import_module(name)
    starts, rng = Starts(options.folder, options.epochs), random.Random(options.seed)  # noqa: S311 - moments
    shares = [len(range(place, options.kills, len(options.jobs))) for place in range(len(options.jobs))]
    is_good = [kill(starts, job, n_kills=n_kills, rng=rng) for job, n_kills in zip(options.jobs, shares, strict=True)]
    return 0 if all(is_good) else 1


if __name__ == "__main__":
    sys.exit(main())
