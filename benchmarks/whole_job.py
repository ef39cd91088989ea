"""The whole job, from wav files to the table: this project against a script that a user would write. Prints the ratio last.

python benchmarks/whole_job.py [--quick] [--digits FOLDER] [--rounds N] [--csv FILE] [--without-avx512]

FOLDER holds the recordings of the Free Spoken Digit Dataset (default: the environment variable XVAL_FSDD). Six folds of at most
14 epochs, instance 1 of experiments/fsdd.py: `cnn_small` on TensorFlow, on the CPU. Both sides use all cores, run in turn in
one call, each in separate processes and a separate folder, and end with a table.

- The project: `xval prepare fsdd FOLDER` and `python experiments/fsdd.py 1 1 cpu`, as users type them.
- The script (_plain_job.py): features with librosa in a loop, kept in one array; a `fit` with early stopping for each of the
  same folds, on TensorFlow's own threads; accuracies into a csv.

Early stopping ends the folds of both sides at other epochs, so the ratio is that of the wall time per trained epoch. Where the
seconds of the project went is read from its records and the times of its files: rows whose sum is the whole. How the start of a
worker divides is measured afterwards, with a worker that has the machine to itself. The floor is what the multiplications of
the training would take at the speed of a matrix product in NumPy on all cores, measured in the same call.

--without-avx512: both sides as on a processor that has AVX2 alone, as most laptops and workstations: libraries keep to AVX2,
and the script computes without oneDNN, which TensorFlow takes by itself only on processors with AVX512-VNNI.

--quick: a generated demo corpus, 2 folds of 2 epochs, which shows that the benchmark works and measures nothing.
"""

import argparse
import csv
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
from _experiments import DIGITS, QUICK_DEMO, Cost, call, read_records, results_folder, write_script
from _job_seconds import divide, divide_run, peak_per_s, start_worker, training_scores
from _processor import describe, hold_to_avx2, is_held

WANTED = 0.55
ROOT = Path(__file__).resolve().parents[1]
QUICK = QUICK_DEMO | {"architecture": "cnn_small", "num_epochs": 2}
INSTANCE_1 = DIGITS | {"architecture": "cnn_small"}
_FEATURES = ("sample_rate_hz", "n_fft", "win_length", "hop_length", "n_mels", "top_db", "clip_length_s")


@dataclass(frozen=True)
class Fold:
    """A fold that was trained.

    Attributes:
        number: Its number.
        epochs: How many it trained.
        seconds: From its begin to its end (s).
        accuracy: On its test clips.
    """

    number: int
    epochs: int
    seconds: float
    accuracy: float


@dataclass(frozen=True)
class Run:
    """One side's way from wav files to the table.

    Attributes:
        parts: Seconds of what it did, one after the other; their sum is the whole.
        cpu_s: Time of all cores (s).
        folds: In their order.
        store: The features that it trained on; None: not those of a feature store.
        multiplications: Of its training; 0: not counted.
    """

    parts: dict[str, float]
    cpu_s: float
    folds: list[Fold]
    store: Path | None = None
    multiplications: int = 0

    @property
    def wall_s(self) -> float:
        """Time from the start of its first command to the end of its last one (s)."""
        return sum(self.parts.values())

    @property
    def epochs(self) -> int:
        """Number of trained epochs."""
        return sum(fold.epochs for fold in self.folds)

    @property
    def epoch_s(self) -> float:
        """Wall time per trained epoch (s)."""
        return self.wall_s / self.epochs


