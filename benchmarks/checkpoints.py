"""Checkpoints inside a fold: what they cost, and that a fold which is killed again and again ends as one that is not.

python benchmarks/checkpoints.py [--quick] [--backends torch jax] [--kills 5] [--epochs 30]      some minutes for each backend

The fold has dropout, mixup, masks, noise, MixStyle, averaged weights and a schedule of its own that notes each epoch as it
begins. It is run undisturbed; then its process gets SIGKILL at random moments of its training, and the same command is given
again, with a checkpoint after each epoch. Prints for each kill the epoch that was being trained and the one that the next run
went on at: the same one, if no finished epoch is lost. Metrics, weights, predictions and history are compared bit for bit.

Cost: the share of a training's time that goes into checkpoints at the default, 5 minutes (a short one only copies its state in
memory), and with one after each epoch. Both times are taken within one training. Last comes the largest ratio of the cost at
the default to its target, 2 %.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from hashlib import blake2b
from pathlib import Path

import numpy as np

from preprocessing import store

FILTERS = ("4, 8", "32, 64")
TARGET = 0.02
SCRIPT = """
import os, time
from xval import Experiment
from xval.jobs import checkpoints

experiment = Experiment("killed", dataset="toy", backend="{backend}", fold_strategy="holdout", num_epochs={epochs},
    early_stopping=False, batch_size=16, page="none", executor="inline", gpu_ID="cpu", checkpoint_minutes={minutes})
experiment[1] = dict(architecture="cnn_small", n_filters=({filters}), dropout=0.3, augment_mixup=0.3, augment_noise=0.3,
    augment_time_masks=1, augment_time_mask_frames=3, augment_mixstyle=0.5, weight_average=0.9,
    schedule="own_schedule.schedule")

def timed(function, key):
    def call(*arguments, **named):
        began = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            spent[key] += time.perf_counter() - began
    return call

if __name__ == "__main__":
    spent = dict(offer=0.0, write=0.0, train=0.0)
    kinds = checkpoints.FoldCheckpoints
    kinds.offer, kinds.write = timed(kinds.offer, "offer"), timed(kinds.write, "write")
    import xval.backend.devices as devices
    os.environ["KERAS_BACKEND"] = "{backend}"
    devices.load_keras()
    import xval.training.fit as fit
    import xval.worker.run
    fit.train_model = timed(fit.train_model, "train")
    try:
        experiment.main()
    finally:
        print("SPENT", spent)
"""
SCHEDULE = """
import time
def schedule(epoch, rate):
    with open("{folder}/epochs", "a") as file:
        print(epoch + 1, file=file)
    time.sleep({pause})
    return 0.9 * rate
