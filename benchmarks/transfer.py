"""New words of new speakers from a few clips: from scratch against from a model of other words by other speakers.

python benchmarks/transfer.py [FOLDER [PICTURE]]      the Free Spoken Digit Dataset; about 3 minutes on 2 cores

FOLDER holds the recordings (default: the environment variable XVAL_FSDD), PICTURE is written (default: docs/transfer.png).

The related task: the digits 0 to 4 by four speakers. The target: the digits 5 to 9 by the two other speakers, three takes of
each to train, twenty others to validate. Both starts have the same settings, seeds and clips, and a new output layer. For each
seed the related task is learned anew too. Prints how many epochs each start needs to reach some validation accuracies, and the
ratio for one of them last.
"""

import csv
import os
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
from _experiments import read_scores

from preprocessing.__main__ import main as preprocess
from preprocessing.corpora.fsdd import list_clips
from preprocessing.quality.pictures import BLUE, GREY, new_figure, plain_axes, png
from xval import Experiment

SEEDS = (1, 2, 3, 4, 5)
ACCURACIES = (0.5, 0.6, 0.7, 0.8)
COMPARED_ACCURACY = 0.7
N_EPOCHS = {"related": 8, "target": 40}
SPEAKERS = {"related": ("george", "jackson", "lucas", "nicolas"), "target": ("theo", "yweweler")}
DIGITS = {"related": "01234", "target": "56789"}
# The first take of each side, and the one behind the last.
TAKES = {
    "related": {"training": (0, 40), "validation": (40, 45), "test": (45, 50)},
    "target": {"training": (0, 3), "validation": (10, 30), "test": (30, 50)},
}
FEATURES = {"sample_rate_hz": 8000, "n_fft": 256, "win_length": 200, "hop_length": 80, "n_mels": 40, "clip_length_s": 0.64}
STARTS = {"from scratch": GREY, "from the related task": BLUE}


def write_corpus(recordings: Path, dataset: str, data_folder: Path) -> None:
    """Make a corpus of the speakers, digits and takes of a task; the item is the take."""
    rows = []
    for clip in list_clips(recordings).itertuples():
        take = int(Path(clip.path).stem.rpartition("_")[2])
        side = next((side for side, (first, stop) in TAKES[dataset].items() if first <= take < stop), None)
        if side and clip.item in SPEAKERS[dataset] and clip.label in DIGITS[dataset]:
            rows.append((clip.path, f"{clip.item}_{take}", f"digit {clip.label}", side))
    table = data_folder / f"{dataset}.csv"
    data_folder.mkdir(exist_ok=True)
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "item", "label", "phase"), *rows])
    settings = [word for name, value in FEATURES.items() for word in ("--set", f"{name}={value}")]
    arguments = ["table", str(table), "--audio-folder", str(recordings), "--dataset", dataset]
    ended = preprocess([*arguments, "--data-folder", str(data_folder), *settings])
    if ended:
        sys.exit(f"the corpus '{dataset}' could not be made (exit code {ended})")


def run(dataset: str, folder: Path, instances: list[dict[str, object]]) -> None:
    """Train instances 1, 2, ... of a task."""
    experiment = Experiment(
        f"Transfer: the {dataset} task",
        dataset=dataset,
        fold_strategy="predefined",
        experiment_folder=str(folder / "results"),
        data_folder=str(folder / "data"),
        architecture="cnn_small",
        batch_size=10 if dataset == "target" else 32,
        num_epochs=N_EPOCHS[dataset],
        early_stopping=False,
        **FEATURES,
    )
    for number, instance in enumerate(instances, start=1):
        experiment[number] = instance
    try:
        experiment.main(["--quiet"])
    except SystemExit as end:
        if end.code:
            raise


def read_curves(folder: Path, first_instance: int) -> np.ndarray:
    """Return the validation accuracy of the instances of a start, float64 (n_seeds, n_epochs)."""
    curves = []
    for number in range(first_instance, first_instance + len(SEEDS)):
        path = _fold_folder(folder, "target", number) / "history.csv"
        with path.open(newline="", encoding="utf-8") as file:
            curves.append([float(row["val_accuracy"]) for row in csv.DictReader(file)])
    return np.array(curves)


