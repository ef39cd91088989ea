"""The path and the epoch of a job's checkpoint, for readers that do not resume it.

Anyone may have edited the file. Only the number of its epoch is read here; xval.jobs.checkpoint_file reads the rest. The
checkpoints of done jobs are removed here.
"""

import json
import zipfile
from contextlib import suppress
from pathlib import Path

from xval.base.errors import ResultsError
from xval.base.json_files import read_json
from xval.base.operating_system import open_regular
from xval.base.size_limits import LARGEST_STATE_BYTES
from xval.results.folder import ExperimentFolder
from xval.results.job_key import JobKey

STATE_NAME = "state.json"
_SUFFIX = ".checkpoint.npz"


def checkpoint_path(folder: ExperimentFolder, key: JobKey) -> Path:
    """Return the path of the checkpoint of an unfinished job: next to its folder."""
    final = folder.fold_folder(*key)
    return final.with_name(f".{final.name}{_SUFFIX}")


def read_position(path: Path) -> int | None:
    """Return the last finished epoch of a checkpoint, from 1; None: there is none, or it cannot be read."""
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive, archive.open(STATE_NAME) as member:
            epoch = json.loads(member.read(LARGEST_STATE_BYTES))["epoch"]
    except (ResultsError, OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError, NotImplementedError, RuntimeError):
        return None
    return epoch if isinstance(epoch, int) and epoch > 0 else None


def remove_finished_checkpoints(folder: ExperimentFolder) -> None:
    """Remove the checkpoints of finished jobs, which stay if a process is killed after it has published its job.

    A checkpoint that is newer than the result of its job, which is being replaced, stays.
    """
    checkpoints = (path for place in ("instance_*", "instance_*/search") for path in folder.path.glob(f"{place}/.*{_SUFFIX}"))
    for path in checkpoints:
        final = path.with_name(path.name.removeprefix(".").removesuffix(_SUFFIX))
        with suppress(ResultsError, OSError):
            is_done = (read_json(final / "record.json") or {}).get("status") == "done"
            if is_done and path.stat().st_mtime_ns <= final.stat().st_mtime_ns:
                path.unlink()
