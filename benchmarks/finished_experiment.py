"""A small dataset, an experiment on it, and a finished experiment of any size, for benchmarks of everything except training.

One instance is really run; each of its folds is written again for all other instances, with its files, the numbers of its
record shifted.
"""

import csv
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from preprocessing.corpus import make_corpus
from xval.jobs.plan import write_settings
from xval.results.folder import ExperimentFolder
from xval.results.scores import ScoreRow, collect, read_scores, write_scores
from xval.settings.resolve import Declaration, resolve

ROOT = Path(__file__).parents[1]
RATE_HZ = 8000
N_ITEMS = 12
CLASS_NAMES = ("had", "heed", "hid", "hood")
N_EPOCHS = 20  # that the histories show
FEATURES = {"sample_rate_hz": RATE_HZ, "n_fft": 256, "win_length": 200, "hop_length": 80, "n_mels": 20}


def write_corpus(folder: Path) -> None:
    """Make the corpus 'tones' below folder/data: an item is a pitch, a class an overtone, one clip of 0.1 s of each."""
    rng = np.random.default_rng(0)
    audio = folder / "audio"
    audio.mkdir(parents=True)
    time_s = np.arange(RATE_HZ // 10) / RATE_HZ
    rows = []
    for item in range(N_ITEMS):
        for place, name in enumerate(CLASS_NAMES):
            tone = np.sin(2 * np.pi * (150 + 10 * item) * time_s) + 0.7 * np.sin(2 * np.pi * 700 * (1 + place) * time_s)
            soundfile.write(audio / f"{item}_{name}.wav", 0.3 * tone + 0.05 * rng.normal(size=time_s.size), RATE_HZ)
            rows.append((f"{item}_{name}.wav", f"s{item + 1:02d}", name))
    clips = pd.DataFrame(rows, columns=["path", "item", "label"])
    make_corpus(clips, audio, task_type="classification", dataset="tones", data_folder=folder / "data", corpus="table")


def declare(folder: Path, n_instances: int, n_folds: int) -> Declaration:
    """Return the experiment: a grid of learning rates, dropouts and batch sizes on a small network, one epoch each.

    Args:
        folder: Where the corpus lies, and the script and the results go.
        n_instances: How many of the grid's instances; at most 1,000.
        n_folds: How many folds.
    """
    parameters = {
        "dataset": "tones",
        "num_folds": n_folds,
        "data_folder": str(folder / "data"),
        "experiment_folder": str(folder / "results"),
        "architecture": "mlp",
        "n_units": (16,),
        "num_epochs": 1,
        "workers": 1,
        "gpu_ID": "cpu",
        **FEATURES,
    }
    grid = [
        (rate, dropout, batch_size)
        for rate in np.geomspace(1e-4, 1e-2, 20).round(7).tolist()
        for dropout in (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)
        for batch_size in (8, 16, 32, 64, 128)
    ]
    instances: dict[int, dict[str, object]] = {}
    for number, (rate, dropout, batch_size) in enumerate(grid[:n_instances], start=1):
        comment = f"rate {rate:g}, dropout {dropout:g}, batches of {batch_size}"
        instances[number] = {"comment_1": comment, "learning_rate": rate, "dropout": dropout, "batch_size": batch_size}
    script = folder / "tones.py"
    lines = [
        "from xval import Experiment",
        f"experiment = Experiment('Tones: a grid', **{parameters!r})",
        *(f"experiment[{number}] = {own!r}" for number, own in instances.items()),
        "if __name__ == '__main__':",
        "    experiment.main()",
    ]
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Declaration("tones.py", str(script), "Tones: a grid", dict(parameters), instances)


def run_script(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script of `declare` in a separate process, and return what became of it."""
    return run_python(folder, "tones.py", *arguments)


def run_python(folder: Path, *arguments: str, exit_code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder on the code that this file belongs to.

    Raises:
        RuntimeError: The exit code is not the expected one.
    """
    variables = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    ended = subprocess.run([sys.executable, *arguments], cwd=folder, env=variables, capture_output=True, text=True, check=False)
    if ended.returncode != exit_code:
        raise RuntimeError(
            f"{' '.join(arguments)}: exit code {ended.returncode}\n{ended.stdout[-2000:]}\n{ended.stderr[-2000:]}"
        )
    return ended


def write_finished(folder: Path, declaration: Declaration) -> ExperimentFolder:
    """Run the first instance, and write the results of all others as copies of it with other numbers.

    Args:
        folder: As given to `declare`.
        declaration: What it returned.

    Returns:
        The results folder; derived files are there only for the first instance.
    """
    run_script(folder, "1", "--quiet")
    results = ExperimentFolder(folder / "results" / "tones" / "experiment_1")
    folds = [key.fold for key in results.jobs(1)]
    records = {fold: json.loads((results.fold_folder(1, fold) / "record.json").read_bytes()) for fold in folds}
    for fold in folds:
        _lengthen_history(results.fold_folder(1, fold) / "history.csv")
    rng = random.Random(0)  # noqa: S311
    for instance in resolve(declaration)[1:]:
        write_settings(results, instance, declaration.description, declaration.script)
        number, settings_hash = instance.number, instance.settings_hash
        for fold in folds:
            source, target = results.fold_folder(1, fold), results.fold_folder(number, fold)
            target.mkdir()
            (results.instance_folder(number) / f".fold_{fold}.lock").touch()
            for path in source.iterdir():
                if path.name not in ("record.json", "scores.parquet", "history.csv", "model.json"):
                    os.link(path, target / path.name)
            described = json.loads((source / "model.json").read_bytes()) | {"instance": number}
            (target / "model.json").write_text(json.dumps(described, indent=1))
            shutil.copyfile(source / "history.csv", target / "history.csv")
            record = records[fold] | {"instance": number, "settings_hash": settings_hash}
            (target / "record.json").write_text(json.dumps(record, indent=1))
            rows = read_scores(source, record).rows()
            write_scores(target, collect(row if _stays(row) else row._replace(value=_jitter(row.value, rng)) for row in rows))
    return results


def _lengthen_history(path: Path) -> None:
    """Give a history the epochs of a longer training."""
    with path.open(newline="", encoding="utf-8") as file:
        (row, *_) = csv.DictReader(file)
    rng = random.Random(path.parent.name)  # noqa: S311
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(row))
        writer.writeheader()
        for epoch in range(1, N_EPOCHS + 1):
            values = {name: float(value) * 0.9**epoch * rng.uniform(0.9, 1.1) for name, value in row.items()}
            writer.writerow(values | {"epoch": epoch})


def _stays(row: ScoreRow) -> bool:
    return row.metric in ("n_clips", "loss") or row.side == "chance"


def _jitter(score: float, rng: random.Random) -> float:
    """Return a score moved a little, within 0 and 1; others stay what they are."""
    return min(max(score + rng.uniform(-0.1, 0.1), 0.0), 1.0) if 0 <= score <= 1 else score
