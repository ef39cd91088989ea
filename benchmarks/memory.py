"""Memory of a worker process: over many folds in a row, and on a feature store larger than it. Prints the ratios last.

python benchmarks/memory.py [--quick]      200 folds and 20 GB: about 6 minutes on 2 cores; quick: 12 folds and 2 GB, 1 minute
python benchmarks/memory.py --backend jax  with another backend than tensorflow

The folds run one after the other in one warm worker process, as `--executor processes --workers 1` runs them; each trains
`cnn_small` for one epoch on 24 examples of 32 x 20. The large store is a sparse file on disk: examples of 8 MB, nearly all of
their bytes holes that read as zeros. One job trains a tiny network on it for one epoch, in a worker of its own.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.lib import format as npy

from preprocessing import store
from xval.backend.devices import Slot
from xval.engine.executors import processes
from xval.folds.plan import Fold
from xval.jobs.job import Job
from xval.jobs.outcome import JobOutcome
from xval.settings.resolve import Declaration, resolve

ITEMS = tuple(f"item {number}" for number in range(10))
LARGE_SHAPE = (2048, 1024)
LABELS = ("no", "yes")
# Folds, after how many of them memory is taken first, GB of the store, and the memory that is allowed to train on it (MB).
SIZES = {False: (200, 20, 20, 2000), True: (12, 4, 2, 1500)}


def write_store(folder: Path, name: str, shape: tuple[int, ...], n_examples: int) -> store.FeatureStore:
    """Write a store of noise with `n_examples` of each item."""
    rng = np.random.default_rng(0)
    predictors = {item: rng.standard_normal((n_examples, *shape), np.float32) for item in ITEMS}
    targets = {item: [LABELS[row % 2] for row in range(n_examples)] for item in ITEMS}
    return store.write(name, predictors, targets, data_folder=folder, class_names=LABELS)


def write_sparse_store(folder: Path, n_gigabytes: float) -> store.FeatureStore:
    """Write a store whose arrays are that large together, and take hardly any room on the disk."""
    made = write_store(folder, "large", LARGE_SHAPE, 1)
    n_examples = round(n_gigabytes * 1e9 / (4 * np.prod(LARGE_SHAPE)) / len(ITEMS))
    n_rows = n_examples * len(ITEMS)
    np.save(made.folder / "targets.npy", np.arange(n_rows) % n_examples % 2)
    with (made.folder / "predictors.npy").open("r+b") as file:
        npy.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (n_rows, *LARGE_SHAPE)})
        file.truncate(file.tell() + n_rows * 4 * int(np.prod(LARGE_SHAPE)))
    rows = [(item, row, f"{item}#{row}") for item in ITEMS for row in range(n_examples)]
    table = pd.DataFrame(rows, columns=["item", "row", "clip"]).assign(start_s=np.nan, end_s=np.nan, augmented=False)
    table = table.assign(first_row=np.arange(n_rows), stop_row=np.arange(n_rows) + 1)
    table.to_parquet(made.folder / "examples.parquet", index=False)
    description = made.folder / "store.json"
    content = json.loads(description.read_bytes()) | dict.fromkeys(
        ("item_counts", "item_rows"), dict.fromkeys(ITEMS, n_examples)
    )
    description.write_text(json.dumps(content))
    return store.open_store(made.folder)


def make_jobs(folder: Path, feature_store: store.FeatureStore, n_folds: int, **parameters: object) -> list[Job]:
    """Return the jobs of an instance: each fold tests one item, validates on another and trains on the rest."""
    dataset = feature_store.folder.parents[1].name
    shared = {"dataset": dataset, "num_epochs": 1, "max_worker_memory_mb": 10**6, **parameters}  # no worker is replaced
    (instance,) = resolve(Declaration("memory.py", "memory.py", "memory", shared, {1: {}}))
    code, results = str(folder / "code"), folder / "results" / dataset
    results.mkdir(parents=True)
    fold = Fold(1, (), (), ())
    first = Job("", code, str(feature_store.folder), 1, fold, instance.settings, instance.options, "s", "f", seed=1)
    jobs = []
    for number in range(1, n_folds + 1):
        test, validation, *training = (ITEMS[(number + place) % len(ITEMS)] for place in range(len(ITEMS)))
        fold = Fold(number, tuple(training), (validation,), (test,))
        jobs.append(replace(first, experiment_folder=str(results), fold=fold, seed=number))
    return jobs


def run_jobs(jobs: list[Job]) -> Iterator[JobOutcome]:
    """Run jobs in one worker process."""
    for outcome in processes.run(jobs, [Slot("cpu", 1)], lambda _: None):
        if outcome.status != "done":
            sys.exit(f"fold {outcome.fold} {outcome.status}: {outcome.error}\n{outcome.details}")
        yield outcome


def measure_folds(folder: Path, backend: str, n_folds: int, n_first: int) -> float:
    """Run many folds in a row; return memory after the last of them as a multiple of that after the first ones."""
    small = write_store(folder, "small", (32, 20), 3)
    jobs = make_jobs(folder, small, n_folds, backend=backend, architecture="cnn_small")
    memory_mb = []
    for outcome in run_jobs(jobs):
        memory_mb.append(outcome.memory_mb)
        if outcome.fold in (1, n_first) or outcome.fold % max(n_first, n_folds // 5) == 0:
            print(f"memory after fold {outcome.fold:3}  {outcome.memory_mb:7.0f} MB", flush=True)
    growth = memory_mb[-1] / memory_mb[n_first - 1]
    print(f"growth from fold {n_first} to fold {n_folds}: {100 * (growth - 1):.1f} %")
    return growth


def measure_large_store(folder: Path, backend: str, n_gigabytes: float, allowed_mb: float) -> float:
    """Train on a large store; return the peak memory as a multiple of what is allowed."""
    large = write_sparse_store(folder, n_gigabytes)
    jobs = make_jobs(folder, large, 1, backend=backend, architecture="strong_pooling.build", normalization="none", batch_size=8)
    (outcome,) = run_jobs(jobs)
    (path,) = (folder / "results" / "large").rglob("record.json")
    peak_mb = json.loads(path.read_bytes())["peak_memory_mb"]
    print(
        f"store of {n_gigabytes} GB: one epoch and the evaluation in {outcome.seconds:.0f} s, peak memory {peak_mb:.0f} MB of "
        f"{allowed_mb:.0f} MB allowed"
    )
    return float(peak_mb / allowed_mb)


def main(backend: str, *, quick: bool) -> None:
    """Measure both and print the results."""
    n_folds, n_first, n_gigabytes, allowed_mb = SIZES[quick]
    print(f"one worker process, {backend} on the CPU; {n_folds} folds in a row, then a store of {n_gigabytes} GB")
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "code").mkdir()
        shutil.copy(Path(__file__).with_name("strong_pooling.py"), Path(place) / "code")
        sys.path.insert(0, str(Path(place) / "code"))  # where the settings look for an architecture of the user's own
        growth = measure_folds(Path(place), backend, n_folds, n_first)
        share = measure_large_store(Path(place), backend, n_gigabytes, allowed_mb)
    print(f"ratio of memory after fold {n_folds} to fold {n_first}: {growth:.3f}; of peak to allowed memory: {share:.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--backend", choices=["tensorflow", "torch", "jax"], default="tensorflow")
    arguments = parser.parse_args()
    main(arguments.backend, quick=arguments.quick)