def read_test_accuracy(folder: Path, first_instance: int) -> np.ndarray:
    """Return the test accuracy after the best epoch of the instances of a start, float64 (n_seeds,)."""
    numbers = range(first_instance, first_instance + len(SEEDS))
    return np.array([read_scores(_fold_folder(folder, "target", number))["accuracy"] for number in numbers])


def epochs_to_reach(curves: np.ndarray, accuracy: float) -> list[float]:
    """Return the first epoch of each curve with an accuracy; infinite where none has it."""
    reached = curves >= accuracy
    return [float(np.argmax(curve)) + 1 if curve.any() else float("inf") for curve in reached]


def draw(curves: dict[str, np.ndarray], path: Path) -> None:
    """Draw the mean of each start's curves, and between their lowest and highest values a band."""
    figure = new_figure(7, 4.2)
    axes = figure.subplots()
    plain_axes(axes)
    for name, values in curves.items():
        epochs = np.arange(1, values.shape[1] + 1)
        axes.fill_between(epochs, values.min(axis=0), values.max(axis=0), color=STARTS[name], alpha=0.2, linewidth=0)
        axes.plot(epochs, values.mean(axis=0), color=STARTS[name], linewidth=2, label=name)
    axes.axhline(1 / len(DIGITS["target"]), color=GREY, linewidth=1, linestyle=":")
    axes.annotate("chance", (values.shape[1], 1 / len(DIGITS["target"])), ha="right", va="bottom", fontsize="small", color=GREY)
    axes.set(xlabel="epoch", ylabel="validation accuracy", ylim=(0, 1.02), xlim=(1, values.shape[1]))
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.28), frameon=False, fontsize="small")
    axes.set_title(
        f"Spoken digits 5 to 9 of two speakers, {TAKES['target']['training'][1]} takes of each to train.\n"
        f"Related task: digits 0 to 4 of four other speakers. Mean and range over {len(SEEDS)} seeds.",
        fontsize="small",
        loc="left",
    )
    path.write_bytes(png(figure))


def main(recordings: Path, picture: Path) -> None:
    """Learn the related task, then the target from both starts; print the results and draw the curves."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for dataset in ("related", "target"):
            write_corpus(recordings, dataset, folder / "data")
        scratch: list[dict[str, object]] = [{"seed": seed} for seed in SEEDS]
        run("related", folder, scratch)
        models = [str(_fold_folder(folder, "related", number) / "model.keras") for number in range(1, 1 + len(SEEDS))]
        transferred = [start | {"initial_model": model} for start, model in zip(scratch, models, strict=True)]
        run("target", folder, scratch + transferred)
        firsts = dict(zip(STARTS, (1, 1 + len(SEEDS)), strict=True))
        curves = {name: read_curves(folder, first) for name, first in firsts.items()}
        tested = {name: read_test_accuracy(folder, first) for name, first in firsts.items()}
    draw(curves, picture)
    print(f"epochs to reach a validation accuracy: median of {len(SEEDS)} seeds (each seed); picture: {picture}")
    for accuracy in ACCURACIES:
        for name, values in curves.items():
            epochs = epochs_to_reach(values, accuracy)
            print(f"{accuracy}  {name:22} {median(epochs):5g}  ({', '.join(f'{epoch:g}' for epoch in epochs)})")
    for name, values in tested.items():
        print(f"test accuracy {name:22} {values.mean():.3f}  (from {values.min():.3f} to {values.max():.3f})")
    scratch_epochs, related_epochs = (median(epochs_to_reach(values, COMPARED_ACCURACY)) for values in curves.values())
    print(f"ratio of epochs to {COMPARED_ACCURACY}: {related_epochs / scratch_epochs:.3f}")


def _fold_folder(folder: Path, dataset: str, instance: int) -> Path:
    return folder / "results" / dataset / "experiment_1" / f"instance_{instance}" / "fold_1"


if __name__ == "__main__":
    given = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("XVAL_FSDD")
    if not given:
        sys.exit("Give the folder of the recordings, or set XVAL_FSDD: python benchmarks/transfer.py FOLDER")
    main(Path(given), Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parents[1] / "docs" / "transfer.png")
