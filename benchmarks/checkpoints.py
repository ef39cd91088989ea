"""Checkpoints inside a fold: what they cost, and that jobs which are killed again and again end as those that are not.

python benchmarks/checkpoints.py [--quick] [--backends torch jax] [--jobs 1 2 8] [--kills 200] [--epochs 30] [--seed 1]

Kills: jobs of several kinds get SIGKILL, each equally often, at random moments of starting, training, testing and publishing,
and are started again, with a checkpoint after each epoch; _kills.py says how. No more than one epoch may be trained twice, and
metrics, weights, predictions and history are compared bit for bit with those of the undisturbed job.

Cost: the share of a training's time that goes into checkpoints at the default, 5 minutes (a short one only copies its state in
memory), and with one after each epoch. Both times are taken within one training. Last comes the largest ratio of the cost at
the default to its target, 2 %.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from _kills import JOBS, write_corpus

from xval.backend.devices import Slot, environment

FILTERS = ("4, 8", "32, 64")
TARGET = 0.02
SCRIPT = """
import os, time
from xval import Experiment
from xval.jobs import checkpoints

experiment = Experiment("killed", dataset="toy", backend="{backend}", fold_strategy="holdout", num_epochs={epochs},
    early_stopping=False, batch_size=16, page="none", executor="inline", gpu_ID="cpu", checkpoint_minutes={minutes})
experiment[1] = dict(architecture="cnn_small", n_filters=({filters}), dropout=0.3, augment_mixup=0.3, augment_noise=0.3,
    augment_time_masks=1, augment_time_mask_frames=3, augment_mixstyle=0.5, weight_average=0.9)

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
    kinds.epoch, kinds.write = timed(kinds.epoch, "offer"), timed(kinds.write, "write")
    import xval.backend.devices as devices
    os.environ["KERAS_BACKEND"] = "{backend}"
    devices.load_keras()
    import xval.training.fit as fit
    import xval.engine.worker.run
    fit.train_model = timed(fit.train_model, "train")
    try:
        experiment.main()
    finally:
        print("SPENT", spent)
"""


def train(folder: Path, backend: str, *, minutes: float, epochs: int, filters: str) -> str:
    """Run the experiment in a folder, in a separate process, and return what it printed."""
    (folder / "exp.py").write_text(SCRIPT.format(backend=backend, epochs=epochs, minutes=minutes, filters=filters))
    bound = {"KERAS_BACKEND": backend, "COLUMNS": "200", "PYTHONPATH": str(Path(__file__).parents[1])}
    ended = subprocess.run(
        [sys.executable, "exp.py"], cwd=folder, env=os.environ | bound, text=True, capture_output=True, check=False
    )
    if ended.returncode:
        sys.exit(ended.stdout + ended.stderr)
    return ended.stdout


def kill(backend: str, folder: Path, options: argparse.Namespace) -> bool:
    """Kill jobs in a process that has loaded a backend; return whether all was as promised."""
    given = {"--jobs": options.jobs, "--kills": [options.kills], "--epochs": [options.epochs], "--seed": [options.seed]}
    words = [word for name, numbers in given.items() for word in (name, *map(str, numbers))]
    variables = {**environment(Slot("cpu", 1), backend), "COLUMNS": "200", "PYTHONPATH": str(Path(__file__).parents[1])}
    variables["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.05"  # jobs are started again and again
    command = [sys.executable, str(Path(__file__).with_name("_kills.py")), str(folder / "killed"), *words]
    return subprocess.run(command, env=os.environ | variables, check=False).returncode == 0


def measure(backend: str, folder: Path, *, n_epochs: int, filters: str) -> float:
    """Print what checkpoints cost in a training: one after each epoch, and as they are by default; return that share."""
    for minutes in (1e-6, 5.0):
        place = folder / f"cost_{minutes}_{filters[:2]}"
        place.mkdir()
        write_corpus(place, 60)
        printed = train(place, backend, minutes=minutes, epochs=n_epochs, filters=filters)
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
    parser.add_argument(
        "--jobs", type=int, nargs="+", default=list(range(1, len(JOBS) + 1)), help="numbers of those in _kills.py"
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.quick:
        options.backends, options.jobs, options.kills, options.epochs = ["torch"], [1], 2, 4
    is_good, shares = True, []
    for backend in options.backends:
        folder = Path(tempfile.mkdtemp())
        try:
            is_good &= kill(backend, folder, options)
            shares += [measure(backend, folder, n_epochs=max(2, options.epochs // 3), filters=each) for each in FILTERS]
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"ratio of the cost at the default to 2 %: {max(shares) / TARGET:.3f}")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
