"""The first part of the record of a fold.

Comes in: a job. Goes out: what was asked for, and the versions of what computes it.
"""

import csv
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xval.jobs.job import Job
from xval.json_files import FORMAT_VERSION
from xval.version import __version__


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


def versions() -> dict[str, str]:
    """Return the versions of everything that computes."""
    import keras
    import numpy as np

    backend = keras.backend.backend()
    return {
        "xval": __version__,
        "python": platform.python_version(),
        "keras": keras.__version__,
        "backend": f"{backend} {sys.modules[backend].__version__}",
        "numpy": np.__version__,
    }


def write_history(path: Path, epochs: Sequence[Mapping[str, float]]) -> None:
    """Write a row per epoch; the columns are the values that training followed."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(epochs[0]))
        writer.writeheader()
        writer.writerows(epochs)
