"""A search whose trainings are a few sums of NumPy; folds, trials, records, locks and Optuna are the real ones.

As a script it runs a search in a folder, or what is left of it, and can be killed at any moment: search_probe.py FOLDER.
"""

import json
import random
import sys
import time
from functools import lru_cache
from pathlib import Path

import numpy as np
from rich.console import Console

from preprocessing import store
from preprocessing.corpus import open_corpus
from preprocessing.store import open_store
from preprocessing.store.make import make_store
from xval import choice, log_uniform, uniform
from xval.data.fold import load_fold
from xval.engine.worker.run import record_failure, run_job
from xval.engine.worker.trial import EpochLimits
from xval.experiment.search import make_searches, run_searches
from xval.jobs.folds_file import load_folds
from xval.jobs.job import COMPLETE, PRUNED
from xval.jobs.plan import make_jobs, make_plan
from xval.jobs.record import describe_job
from xval.results.folder import ExperimentFolder
from xval.settings.resolve import Declaration, resolve
from xval.settings.space import SearchPlan

SPACE = {
    "learning_rate": log_uniform(1e-4, 1e-1),
    "dropout": uniform(0, 0.5),
    "n_units": choice([(4,), (8, 8), (16,)]),
}
N_EPOCHS = 6


def write_corpus(folder, targets=None, *, informative=True):
    """Write a corpus of six speakers with three classes; targets: of some speakers, in the place of the true ones."""
    rng = np.random.default_rng(0)
    names = [f"speaker_{number}" for number in range(6)]
    classes = np.arange(24) % 3
    predictors = {name: rng.normal(size=(24, 4, 3)).astype(np.float32) for name in names}
    if informative:
        for values in predictors.values():
            values += np.eye(3, dtype=np.float32)[classes][:, None, :]
    given = {name: np.array(["a", "b", "c"])[classes] for name in names}
    store.write("toy", predictors, given | (targets or {}), data_folder=folder / "data")


def accuracy(job, side, epoch):
    """Return the accuracy of the nearest mean in a random projection, which the settings and the epoch decide."""
    examples, targets = _read(Path(job.store_folder), job.fold)
    settings = [job.settings.learning_rate * 1e6, job.options["dropout"] * 1e6, len(job.options["n_units"]), epoch]
    projection = np.random.default_rng([int(value) for value in settings]).normal(size=(12, 2))
    training, tested = examples["training"] @ projection, examples[side] @ projection
    labels, truth = targets["training"], targets[side]
    means = np.array([training[labels == label].mean(axis=0) for label in range(3)])
    answers = ((tested[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    return float((answers == truth).mean())


@lru_cache(maxsize=20)  # every epoch of every trial asks for them
def _read(store_folder, fold):
    """Return the flat examples and the targets of a fold, by side."""
    data = load_fold(open_store(store_folder), fold, in_memory=False)
    sides = {"training": data.training, **data.sides}
    examples = {name: side.predictors(np.arange(len(side))).reshape(len(side), -1) for name, side in sides.items()}
    return examples, {name: np.asarray(side.targets) for name, side in sides.items()}


def train(job, _temporary, observers):
    """Be the training of a trial."""
    limits = EpochLimits(job)
    observers.add(limits, is_needed=True)
    for epoch in range(1, N_EPOCHS + 1):
        if observers.epoch({"epoch": epoch, "val_accuracy": accuracy(job, "validation", epoch)}):
            return _record(job, limits.describe(PRUNED))
    return _record(job, limits.describe(COMPLETE))


def _record(job, found):
    return describe_job(job) | found


def make_jobs_of(folder, space=None, storage=None, **plan):
    """Return the jobs of a searched instance, and their searches."""
    found = SearchPlan(space or SPACE, **{"n_trials": 10, "at_once": 5} | plan)
    shared = {
        "dataset": "toy",
        "data_folder": str(folder / "data"),
        "num_folds": 3 if plan.get("inner_folds") else 2,
        "num_epochs": N_EPOCHS,
        "architecture": "mlp",
        "search_storage": storage,
    }
    shared |= {"monitor": "val_accuracy", "experiment_folder": str(folder / "results")}
    declaration = Declaration("exp.py", "exp.py", "a search", shared, {1: {"search": found.to_text()}})
    instances = resolve(declaration)
    results = ExperimentFolder(folder / "results")
    results.path.mkdir(exist_ok=True)
    corpus = open_corpus("toy", folder / "data")
    planned = make_plan(results, instances, load_folds(results, instances[0].settings))
    features, _ = make_store(corpus, instances[0].settings.feature_settings())
    jobs = make_jobs(planned, folder / "code" / "abc", {1: features.folder}, {})
    return jobs, make_searches(jobs, declaration, {}, corpus)


def search(folder, seed=0, *, work=train, n_jobs=10**6, on_end=lambda _: None, **plan):
    """Run the trials of a search in an order that the seed decides, at most so many; return the jobs with what was chosen."""
    jobs, searches = make_jobs_of(folder, **plan)
    rng, left = random.Random(seed), n_jobs

    def run(stage, _report):
        nonlocal left
        for job in rng.sample(stage, len(stage)):
            if left == 0:
                raise KeyboardInterrupt
            left -= 1
            outcome = run_job(job, lambda _: None, work=work)
            on_end(outcome)
            yield outcome

    jobs, _, _ = run_searches(jobs, searches, run, record_failure, Console(quiet=True), quiet=True)
    return jobs


def chosen_of(jobs):
    """Return what was tried and chosen, without what depends on the machine."""
    found = {}
    for job in jobs:
        trials = [{name: value for name, value in trial.items() if name != "seconds"} for trial in job.chosen["trials"]]
        found[str(job.fold.number)] = {**job.chosen, "trials": trials, "seconds": 0.0}
    return json.loads(json.dumps(found))


def main(folder):
    """Search, slowly enough to be killed in between, and write what was chosen."""

    def slowly(job, temporary, observers):
        time.sleep(0.02)
        return train(job, temporary, observers)

    jobs = search(folder, seed=time.time_ns(), work=slowly, on_end=lambda outcome: print(outcome.key, flush=True))
    (folder / "chosen.json").write_text(json.dumps(chosen_of(jobs)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
