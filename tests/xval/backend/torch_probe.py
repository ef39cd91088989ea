"""Trains, saves and loads torch modules of a user's own on the torch backend.

Run by test_torch_module.py as `python -P torch_probe.py FOLDER NAME ...`: FOLDER holds torch_nets.py and gets corpus and
results. Each NAME is a function of torch_nets.py. Prints one line of JSON: {NAME: {"status", "error", "difference", "spread",
"weights"}}, the first one again as "again", and as "frozen" which weights stayed in a job that starts from the first model.
"""

import json
import sys
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pandas as pd

from preprocessing import store
from xval.engine.worker.run import run_job
from xval.folds.plan import Fold
from xval.jobs.job import Job
from xval.models.saved.load import read_keras_model
from xval.settings.resolve import Declaration, resolve

LABELS = ["x", "y"] * 4
BATCH_SIZE = 4  # other sizes are multiplied in another order on some processors


def main(folder: Path, names: list[str]) -> None:
    """Run a job of each function, the first one twice."""
    rng = np.random.default_rng(0)
    rows = np.arange(len(LABELS))[:, None]
    sounds = {item: np.sin((0.2 + rows % 2) * np.arange(160)) + 0.3 * rng.normal(size=(len(LABELS), 160)) for item in "abcd"}
    predictors = {item: values.astype(np.float32) for item, values in sounds.items()}
    written = store.write("toy", predictors, dict.fromkeys("abcd", LABELS), data_folder=folder / "data")

    (folder / "results").mkdir()

    def run(number, name, **own):
        given = {"dataset": "toy", "num_epochs": 3, "batch_size": BATCH_SIZE, "backend": "torch", "learning_rate": 0.01}
        given |= {"normalization": "global", "data_folder": str(folder / "data")}
        own = {"architecture": f"torch_nets.{name}", **own}
        (instance,) = resolve(Declaration("exp.py", "exp.py", "a test", given, {number: own}))
        job = Job(
            str(folder / "results"), str(folder), str(written.folder), number, Fold(1, ("a", "b"), ("c",), ("d",)),
            instance.settings, instance.options, instance.settings_hash, "folds", seed=3,
        )  # fmt: skip
        outcome = run_job(job, lambda event: None)
        found = {"status": outcome.status, "error": outcome.error}
        place = folder / "results" / f"instance_{number}" / "fold_1"
        if outcome.status != "done":
            return found, None
        model = read_keras_model(place / "model.keras")
        stored = pd.read_parquet(place / "predictions.parquet").query("side == 'test'").sort_values("row")
        answers = model.predict(predictors["d"], batch_size=BATCH_SIZE, verbose=0)
        found["difference"] = float(np.abs(stored[["probability_x", "probability_y"]].to_numpy() - answers).max())
        found["spread"] = float(np.ptp(answers, axis=0).min())
        weights = model.get_weights()
        found["weights"] = blake2b(b"".join(values.tobytes() for values in weights)).hexdigest()
        return found, weights

    left, weights = {}, {}
    for number, name in enumerate(names, start=1):
        left[name], weights[name] = run(number, name)
    left["again"], _ = run(len(names) + 1, names[0])
    path = folder / "results" / "instance_1" / "fold_1" / "model.keras"
    left["from"], after = run(len(names) + 2, names[0], initial_model=str(path), frozen_layers=1)
    left["frozen"] = [bool(np.array_equal(*pair)) for pair in zip(weights[names[0]], after, strict=True)]
    print(json.dumps(left))


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    main(Path(sys.argv[1]), sys.argv[2:])
