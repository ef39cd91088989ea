"""Runs jobs together and one by one on JAX, and prints how far apart they are.

Run by test_fused.py as `python -P fused_probe.py FOLDER CASE ...`, with KERAS_BACKEND=jax; FOLDER gets a feature store and
results. Prints one line of JSON: {case: {"outcomes": {"INSTANCE:FOLD": status}, "errors", "engine", "epochs", "best_epochs",
"notes", "apart": {what: largest difference}}}.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from preprocessing import store
from xval.folds.split import Fold
from xval.jobs.groups import group_jobs
from xval.jobs.job import Job, job_seed
from xval.settings.resolve import Declaration, resolve
from xval.worker.run import run_job, run_jobs

SIZES = {"a": 19, "b": 27, "c": 12, "d": 33, "e": 16}  # batches of 8: 6 to 10 of them train, the last one incomplete
FOLDS = (
    Fold(1, ("a", "b"), ("c",), ("d",)),
    Fold(2, ("b", "d"), ("e",), ("a",)),
    Fold(3, ("a", "c", "d", "e"), ("b",), ("c",)),
)
MLP = {"architecture": "mlp", "n_units": (12,), "num_epochs": 8, "patience": 2, "monitor": "val_macro_f1"}
CNN = {"architecture": "cnn_small", "n_filters": (4, 6), "num_epochs": 4}
CASES = {
    # one member has dropout, another none; one has a penalty; one diverges; most stop early, each in its own epoch
    "differing": [
        MLP | {"dropout": 0.4, "regularization_lambda": 0.02, "class_weights": "balanced"},
        MLP | {"dropout": 0.0, "learning_rate": 0.02},
        MLP | {"dropout": 0.2, "learning_rate": 1e30},
    ],
    # of numbers, whose scale is another in each fold
    "cnn": [
        CNN
        | {"n_filters": (4,), "task_type": "regression", "regularization_lambda": 0.02, "schedule": "plateau"}
        | {"schedule_patience": 1, "patience": 1}
    ],
    "augmented": [CNN | {"augment_noise": 0.3, "augment_time_masks": 1, "augment_time_mask_frames": 3, "augment_mixup": 0.3}],
    "streamed": [CNN | {"generator": True, "schedule": "cosine", "optimizer": "nadam", "clip_norm": 1.0}],
    "recurrent": [{"architecture": "crnn", "n_filters": (4,), "n_units": 4, "num_epochs": 3, "optimizer": "sgd"}],
    "timed": [MLP | {"engine": "fused"}],
    "little memory": [MLP | {"max_worker_memory_mb": 1, "n_units": (120,)}],
    "cells": [  # the rates of a cell's own dropout: no layer to have one for each member
        {"architecture": "rnn_small", "n_units": (4,), "num_epochs": 1, "dropout": rate, "cell": "gru"} for rate in (0.1, 0.2)
    ],
}


def write_stores(folder: Path) -> dict[str, store.FeatureStore]:
    """Return stores of items of different sizes, by the task; their classes are hard to tell apart."""
    rng = np.random.default_rng(3)
    means = rng.normal(size=(4, 12, 10))
    predictors, targets, numbers = {}, {}, {}
    for item, n_examples in SIZES.items():
        classes = np.arange(n_examples) % 4
        predictors[item] = (0.4 * means[classes] + rng.normal(3, 2, (n_examples, 12, 10))).astype(np.float32)
        targets[item] = [f"k{label}" for label in classes]
        numbers[item] = n_examples + 3.0 * classes
    return {
        "classification": store.write("probe", predictors, targets, data_folder=folder / "data"),
        "regression": store.write("numbers", predictors, numbers, data_folder=folder / "data", task_type="regression"),
    }


def make_jobs(folder: Path, written: dict[str, store.FeatureStore], case: str, results: str) -> list[Job]:
    """Return the jobs of a case, of all folds of each instance."""
    given = {"dataset": "probe", "data_folder": str(folder / "data"), "backend": "jax", "batch_size": 8}
    instances = [{"engine": "fused_always"} | own for own in CASES[case]]
    shared = {name: own.pop(name) for own in instances for name in ("max_worker_memory_mb", "task_type") if name in own}
    task_type = shared.get("task_type", "classification")
    declaration = Declaration("exp.py", "exp.py", "a test", given | shared, dict(enumerate(instances, start=1)))
    return [
        Job(
            str(folder / results / case), str(folder), str(written[task_type].folder), instance.number, fold,
            instance.settings, instance.options, instance.settings_hash, "folds", seed=job_seed(1, fold.number),
        )
        for instance in resolve(declaration)
        for fold in FOLDS
    ]  # fmt: skip


def read(job: Job) -> dict:
    """Return everything of a finished job that is compared."""
    folder = Path(job.experiment_folder) / f"instance_{job.instance}" / f"fold_{job.fold.number}"
    record = json.loads((folder / "record.json").read_text())
    predictions = pd.read_parquet(folder / "predictions.parquet")
    weights = keras.saving.load_model(folder / "model.keras").get_weights()
    metrics = {f"{side}.{name}": value for side, found in record["metrics"].items() for name, value in found.items()}
    return {
        "record": record,
        "history": pd.read_csv(folder / "history.csv"),
        "metrics": pd.Series(metrics),
        "predictions": predictions[[name for name in predictions if name.startswith(("probability", "predicted_"))]],
        "weights": np.concatenate([np.ravel(values) for values in weights]),
    }


def compare(one: dict, other: dict) -> dict[str, float]:
    """Return the largest difference of each kind; infinite where the shapes or names differ."""
    found = {}
    for name in ("history", "metrics", "predictions", "weights"):
        first, second = one[name], other[name]
        alike = np.shape(first) == np.shape(second) and list(getattr(first, "columns", [])) == list(
            getattr(second, "columns", [])
        )
        found[name] = float(np.abs(np.asarray(first, float) - np.asarray(second, float)).max()) if alike else float("inf")
    return found


def run_case(folder: Path, written: dict[str, store.FeatureStore], case: str) -> dict:
    jobs = make_jobs(folder, written, case, "together")
    (group,) = group_jobs(jobs)
    events: list[dict] = []
    outcomes = list(run_jobs(group, events.append))
    names = {(job.instance, job.fold.number): f"{job.instance}:{job.fold.number}" for job in jobs}
    done = {(each.instance, each.fold) for each in outcomes if each.status == "done"}
    together, differences = {}, []
    for job, alone in zip(jobs, make_jobs(folder, written, case, "alone"), strict=True):
        if (job.instance, job.fold.number) in done:
            run_job(alone, lambda event: None)
            together[names[job.instance, job.fold.number]] = read(job)
            differences.append(compare(read(alone), read(job)))
    return {
        "outcomes": {names[each.instance, each.fold]: each.status for each in outcomes},
        "errors": sorted({each.error for each in outcomes if each.error}),
        "engine": {name: each["record"]["engine"] for name, each in together.items()},
        "epochs": {name: each["record"]["epochs"] for name, each in together.items()},
        "best_epochs": {name: each["record"]["best_epoch"] for name, each in together.items()},
        "n_reports": {name: sum(f"{e['instance']}:{e['fold']}" == name and "epoch" in e for e in events) for name in together},
        "notes": sorted({f"instance {event['instance']}: {event['note']}" for event in events if "note" in event}),
        "apart": {name: max(each[name] for each in differences) for name in differences[0]},
    }


def main() -> None:
    folder = Path(sys.argv[1])
    written = write_stores(folder)
    print(json.dumps({case: run_case(folder, written, case) for case in sys.argv[2:]}))


if __name__ == "__main__":
    main()