def run_project(folder: Path, recordings: Path | None) -> tuple[Run, dict[str, Any]]:
    """Run the project's two commands; return what they took, and the job for the script.

    Args:
        folder: Empty; gets data/ and results/.
        recordings: Of the digits; None: the quick size.
    """
    if recordings:
        dataset, options, script = "fsdd", [str(recordings)], ROOT / "experiments" / "fsdd.py"
    else:
        dataset, options, script = "demo", ["--n-speakers", "4"], write_script(folder, QUICK)
    prepared = call_python(folder, "-m", "preprocessing", dataset, *options)
    started = time.time()
    trained = call_python(folder, str(script), "1", "1", "cpu")
    results = results_folder({"experiment_folder": folder / "results", "dataset": dataset, "num_experiment": 1})
    records = read_records(results)
    parts = {"corpus: xval prepare": prepared.wall_s}
    parts |= divide_run(results, records, started, started + trained.wall_s)
    settings = json.loads((results / "instance_1" / "settings.json").read_bytes())["parameters"]
    job = {
        "recordings": str(recordings or folder / "data" / "demo" / "audio"),
        "features": {name: settings[name] for name in _FEATURES},
        "folds": [{"number": record["fold"], "seed": record["seed"], **record["items"]} for record in records],
        "num_epochs": settings["num_epochs"],
        "patience": settings["patience"],
    }
    folds = [Fold(each["fold"], each["epochs"], each["seconds"], each["test_scores"]["accuracy"]) for each in records]
    store = folder / "data" / dataset / "features" / records[0]["store"]
    return Run(parts, prepared.cpu_s + trained.cpu_s, folds, store, training_scores(records, store)), job


