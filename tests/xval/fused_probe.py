"""Trains folds together and one by one on JAX, and prints how far apart they are.

Run by test_fused.py as `python -P fused_probe.py FOLDER CASE ...`, with KERAS_BACKEND=jax; FOLDER gets the feature store. Prints one
line of JSON: {case: {"results": [kind of each result], "difference": {what: largest difference}, "best_epochs", "epochs", ...}}.
"""

import json
import sys
from pathlib import Path

import numpy as np

from preprocessing import store
from xval.compiled_model import WarmModel
from xval.evaluation import evaluate_model
from xval.fold_setup import set_up_fold
from xval.folds import Fold
from xval.fused import Failed, Trained, train_together
from xval.job_groups import group_jobs
from xval.plan import Job, job_seed
from xval.settings import Declaration, resolve
from xval.training import train_model

SIZES = {"a": 19, "b": 27, "c": 12, "d": 33, "e": 16}  # batches of 8: 3 to 10 of them, the last one incomplete
FOLDS = (
    Fold(1, ("a", "b"), ("c",), ("d",)),
    Fold(2, ("b", "d"), ("e",), ("a",)),
    Fold(3, ("a", "c", "d", "e"), ("b",), ("c",)),
)
MLP = {"architecture": "mlp", "n_units": (12,), "num_epochs": 8, "patience": 2, "monitor": "val_macro_f1"}
CNN = {"architecture": "cnn_small", "n_filters": (4, 6), "num_epochs": 4}
CASES = {
    "differing": [
        MLP | {"dropout": 0.4},
        MLP | {"dropout": 0.0, "learning_rate": 0.02, "patience": 2},
        MLP | {"dropout": 0.2, "regularization_lambda": 0.02},
    ],
    "cnn": [CNN | {"class_weights": "balanced", "schedule": "plateau", "schedule_patience": 1, "patience": 1, "early_stopping": True}],
    "augmented": [CNN | {"augment_noise": 0.3, "augment_time_masks": 1, "augment_time_mask_frames": 3, "augment_mixup": 0.3}],
    "recurrent": [{"architecture": "crnn", "n_filters": (4,), "n_units": 4, "num_epochs": 3, "schedule": "cosine", "optimizer": "sgd"}],
    "diverging": [MLP | {"learning_rate": 1e-3}, MLP | {"learning_rate": 1e30, "patience": 20}],
    "timed": [MLP | {"engine": "fused"}],
    "alone": [MLP | {"dropout": 0.4}],
}


def write_store(folder: Path) -> store.FeatureStore:
    """Return a store of items of different sizes, whose classes are hard to tell apart."""
    rng = np.random.default_rng(3)
    means = rng.normal(size=(4, 12, 10))
    classes = {item: np.arange(n_examples) % 4 for item, n_examples in SIZES.items()}
    predictors = {
        item: (0.4 * means[labels] + rng.normal(3, 2, (len(labels), 12, 10))).astype(np.float32) for item, labels in classes.items()
    }
    return store.write("probe", predictors, {item: [f"k{label}" for label in labels] for item, labels in classes.items()}, data_folder=folder)


def make_jobs(folder: Path, written: store.FeatureStore, instances: list[dict]) -> list[Job]:
    shared = {"dataset": "probe", "data_folder": str(folder), "backend": "jax", "batch_size": 8, "engine": "fused_always"}
    declaration = Declaration("exp.py", "exp.py", "a test", shared, dict(enumerate(instances, start=1)))
    return [
        Job(
            "results", "code", str(written.folder), instance.number, fold, instance.parameters, tuple(instance.options),
            instance.settings_hash, "folds", seed=job_seed(1, fold.number),
        )
        for instance in resolve(declaration)
        for fold in FOLDS
    ]  # fmt: skip


def figures(model, data, history, settings) -> dict:
    """Return everything of a trained fold that is compared."""
    evaluation = evaluate_model(model, data, settings | {"evaluate_training": True}, history)
    numbers = evaluation.predictions.select_dtypes("number")
    return {
        "history": {name: [row[name] for row in history.epochs] for name in history.epochs[0]},
        "best_epoch": history.best_epoch,
        "metrics": evaluation.figures["metrics"],
        "predictions": numbers[[name for name in numbers if name.startswith("probability")]].to_numpy(),
        "weights": np.concatenate([np.ravel(values) for values in model.get_weights()]),
    }


def train_alone(job: Job, warm: WarmModel) -> dict:
    setup = set_up_fold(job)
    compiled = warm.take(setup.compiled, job.parameters)
    history = train_model(
        compiled, setup.data, job.parameters, seed=job.seed, report=lambda *_: None, log_folder=None
    )
    return figures(compiled.whole, setup.data, history, job.parameters)


def compare(one: dict, other: dict) -> dict[str, float]:
    def largest(first, second) -> float:
        first, second = np.asarray(first, float), np.asarray(second, float)
        return float(np.abs(first - second).max()) if first.shape == second.shape else float("inf")

    metrics = [[each["metrics"][side][name] for side in one["metrics"] for name in one["metrics"][side]] for each in (one, other)]
    assert one["history"].keys() == other["history"].keys(), (one["history"].keys(), other["history"].keys())
    return {
        "history": max(largest(one["history"][name], other["history"][name]) for name in one["history"]),
        "best_epoch": largest(one["best_epoch"], other["best_epoch"]),
        "metrics": largest(*metrics),
        "predictions": largest(one["predictions"], other["predictions"]),
        "weights": largest(one["weights"], other["weights"]),
    }


def run_case(jobs: list[Job]) -> dict:
    (group,) = group_jobs(jobs)
    events, together, results, facts = [], {}, {}, {}
    for result in train_together(group, events.append):
        key = f"{result.job.instance}:{result.job.fold.number}"
        results[key] = type(result).__name__
        facts[key] = str(result.error) if isinstance(result, Failed) else result.facts
        if isinstance(result, Trained):
            together[key] = figures(result.model, result.setup.data, result.history, result.job.parameters)
    warm, differences = {}, {}
    for job in group:
        key = f"{job.instance}:{job.fold.number}"
        if key in together:
            alone = train_alone(job, warm.setdefault(job.instance, WarmModel()))
            differences[key] = compare(alone, together[key])
    found = {
        "results": results,
        "facts": facts,
        "order": list(results),
        "epochs": {key: len(each["history"]["epoch"]) for key, each in together.items()},
        "best_epochs": {key: each["best_epoch"] for key, each in together.items()},
        "largest": {name: max(each[name] for each in differences.values()) for name in next(iter(differences.values()), {})},
        "n_events": len(events),
        "n_traced": None,
    }
    return found


def main() -> None:
    folder = Path(sys.argv[1])
    written = write_store(folder)
    print(json.dumps({case: run_case(make_jobs(folder, written, CASES[case])) for case in sys.argv[2:]}))


if __name__ == "__main__":
    main()
