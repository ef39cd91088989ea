"""The first part of the record of a fold.

Comes in: a job. Goes out: what was asked for, and the versions of what computes it.
"""

import csv
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xval.jobs.job import Job
from xval.json_files import FORMAT_VERSION
from xval.version import __version__

if TYPE_CHECKING:
    from xval.data.fold import FoldData


def describe_job(job: Job) -> dict[str, Any]:
    """Return the first part of every record: which job, and the hashes of all that made it."""
    return {
        "format_version": FORMAT_VERSION,
        "status": "failed",
        "instance": job.instance,
        "fold": job.fold.number,
        "repeat": job.repeat,
        "settings_hash": job.settings_hash,
        "code_hash": job.code_hash,
        "folds_hash": job.folds_hash,
        "store": Path(job.store_folder).name,
        "seed": job.seed,
    }


def describe_untested(job: Job, data: "FoldData", class_names: Sequence[str]) -> dict[str, Any]:
    """Return what the record of a model that has heard all items says in the place of figures."""
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


def versions(*, with_keras: bool = True) -> dict[str, str]:
    """Return the versions of everything that computes."""
    import numpy as np

    found = {"xval": __version__, "python": platform.python_version()}
    if with_keras:
        import keras

        backend = keras.backend.backend()
        found |= {"keras": keras.__version__, "backend": f"{backend} {sys.modules[backend].__version__}"}
    return found | {"numpy": np.__version__}


def write_history(path: Path, epochs: Sequence[Mapping[str, float]]) -> None:
    """Write a row per epoch; the columns are the values that training followed."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(epochs[0]))
        writer.writeheader()
        writer.writerows(epochs)
