"""Milliseconds of a training step of every network that comes with xval: TensorFlow with and without oneDNN, torch, JAX.

python benchmarks/networks.py [--only cnn_small,mlp] [--ways onednn,plain,torch,jax] [--rounds 2] [--without-avx512]
python benchmarks/networks.py --only cnn_small --ways onednn,hand      against a step written by hand in torch, channels last

About an hour on 2 cores for all networks and two rounds.

Each network trains in the engine, on the CPU, with one thread, at its own size: 10 steps an epoch of 32 examples of 64 frames
and 40 bins (networks on the waveform: 0.5 s at 8 kHz) in 10 classes. Every way has a process of its own, and the ways take
turns. A step is the shortest epoch but the first, with its validation on 10 examples, over 10. ``--without-avx512`` holds all
libraries to AVX2, as on most laptops and workstations. Prints the sums over all networks as ratios to the first way last.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from _processor import describe, hold_to_avx2

import preprocessing

WAYS = {
    "onednn": {"KERAS_BACKEND": "tensorflow", "TF_ENABLE_ONEDNN_OPTS": "1"},
    "plain": {"KERAS_BACKEND": "tensorflow", "TF_ENABLE_ONEDNN_OPTS": "0"},
    "torch": {"KERAS_BACKEND": "torch"},
    "jax": {"KERAS_BACKEND": "jax"},
    "hand": {},  # cnn_small alone: _torch_step.py
}
LEFT_OUT = ("encoder", "denet")  # the first needs the weights of a pretrained one; a step of the other takes minutes
N_EPOCHS, N_STEPS, BATCH_SIZE, N_CLASSES = 4, 10, 32, 10
RATE_HZ = 8000
COUNTS = {"training": N_STEPS * BATCH_SIZE, "validation": 10, "test": 10}
WAVEFORM = {"features": "waveform", "sample_rate_hz": RATE_HZ}


def main() -> None:
    """Measure all networks in all ways, and print a table."""
    from xval.settings.architectures import architecture_names, trains_network

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="names of architectures, with commas between them")
    parser.add_argument("--ways", default="onednn,plain,torch,jax", help=f"of {', '.join(WAYS)}")
    parser.add_argument("--rounds", type=int, default=2, help="turns of each way; the shorter step counts")
    parser.add_argument("--without-avx512", action="store_true", help="as on a processor that has AVX2 alone")
    options = parser.parse_args()
    if options.without_avx512:
        hold_to_avx2()
    names = options.only.split(",") if options.only else [*architecture_names()]
    names = [name for name in names if name not in LEFT_OUT and trains_network(name)]
    ways = options.ways.split(",")
    print(f"{describe()}; milliseconds a step")
    print(f"{'':20}" + "".join(f"{way:>10}" for way in ways))
    sums = dict.fromkeys(ways, 0.0)
    for name in names:
        steps = dict.fromkeys(ways, float("inf"))
        for _ in range(options.rounds):
            for way in ways:
                steps[way] = min(steps[way], measure(name, way))
        print(f"{name:20}" + "".join(f"{steps[way]:10.1f}" for way in ways), flush=True)
        sums = {way: sums[way] + steps[way] for way in ways}
    print("ratio of the sums: " + ", ".join(f"{way} {sums[way] / sums[ways[0]]:.3f}" for way in ways))


def measure(name: str, way: str) -> float:
    """Return the milliseconds of a step of a network, in a separate process."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | WAYS[way] | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).resolve().parents[1])])}
        command = [sys.executable, str(Path(__file__).resolve()), "--by-hand" if way == "hand" else "--train", name]
        ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if ended.returncode:
            print(f"{name}, {way}: {(ended.stderr.strip() or 'failed').splitlines()[-1][:200]}", file=sys.stderr)
            return float("nan")
        epochs = [float(line) for line in Path(folder, "epochs.txt").read_text().split()]
    return 1000 * min(epochs[1:]) / N_STEPS


def train_by_hand() -> None:
    """Train cnn_small in the current folder, without Keras and the engine."""
    from _torch_step import train as train_torch

    train_torch(N_EPOCHS, N_STEPS, BATCH_SIZE, COUNTS["validation"], N_CLASSES)


def train(name: str) -> None:
    """Train a network in the current folder."""
    from xval import Experiment
    from xval.settings.architectures import find_architecture

    known = find_architecture(name)
    task = "classification" if "classification" in known.task_types else known.task_types[0]
    write_waveforms() if known.features == "waveform" else write_arrays()
    waveform = WAVEFORM | {"frontend": "none"} if known.features == "waveform" else {}
    experiment = Experiment(
        "Steps",
        dataset="steps",
        num_experiment=1,
        fold_strategy="_step_clock.one_fold",
        num_folds=1,
        num_epochs=N_EPOCHS,
        batch_size=BATCH_SIZE,
        task_type=task,
        early_stopping=False,
        learning_rate=1e-5,
        callbacks=["_step_clock.Clock"],
        gpu_ID="cpu",
        page="none",
    )
    experiment[1] = {"architecture": name, **waveform}
    experiment.run(executor="inline", quiet=True)


def write_arrays() -> None:
    """Write examples of 64 frames and 40 bins."""
    from preprocessing.store import write

    rng = np.random.default_rng(0)
    x = {item: rng.normal(size=(count, 64, 40)).astype("float32") for item, count in COUNTS.items()}
    write("steps", x, {item: np.arange(count) % N_CLASSES for item, count in COUNTS.items()}, data_folder="data")


def write_waveforms() -> None:
    """Write clips of 0.5 s of noise."""
    rng = np.random.default_rng(0)
    rows = []
    for item, count in COUNTS.items():
        for number in range(count):
            soundfile.write(f"{item}_{number}.wav", 0.1 * rng.normal(size=RATE_HZ // 2), RATE_HZ)
            rows.append({"path": f"{item}_{number}.wav", "item": item, "label": f"class {number % N_CLASSES}"})
    pd.DataFrame(rows).to_csv("clips.csv", index=False)
    preprocessing.prepare("clips.csv", dataset="steps", data_folder="data", settings=WAVEFORM, quiet=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--train"]:
        train(sys.argv[2])
    elif sys.argv[1:2] == ["--by-hand"]:
        train_by_hand()
    else:
        main()
