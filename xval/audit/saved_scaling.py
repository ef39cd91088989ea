"""Read the mean and variance by which a saved model normalises, from its file alone.

Comes in: a .keras file, which need not be trusted. Goes out: two arrays. A .keras file is a zip of JSON and HDF5; Keras keeps
the weights of the layers of one class in groups named after it, numbered in the order of the layers. Nothing is built or
executed: keras_file.py checks the archive, and of HDF5 only plain numbers that lie in the file itself are read.
"""

import json
import re
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from xval.audit.evidence import NotCheckableError
from xval.errors import UnsafeModelError
from xval.saved_models.archive import read_member
from xval.saved_models.keras_file import open_model

_LAYER = "normalization"
_CLASS = "BatchNormalization"
_MOST_BINS = 2**20
_N_DIMENSIONS = 1


def read_scaling(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return the mean and the variance in the layer ``normalization`` of a saved model, each float64 (n_bins,).

    Args:
        path: The .keras file.

    Returns:
        None where the model has no such layer with statistics of its own.

    Raises:
        NotCheckableError: The file is missing, damaged, or not what Keras writes.
    """
    try:
        with open_model(path) as archive:
            group = _group_name(json.loads(read_member(archive, "config.json", path)))
            if group is None:
                return None
            with archive.open("model.weights.h5") as weights:
                return _read_weights(weights, group)
    except FileNotFoundError as error:
        raise NotCheckableError(f"{path.name} is missing") from error
    except UnsafeModelError as error:
        raise NotCheckableError(str(error).replace(str(path), path.name)) from error
    except (OSError, ValueError, KeyError, TypeError, EOFError, RecursionError, zipfile.BadZipFile, zlib.error) as error:
        reason = " ".join(str(error).split())[:150]
        raise NotCheckableError(f"{path.name} is damaged ({type(error).__name__}: {reason})") from error


def _group_name(config: Any) -> str | None:
    """Return the group of the weights of the layer, or None where there is no such layer with weights."""
    layers = config["config"]["layers"]
    names = [layer["config"]["name"] for layer in layers]
    classes = [re.sub(r"\W", "", layer["class_name"]) for layer in layers]
    if _LAYER not in names:
        return None
    position = names.index(_LAYER)
    if classes[position] != _CLASS:
        return None
    about = layers[position]["config"]
    if about["center"] or about["scale"]:
        raise ValueError(f"its layer '{_LAYER}' shifts or scales by weights of its own")
    number = classes[:position].count(_CLASS)
    return f"layers/batch_normalization{f'_{number}' if number else ''}/vars"


def _read_weights(weights: IO[bytes], group: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    import h5py

    with h5py.File(weights, "r") as file:
        found = file
        for name in group.split("/"):
            if not isinstance(found.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"its weights have no group {group}")  # noqa: TRY004 - the file is wrong, not a type
            found = found[name]
        mean, variance = (_read_numbers(found, name) for name in ("0", "1"))
    if mean.shape != variance.shape:
        raise ValueError("its mean and variance differ in length")
    return mean, variance


def _read_numbers(group: Any, name: str) -> NDArray[np.float64]:
    """Return a short array of numbers that lies in the file itself."""
    import h5py

    is_inside = isinstance(group.get(name, getlink=True), h5py.HardLink)
    found: Any = group[name] if is_inside else None
    is_plain = isinstance(found, h5py.Dataset) and not (found.external or found.is_virtual or found.chunks)
    if not is_plain or found.dtype.kind != "f" or len(found.shape) != _N_DIMENSIONS or found.size > _MOST_BINS:
        raise ValueError(f"its weights {group.name}/{name} are no plain numbers")
    return np.asarray(found[()], np.float64)