"""


def write_corpus(folder: Path, n_examples: int) -> None:
    """Write six items of two classes."""
    rng = np.random.default_rng(0)
    predictors = {f"item_{number}": rng.normal(size=(n_examples, 40, 16)).astype(np.float32) for number in range(6)}
    targets = {item: np.array(["low", "high"])[np.arange(n_examples) % 2] for item in predictors}
    store.write("toy", predictors, targets, data_folder=folder / "data")


def start(
    folder: Path, backend: str, *, pause: float = 0.0, minutes: float = 5.0, epochs: int, filters: str = "4, 8"
) -> subprocess.Popen[str]:
    """Start the experiment in a folder."""
    (folder / "exp.py").write_text(SCRIPT.format(backend=backend, epochs=epochs, minutes=minutes, filters=filters))
    (folder / "own_schedule.py").write_text(SCHEDULE.format(folder=folder, pause=pause))
    bound = {"KERAS_BACKEND": backend, "COLUMNS": "200", "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "exp.py"]
    return subprocess.Popen(
        command, cwd=folder, env=os.environ | bound, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def finish(running: subprocess.Popen[str]) -> str:
    """Wait for the end of a run and return what it printed."""
    printed, _ = running.communicate()
    if running.returncode:
        sys.exit(printed)
    return printed


def left_in(folder: Path) -> dict[str, object]:
    """Return what a finished fold left that must not differ."""
    place = folder / "results" / "toy" / "experiment_1" / "instance_1" / "fold_1"
    record = json.loads((place / "record.json").read_text())
    with zipfile.ZipFile(place / "model.keras") as model:
        weights = blake2b(model.read("model.weights.h5")).hexdigest()
    names = ("metrics", "clip_metrics", "item_metrics", "confusion_matrix", "best_epoch", "epochs")
    return {name: record[name] for name in names} | {
        "weights": weights,
        "history": (place / "history.csv").read_text(),
        "predictions": blake2b((place / "predictions.parquet").read_bytes()).hexdigest(),
    }


def last_epoch(folder: Path) -> int:
    """Return the epoch that began last."""
    path = folder / "epochs"
    return int(path.read_text().split()[-1]) if path.exists() and path.read_text().strip() else 0


def kill(backend: str, folder: Path, *, n_kills: int, n_epochs: int) -> bool:
    """Kill a fold some times; return whether it lost no finished epoch and ended as it does undisturbed."""
    rng = random.Random(1)  # noqa: S311 - moments of kills
    quiet, killed = folder / "undisturbed", folder / "killed"
    for each in (quiet, killed):
        each.mkdir()
        write_corpus(each, 24)
    finish(start(quiet, backend, pause=0.2, minutes=1e-6, epochs=n_epochs))
    lost, back = [], []
    at = sorted(rng.sample(range(2, n_epochs), n_kills))
    for epoch in at:
        began = time.perf_counter()
        n_before = last_epoch(killed)
        running = start(killed, backend, pause=0.2, minutes=1e-6, epochs=n_epochs)
        while running.poll() is None and last_epoch(killed) <= n_before:
            time.sleep(0.01)
        back.append(time.perf_counter() - began)
        while running.poll() is None and last_epoch(killed) < epoch:
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.3))
        running.send_signal(signal.SIGKILL)
        printed, _ = running.communicate()
        (killed / "epochs").write_text(f"{last_epoch(killed)}\n")
        lost.append((last_epoch(killed), printed))
    printed = finish(start(killed, backend, pause=0.2, minutes=1e-6, epochs=n_epochs))
    gone_on = [re.search(r"goes on at epoch (\d+)", text) for text in (*(text for _, text in lost[1:]), printed)]
    went_on = [int(found.group(1)) if found else 1 for found in gone_on]
    for (epoch, _), at_epoch in zip(lost, went_on, strict=True):
        print(f"{backend}: killed in epoch {epoch}, went on at epoch {at_epoch}")
    is_equal = left_in(quiet) == left_in(killed)
    n_lost = max(epoch - at_epoch for (epoch, _), at_epoch in zip(lost, went_on, strict=True))
    print(f"{backend}: {n_kills} kills; at most {n_lost} finished epochs lost; figures equal bit for bit: {is_equal}; "
          f"back at work after {min(back):.1f} to {max(back):.1f} s")  # fmt: skip
    return is_equal and n_lost <= 0


def measure(backend: str, folder: Path, *, n_epochs: int, filters: str) -> float:
    """Print what checkpoints cost in a training: one after each epoch, and as they are by default; return that share."""
    for minutes in (1e-6, 5.0):
        place = folder / f"cost_{minutes}_{filters[:2]}"
        place.mkdir()
        write_corpus(place, 60)
        printed = finish(start(place, backend, minutes=minutes, epochs=n_epochs, filters=filters))
        seconds = json.loads(re.search(r"SPENT (.*)", printed).group(1).replace("'", '"'))
        every = "every 5 minutes (the default)" if minutes == 5 else "after each epoch"
        print(f"{backend}, cnn_small ({filters}), {n_epochs} epochs of {seconds['train'] / n_epochs:.3f} s, written {every}: "
              f"{100 * seconds['offer'] / seconds['train']:.2f} % of {seconds['train']:.1f} s; "
              f"writing {1000 * seconds['write'] / n_epochs:.1f} ms an epoch")  # fmt: skip
    return float(seconds["offer"] / seconds["train"])


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--backends", nargs="+", default=["tensorflow", "torch", "jax"])
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=30)
    options = parser.parse_args()
    if options.quick:
        options.backends, options.kills, options.epochs = ["torch"], 1, 5
    is_good, shares = True, []
    for backend in options.backends:
        folder = Path(tempfile.mkdtemp())
        try:
            is_good &= kill(backend, folder, n_kills=options.kills, n_epochs=options.epochs)
            shares += [measure(backend, folder, n_epochs=options.epochs, filters=each) for each in FILTERS]
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"ratio of the cost at the default to 2 %: {max(shares) / TARGET:.3f}")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
