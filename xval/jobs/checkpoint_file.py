"""The checkpoint of a job as a file: the state of a training at the end of an epoch.

    .fold_1.checkpoint.npz    next to fold_1/, until the fold is done: arrays, and state.json

It is written completely or not at all, and only has numbers and texts (no pickle). Each array has a checksum (CRC-32 of zip),
and sizes are compared before memory is taken.
"""

import json
import os
import struct
import uuid
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, ValidationError

from xval.base.errors import ResultsError, brief
from xval.base.file_forms import describe_faults, form_of
from xval.base.json_files import FORMAT_VERSION
from xval.base.operating_system import flush, open_regular, replace
from xval.base.size_limits import LARGEST_STATE_BYTES
from xval.models.saved.array_header import check_array_header
from xval.results.checkpoint_note import STATE_NAME

_ARRAY = "#array"
_DAMAGES = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, KeyError, TypeError, IndexError, AttributeError,
            NotImplementedError, OverflowError, RecursionError, RuntimeError)  # fmt: skip


@dataclass(frozen=True)
class Checkpoint:
    """The state with which a training continues.

    Attributes:
        binding: The conditions of the training, by name; it continues only if all are equal.
        epoch: Number of finished epochs.
        seconds: Wall-clock time of these epochs and everything before them.
        state: The state of the training: a dict of dicts, lists, texts, numbers, None and arrays.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    binding: Mapping[str, str]
    epoch: Annotated[int, Field(strict=True, gt=0)]
    seconds: Annotated[float, Field(strict=True, allow_inf_nan=False)]
    state: Mapping[str, Any]


def write_checkpoint(path: Path, checkpoint: Checkpoint, folder: Path) -> None:
    """Write a checkpoint under a temporary name, flush it, and rename it; after an `OSError` an earlier one stays.

    Until it is complete it is in a folder on the same file system that is removed with the job.
    """
    arrays: list[NDArray[Any]] = []
    content = {
        "format_version": FORMAT_VERSION,
        "binding": dict(checkpoint.binding),
        "epoch": checkpoint.epoch,
        "seconds": checkpoint.seconds,
        "state": _without_arrays(checkpoint.state, arrays),
    }
    temporary = folder / f"checkpoint-{uuid.uuid4().hex[:8]}.new"
    try:
        with temporary.open("wb") as file:
            with zipfile.ZipFile(file, "w") as archive:
                archive.writestr(STATE_NAME, json.dumps(content))
                for number, array in enumerate(arrays):
                    with archive.open(f"{number}.npy", "w", force_zip64=True) as member:
                        npy_format.write_array(member, array, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    flush(path.parent)


def read_checkpoint(path: Path) -> Checkpoint | None:
    """Return the checkpoint of a file; None: there is none.

    Raises:
        ResultsError: It is damaged, or not a checkpoint.
        OSError: It cannot be read.
    """
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            members = {info.filename: info for info in archive.infolist()}
            _check_sizes(members, path.stat().st_size)
            content = json.loads(archive.read(STATE_NAME))
            if (version := content.pop("format_version")) != FORMAT_VERSION:
                raise ValueError(f"format {version!r:.20}")
            arrays = [_read_array(archive, members[f"{number}.npy"]) for number in range(len(members) - 1)]
            return form_of(Checkpoint).validate_python({**content, "state": _with_arrays(content["state"], arrays)})
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise ResultsError(f"it is damaged ({describe_faults(error)[:100]})") from error
    except _DAMAGES as error:
        raise ResultsError(f"it is damaged ({brief(error, 100) or type(error).__name__})") from error


def _without_arrays(value: Any, arrays: list[NDArray[Any]]) -> Any:
    """Return a value for JSON; its arrays are appended to a list."""
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {_ARRAY: len(arrays) - 1}
    if isinstance(value, Mapping):
        return {name: _without_arrays(inner, arrays) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_arrays(inner, arrays) for inner in value]
    return value.item() if isinstance(value, np.generic) else value


def _with_arrays(value: Any, arrays: list[NDArray[Any]]) -> Any:
    if isinstance(value, dict):
        if _ARRAY in value:
            return arrays[value[_ARRAY]]
        return {name: _with_arrays(inner, arrays) for name, inner in value.items()}
    return [_with_arrays(inner, arrays) for inner in value] if isinstance(value, list) else value


def _check_sizes(members: Mapping[str, zipfile.ZipInfo], n_bytes: int) -> None:
    """Raise an error for an archive that needs more memory than it has bytes."""
    if any(info.compress_type != zipfile.ZIP_STORED for info in members.values()):
        raise ValueError("its members are compressed")
    if sum(info.file_size for info in members.values()) > n_bytes:
        raise ValueError("its members are larger than the file")
    if members[STATE_NAME].file_size > LARGEST_STATE_BYTES:
        raise ValueError(f"its {STATE_NAME} is too large")


def _read_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(info) as member:
        check_array_header(member, info.file_size)  # type: ignore[arg-type]
    with archive.open(info) as member:
        array: NDArray[Any] = npy_format.read_array(member, allow_pickle=False)
    return array
