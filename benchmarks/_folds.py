"""A store of synthetic examples and the jobs of its folds, for the benchmarks of devices."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from preprocessing import store
from xval.folds.plan import Fold
from xval.jobs.job import Job, job_seed
from xval.settings.resolve import Declaration, resolve

ROOT = Path(__file__).resolve().parents[1]


def write_store(folder: Path, *, n_items: int, n_examples: int, shape: tuple[int, ...]) -> str:
    """Write a store `folds` of examples in which each of ten classes has its own pattern, and return its folder."""
    rng = np.random.default_rng(1)
    patterns = rng.normal(size=(10, *shape))
    classes = [np.arange(n_examples // n_items) % 10 for _ in range(n_items)]
    predictors = {
        f"item_{number:02}": (0.2 * patterns[labels] + rng.normal(size=(len(labels), *shape))).astype(np.float32)
        for number, labels in enumerate(classes)
    }
    targets = {item: [f"class_{label}" for label in labels] for item, labels in zip(predictors, classes, strict=True)}
    return str(store.write("folds", predictors, targets, data_folder=folder / "data").folder)


def make_jobs(
    results: Path, store_folder: str, n_folds: int, parameters: Mapping[str, Any], options: Mapping[str, Any] | None = None
) -> list[Job]:
    """Return the jobs of an instance: in each fold two items of the store are left out, to validate and to test.

    Args:
        results: The folder of the experiment.
        store_folder: A feature store of three items or more.
        n_folds: Number of folds; those beyond the items leave the same out again.
        parameters: Of the experiment.
        options: Of the architecture.
    """
    (instance,) = resolve(Declaration("benchmark.py", "benchmark.py", "benchmark", dict(parameters), {1: dict(options or {})}))
    items = store.open_store(Path(store_folder)).items
    jobs = []
    for number in range(1, n_folds + 1):
        left_out = items[number % len(items)], items[(number + 1) % len(items)]
        training = tuple(item for item in items if item not in left_out)
        fold = Fold(number, training, left_out[:1], left_out[1:])
        names = instance.settings_hash, "folds", job_seed(1, number)
        jobs.append(Job(str(results), str(ROOT), store_folder, 1, fold, instance.settings, instance.options, *names))
    return jobs
