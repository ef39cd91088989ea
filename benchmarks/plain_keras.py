"""Cross-validation of `cnn_small`: this project against a loop written by hand with Keras. Prints the ratios last.

python benchmarks/plain_keras.py [--quick] [--digits FOLDER] [--rounds N] [--epochs N ...]

FOLDER holds the recordings of the Free Spoken Digit Dataset (default: the environment variable XVAL_FSDD; without it the demo
corpus is used). Folds of 3 and of 20 epochs, TensorFlow on the CPU with one thread, in turn: the engine, by the command that
users run with one worker, and the loop of _plain_loop.py, each in a separate process. Both have the same folds, seeds, clips,
batches, network and number of epochs (early stopping ends no fold, and restores the best weights), repeatable arithmetic, and
write each fold's model. The loop has two forms, of which the faster one counts: with `fit` on arrays, and with batches in the
order of the engine and its batch normalisation (xval/backend/fused_normalization.py), which must reach the same accuracies.

The ratio is that of the time from the begin of the first fold to the end of the last one: the start of Python and the imports
count on neither side, reading the features and saving the models on both, and what the engine alone does for a fold as well.
Before its first fold the engine builds the model once, to check it: that is no part of the span, and leaves TensorFlow warm, so
that the first folds do not compare; the later ones do, and the whole commands.
The seconds of the whole commands are shown next to it. The engine sets MALLOC_ variables for its workers, the loop has the
defaults of the system.
"""

import argparse
import json
import math
import os
import sys
import tempfile
from collections.abc import Sequence
from csv import DictReader
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from _experiments import Cost, call, prepare_corpus, read_records, results_folder, write_script

from preprocessing.store import open_store

WANTED = {3: 0.80, 20: 1.00}
N_ROUNDS = {3: 3, 20: 1}
QUICK_EPOCHS = (2,)
FORMS = ("batches", "arrays")
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Run:
    """One side's pass over all folds.

    Attributes:
        seconds: Of each fold (s).
        span_s: From the begin of the first fold to the end of the last one (s).
        cost: Of the whole command.
        accuracies: On the test clips, of each fold.
        losses: Of each epoch of each fold.
    """

    seconds: list[float]
    span_s: float
    cost: Cost
    accuracies: list[float]
    losses: list[list[float]]


def run_engine(folder: Path, parameters: dict[str, Any]) -> Run:
    """Run the experiment with one warm worker."""
    script = write_script(folder, parameters)
    cost = call([sys.executable, str(script), "1", "1", "cpu", "--workers", "1", "--quiet"], folder)
    results = results_folder(parameters)
    records = read_records(results)
    ends = [(results / "instance_1" / f"fold_{record['fold']}" / "record.json").stat().st_mtime for record in records]
    losses = []
    for record in records:
        with (results / "instance_1" / f"fold_{record['fold']}" / "history.csv").open(newline="", encoding="utf-8") as file:
            losses.append([float(row["loss"]) for row in DictReader(file)])
    return Run(
        seconds=[record["seconds"] for record in records],
        span_s=max(ends) - min(end - record["seconds"] for end, record in zip(ends, records, strict=True)),
        cost=cost,
        accuracies=[record["test_scores"]["accuracy"] for record in records],
        losses=losses,
    )


