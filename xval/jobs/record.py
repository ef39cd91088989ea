"""The first part of the record of a fold.

Comes in: a job. Goes out: what was asked for, and the versions of what computes it.
"""

import platform
import sys
from pathlib import Path
from typing import Any

from preprocessing.store import open_store
from xval.errors import CorpusError
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
    } | ({"embedder_hash": _embedder_hash(job)} if job.settings.features == "embedding" else {})


def _embedder_hash(job: Job) -> str | None:
    """Return the hash of what made the embeddings that a job reads; None: a script made its features, or the store is gone."""
    try:
        made_by = open_store(Path(job.store_folder)).description.embedder
    except CorpusError:
        return None
    return made_by.hash if made_by else None


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
