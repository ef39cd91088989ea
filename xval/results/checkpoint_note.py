"""Where the checkpoint of a job stands, for those that only ask: how far training was when it was written.

Comes in: the path of a checkpoint, which anyone may have edited. Goes out: the number of its epoch. What else is in it,
xval.jobs.checkpoint_file reads.
"""

import json
import zipfile
from pathlib import Path

from xval.errors import ResultsError
from xval.operating_system import open_regular
from xval.results.folder import ExperimentFolder
from xval.results.job_key import JobKey

STATE_NAME = "state.json"
LARGEST_STATE_BYTES = 16 << 20


def checkpoint_path(folder: ExperimentFolder, key: JobKey) -> Path:
    """Return where the checkpoint of a job lies until the job is done: beside its folder."""
    final = folder.fold_folder(*key)
    return final.with_name(f".{final.name}.checkpoint.npz")


def read_position(path: Path) -> int | None:
    """Return the last finished epoch of a checkpoint, from 1; None: there is none, or it cannot be read."""
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive, archive.open(STATE_NAME) as member:
            epoch = json.loads(member.read(LARGEST_STATE_BYTES))["epoch"]
    except (ResultsError, OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError, NotImplementedError, RuntimeError):
        return None
    return epoch if isinstance(epoch, int) and epoch > 0 else None
