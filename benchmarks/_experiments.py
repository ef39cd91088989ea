"""A dataset and an experiment with one instance, for the benchmarks that train.

The recordings of the Free Spoken Digit Dataset are used if they are available. The folds are run in a separate process with the
command that users run.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

DIGITS = {
    "dataset": "fsdd",
    "fold_strategy": "leave_one_out",
    "sample_rate_hz": 8000,
    "n_fft": 256,
    "win_length": 200,
    "hop_length": 80,
    "n_mels": 40,
    "clip_length_s": 0.64,
}
DEMO = {"dataset": "demo", "fold_strategy": "balanced", "num_folds": 6, "fold_repeats": 1}
QUICK_DEMO = DEMO | {"num_folds": 2, "sample_rate_hz": 8000, "n_fft": 256, "win_length": 200, "hop_length": 160, "n_mels": 16}
_SETTINGS_OF_FOLDS = ("dataset", "fold_strategy", "num_folds", "fold_repeats")


@dataclass(frozen=True)
class Cost:
    """What a command took, from its start to its end.

    Attributes:
        wall_s: Time (s).
        cpu_s: Time of all cores, of the process and of those that it started (s).
    """

    wall_s: float
    cpu_s: float


def prepare_corpus(folder: Path, recordings: Path | None, *, quick: bool) -> dict[str, Any]:
    """Prepare the digits, or the demo corpus where there are none, and return the parameters of an experiment on it.

    Args:
        folder: Gets data/.
        recordings: The folder of the digits; None: the demo corpus.
        quick: A demo corpus of few speakers and small features.
    """
    parameters = QUICK_DEMO if quick else DIGITS if recordings else DEMO
    settings = [
        word for name, value in parameters.items() if name not in _SETTINGS_OF_FOLDS for word in ("--set", f"{name}={value}")
    ]
    corpus = ["demo", "--n-speakers", "4" if quick else "12"]
    if recordings and not quick:
        corpus = ["fsdd", str(recordings.resolve())]
    call([sys.executable, "-m", "preprocessing", *corpus, "--data-folder", str(folder / "data"), *settings], folder)
    return parameters | {"data_folder": str(folder / "data"), "experiment_folder": str(folder / "results")}


def write_script(folder: Path, parameters: Mapping[str, Any]) -> Path:
    """Write the script of an experiment whose one instance has these parameters."""
    path = folder / "experiment.py"
    lines = (
        "from xval import Experiment",
        f"experiment = Experiment('benchmark', **{dict(parameters)!r})",
        "experiment[1] = {}",
    )
    path.write_text("\n".join((*lines, "if __name__ == '__main__':", "    experiment.main()", "")), encoding="utf-8")
    return path


def results_folder(parameters: Mapping[str, Any]) -> Path:
    """Return where an experiment writes its results."""
    return Path(parameters["experiment_folder"]) / parameters["dataset"] / f"experiment_{parameters['num_experiment']}"


def read_records(results: Path) -> list[dict[str, Any]]:
    """Return the records of the folds of instance 1, in the order of their numbers, each with its ``test_scores`` by metric."""
    records = [
        json.loads(path.read_bytes()) | {"test_scores": read_scores(path.parent)}
        for path in results.glob("instance_1/fold_*/record.json")
    ]
    return sorted(records, key=lambda record: int(record["fold"]))


def read_scores(fold: Path, side: str = "test") -> dict[str, float]:
    """Return the metrics of a side in the folder of a fold."""
    rows = pd.read_parquet(fold / "scores.parquet")
    rows = rows[(rows["side"] == side) & (rows["item"] == "")]
    return dict(zip(rows["metric"], rows["value"], strict=True))


def call(command: Sequence[str], folder: Path, **variables: str) -> Cost:
    """Run a command in a folder, and return what it took; where it fails, print what it wrote and end.

    The caller has no other processes that end meanwhile.
    """
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"} | variables
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    wall_s, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.returncode:
        sys.exit(f"{' '.join(command)} ended with exit code {ended.returncode}:\n{ended.stdout}\n{ended.stderr}")
    return Cost(wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