def run_loop(folder: Path, n_epochs: int, form: str) -> Run:
    """Run the loop on what `write_clips` wrote."""
    path = os.pathsep.join(part for part in (str(ROOT), os.environ.get("PYTHONPATH", "")) if part)
    variables = {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": path}
    variables |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    command = [sys.executable, str(Path(__file__).with_name("_plain_loop.py")), str(folder), str(n_epochs), form]
    cost = call(command, folder, **variables)
    report = json.loads((folder / "loop.json").read_text())
    return Run(
        seconds=report["seconds"],
        span_s=report["span_s"],
        cost=cost,
        accuracies=[fold["test_accuracy"] for fold in report["folds"]],
        losses=[fold["loss"] for fold in report["folds"]],
    )


def write_clips(folder: Path, parameters: dict[str, Any]) -> str:
    """Write the clips, folds and seeds of a finished experiment for the loop; return a line on them."""
    records = read_records(results_folder(parameters))
    store = open_store(Path(parameters["data_folder"]) / parameters["dataset"] / "features" / records[0]["store"])
    predictors = [np.asarray(store.predictors(item)) for item in store.items]
    targets = np.concatenate([store.targets(item) for item in store.items])
    items = np.repeat(np.array(store.items), [len(values) for values in predictors])
    np.savez(folder / "clips.npz", predictors=np.concatenate(predictors), targets=targets, items=items)
    folds = [{"number": record["fold"], "seed": record["seed"], **record["items"]} for record in records]
    (folder / "folds.json").write_text(json.dumps(folds))
    shape = " x ".join(map(str, store.example_shape))
    return f"{parameters['dataset']}: {len(folds)} folds of {records[0]['n_training_examples']} training clips, {shape}"


def compare(folder: Path, parameters: dict[str, Any], n_epochs: int, n_rounds: int) -> float:
    """Run all sides in turn, print their results, and return the ratio of the medians.

    Raises:
        SystemExit: The accuracies are not the same.
    """
    runs: dict[str, list[Run]] = {"engine": [], **{form: [] for form in FORMS}}
    for number in range(n_rounds):
        chosen = parameters | {"num_epochs": n_epochs, "num_experiment": 100 * n_epochs + number + 1}
        runs["engine"].append(run_engine(folder, chosen))
        if number == 0:
            described = write_clips(folder, chosen)
        for form in FORMS:
            runs[form].append(run_loop(folder, n_epochs, form))
    print(f"\n{described}, {n_epochs} epochs; median of {n_rounds} round(s), seconds")
    print(f"{'':16} per fold  (range)          first fold  later folds   whole command: wall     cpu")
    for name, found in runs.items():
        folds = [run.span_s / len(run.seconds) for run in found]
        later = median(second for run in found for second in run.seconds[1:])
        print(
            f"{name if name == 'engine' else f'loop, {name}':16} {median(folds):8.2f}  ({min(folds):6.2f} - {max(folds):6.2f})"
            f" {median(run.seconds[0] for run in found):11.2f} {later:12.2f}"
            f" {median(run.cost.wall_s for run in found):21.1f} {median(run.cost.cpu_s for run in found):7.1f}"
        )
    engine, loop = runs["engine"][0], runs["batches"][0]
    print(f"test accuracies  {', '.join(f'{value:.3f}' for value in engine.accuracies)}")
    furthest = np.abs(np.subtract(engine.losses, loop.losses)).max()
    print(f"training losses  differ by {furthest:.3g} at most")
    if not np.allclose(engine.accuracies, loop.accuracies, rtol=0, atol=1e-6):
        sys.exit(f"the loop reaches other accuracies: {', '.join(f'{value:.3f}' for value in loop.accuracies)}")
    cpu = {name: median(run.cost.cpu_s for run in found) for name, found in runs.items()}
    print(f"CPU time of the whole commands, ratio {cpu['engine'] / min(cpu[form] for form in FORMS):.3f}")
    spans = {name: median(run.span_s for run in found) for name, found in runs.items()}
    return spans["engine"] / min(spans[form] for form in FORMS)


def main(epochs: Sequence[int], recordings: Path | None, *, quick: bool, n_rounds: int | None) -> None:
    """Compare the sides for each number of epochs and print the ratios."""
    common: dict[str, Any] = {"architecture": "cnn_small", "early_stopping": False, "backend": "tensorflow"}
    ratios = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        parameters = prepare_corpus(folder, recordings, quick=quick) | common
        for n_epochs in epochs:
            rounds = n_rounds or (1 if quick else N_ROUNDS.get(n_epochs, 1))
            ratios[n_epochs] = compare(folder, parameters, n_epochs, rounds)
    print()
    for n_epochs, ratio in ratios.items():
        wanted = WANTED.get(n_epochs, math.nan)
        print(f"ratio, {n_epochs} epochs  {ratio:.3f}" + ("" if math.isnan(wanted) else f"  (wanted: at most {wanted:.2f})"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The engine against a plain Keras loop.")
    parser.add_argument("--quick", action="store_true", help="a few seconds: a small demo corpus, 2 epochs")
    parser.add_argument("--digits", type=Path, default=os.environ.get("XVAL_FSDD"), help="recordings of the digits (XVAL_FSDD)")
    parser.add_argument("--rounds", type=int, help="runs of each side (3 of short folds, 1 of long ones)")
    parser.add_argument("--epochs", type=int, nargs="+", help="epochs of a fold (default: 3 and 20)")
    given = parser.parse_args()
    chosen = given.epochs or (QUICK_EPOCHS if given.quick else list(WANTED))
    main(chosen, given.digits and Path(given.digits), quick=given.quick, n_rounds=given.rounds)