def run_script(folder: Path, job: Mapping[str, Any]) -> Run:
    """Run the script of _plain_job.py in an empty folder."""
    (folder / "job.json").write_text(json.dumps(job))
    variables = {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    variables |= {"TF_ENABLE_ONEDNN_OPTS": "0"} if is_held() else {}
    started = time.time()
    cost = call_python(folder, str(Path(__file__).with_name("_plain_job.py")), str(folder), **variables)
    times = json.loads((folder / "times.json").read_text())
    ends = [times["features"], *(fold["ended"] for fold in times["folds"])]
    stamps = (
        ("start, imports", times["imports"]),
        ("features with librosa", times["features"]),
        ("folds", ends[-1]),
        ("table", times["table"]),
        ("end of the process", started + cost.wall_s),
    )
    folds = [
        Fold(fold["fold"], fold["epochs"], seconds, accuracy)
        for fold, seconds, accuracy in zip(times["folds"], np.diff(ends), times["accuracies"], strict=True)
    ]
    return Run(divide(started, stamps), cost.cpu_s, folds)


def call_python(folder: Path, *words: str, **variables: str) -> Cost:
    """Run a command of Python in a folder, with this project first on its path, and return what it took."""
    path = os.pathsep.join(part for part in (str(ROOT), os.environ.get("PYTHONPATH", "")) if part)
    return call([sys.executable, *words], folder, PYTHONPATH=path, **variables)


def run_rounds(place: Path, recordings: Path | None, n_rounds: int) -> dict[str, list[Run]]:
    """Run both sides so many times, in turn; the one that is first in a round is second in the next."""
    for path in recordings.glob("*.wav") if recordings else ():
        path.read_bytes()  # so that both sides find the files in memory
    runs: dict[str, list[Run]] = {"project": [], "script": []}
    job: dict[str, Any] = {}
    for number in range(n_rounds):
        for side in ("project", "script") if number % 2 == 0 else ("script", "project"):
            folder = place / f"{side}_{number}"
            folder.mkdir()
            if side == "script":
                runs[side].append(run_script(folder, job))
            else:
                run, job = run_project(folder, recordings)
                runs[side].append(run)
    return runs


def show(runs: Mapping[str, Sequence[Run]]) -> None:
    """Print the figures of both sides: means over the rounds, so that parts add up."""
    for side, found in runs.items():
        whole_s, cpu_s = fmean(run.wall_s for run in found), fmean(run.cpu_s for run in found)
        print(f"\n{side}: mean of {len(found)} round(s){'':19} seconds   share")
        for name in found[0].parts:
            seconds = fmean(run.parts[name] for run in found)
            print(f"  {name:50} {seconds:9.2f} {seconds / whole_s:7.1%}")
        print(f"  {'the whole':50} {whole_s:9.2f} {1:7.1%}")
        print(f"  {'processor':50} {cpu_s:9.2f}   {cpu_s / whole_s:.2f} cores busy")
        for place, fold in enumerate(found[0].folds):
            each = [run.folds[place] for run in found]
            epochs, seconds = sum(one.epochs for one in each), sum(one.seconds for one in each)
            trained = f"{epochs / len(each):.1f} epochs, {seconds / epochs:.2f} s an epoch"
            print(f"    {f'fold {fold.number}: {trained}':48} {seconds / len(each):9.2f}   accuracy {fold.accuracy:.3f}")
        print(f"  {'trained epochs':50} {fmean(run.epochs for run in found):9.1f}")
        print(f"  {'wall time per trained epoch':50} {fmean(run.epoch_s for run in found):9.3f}")
        print(f"  mean test accuracy {fmean(fold.accuracy for run in found for fold in run.folds):.3f}")


def show_floor(runs: Sequence[Run], per_s: float) -> None:
    """Print how long the multiplications of the project's training take at the peak of the processor."""
    counted, whole_s = fmean(run.multiplications for run in runs), fmean(run.wall_s for run in runs)
    floor_s = counted / per_s
    print(
        f"\nfloor: {counted:.3g} multiplications at {per_s:.3g} a second (a product of matrices on all cores): {floor_s:.2f} s,"
    )
    print(f"{floor_s / whole_s:.1%} of the whole, {floor_s / fmean(run.epochs for run in runs):.3f} s an epoch")


def write_csv(path: Path, runs: Mapping[str, Sequence[Run]], per_s: float) -> None:
    """Write a row for each figure of each round: round, side, figure, value."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("round", "side", "figure", "value"))
        for side, found in runs.items():
            for number, run in enumerate(found, start=1):
                figures = {f"{name} (s)": seconds for name, seconds in run.parts.items()}
                figures |= {"whole (s)": run.wall_s, "processor (s)": run.cpu_s, "trained epochs": run.epochs}
                for fold in run.folds:
                    figures |= {f"fold {fold.number} (s)": fold.seconds, f"fold {fold.number}, epochs": fold.epochs}
                    figures[f"fold {fold.number}, test accuracy"] = fold.accuracy
                if run.multiplications:
                    figures |= {"multiplications": run.multiplications, "floor (s)": run.multiplications / per_s}
                writer.writerows((number, side, name, f"{value:.6g}") for name, value in figures.items())


def main(recordings: Path | None, n_rounds: int, table: Path | None) -> None:
    """Run both sides, print the results and the ratio."""
    parameters = INSTANCE_1 if recordings else QUICK
    print(describe())
    with tempfile.TemporaryDirectory() as place:
        before = peak_per_s()
        runs = run_rounds(Path(place), recordings, n_rounds)
        per_s = max(before, peak_per_s())
        start_s, check_s = start_worker(Path(place) / "started", str(runs["project"][0].store), parameters)
    show(runs)
    print(f"\none worker alone: start and TensorFlow {start_s:.2f} s, model check {check_s:.2f} s")
    show_floor(runs["project"], per_s)
    if table:
        write_csv(table, runs, per_s)
    ratios = [ours.epoch_s / theirs.epoch_s for ours, theirs in zip(runs["project"], runs["script"], strict=True)]
    print(f"\nratio of the wall time per trained epoch  {median(ratios):.3f}  (wanted: at most {WANTED:.2f})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="From wav files to the table: this project against a plain script.")
    parser.add_argument("--quick", action="store_true", help="a demo corpus of 4 speakers, 2 folds of 2 epochs")
    parser.add_argument("--digits", type=Path, default=os.environ.get("XVAL_FSDD"), help="recordings of the digits (XVAL_FSDD)")
    parser.add_argument("--rounds", type=int, default=1, help="runs of each side (1)")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="where all figures are written")
    parser.add_argument("--without-avx512", action="store_true", help="as on a processor that has AVX2 alone")
    given = parser.parse_args()
    if given.without_avx512:
        hold_to_avx2()
    if not given.quick and not given.digits:
        parser.error("--digits FOLDER: the recordings of the Free Spoken Digit Dataset; or give --quick")
    main(None if given.quick else Path(given.digits).resolve(), given.rounds, given.csv)
