"""The files of a fold folder: the first part of its record, the model with what its user needs to know, the history.

Comes in: what job.py made. Goes out: files in the temporary folder of the job, which results.py publishes.
"""

import csv
import platform
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xval
from preprocessing.store import FeatureStore
from xval.jobs.plan import Job
from xval.json_files import FORMAT_VERSION, write_json
from xval.saved_models.description import describe_model, seen_audio, write_seen_audio
from xval.saved_models.initial import InitialModel

if TYPE_CHECKING:
    import keras

    from xval.data.fold import FoldData
    from xval.training.fit import History


def describe_job(job: Job) -> dict[str, Any]:
    """Return the first part of every record: which job, and the hashes of all that made it."""
    return {
        "format_version": FORMAT_VERSION,
        "status": "failed",
        "instance": job.instance,
        "fold": job.fold.number,
        "settings_hash": job.settings_hash,
        "code_hash": job.code_hash,
        "folds_hash": job.folds_hash,
        "store": Path(job.store_folder).name,
        "seed": job.seed,
    }


def describe_untested(job: Job, data: "FoldData", class_names: Sequence[str]) -> dict[str, Any]:
    """Return what the record of a model that has heard all items says in the place of figures.

    Args:
        job: What trained it.
        data: All items, as the training side.
        class_names: What its outputs mean.
    """
    heard = data.sides["training"].table
    return {
        "status": "untested",
        "class_names": list(class_names),
        "n_examples": {"training": len(heard)},
        "n_training_examples": len(data.training),
        "n_training_clips": int(heard["clip"].nunique()),
        "metrics": {},
        **(job.refit.facts if job.refit else {}),
        "parameters": job.parameters,
    }


def save_model(
    model: "keras.Model",
    folder: Path,
    job: Job,
    store: FeatureStore,
    class_names: Sequence[str],
    initial: InitialModel | None = None,
) -> None:
    """Write model.keras, without the optimizer's state, and what its user needs to know beside it.

    Args:
        model: The fitted model.
        folder: Where to.
        job: What trained it.
        store: What it was trained on.
        class_names: What its outputs mean.
        initial: The model that it started from.

    Raises:
        OSError: The disk is full or not writable.
        CorpusError: The index of the corpus is damaged.
    """
    import keras

    keras.Model(model.input, model.output, name=model.name).save(folder / "model.keras")
    write_json(folder / "model.json", describe_model(job, store, class_names, initial), flushed=False)
    write_seen_audio(folder, seen_audio(job, store, [initial.path] if initial else []))


def write_history(path: Path, history: "History") -> None:
    """Write a row per epoch; the columns are the values that training followed."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(history.epochs[0]))
        writer.writeheader()
        writer.writerows(history.epochs)


def peak_memory_mb() -> float:
    """Return the largest resident memory that this process has had (MB)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)


def memory_mb() -> float:
    """Return the resident memory that this process has now (MB); the peak where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return peak_memory_mb()
    return round(pages * resource.getpagesize() / 2**20, 1)


def versions() -> dict[str, str]:
    """Return the versions of everything that computes."""
    import keras
    import numpy as np

    backend = keras.backend.backend()
    return {
        "xval": xval.__version__,
        "python": platform.python_version(),
        "keras": keras.__version__,
        "backend": f"{backend} {sys.modules[backend].__version__}",
        "numpy": np.__version__,
    }
