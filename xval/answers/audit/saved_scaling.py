"""Read the mean and variance by which a saved model normalises features and scales the numbers that it predicts.

A .keras file is a zip archive of JSON and HDF5, and it may come from anyone: no layer is built and no code is executed,
keras_file.py checks the archive, and only plain numbers in the HDF5 file itself are read. archive, and of HDF5 only plain
numbers in the file itself are read. Keras keeps the weights of the layers of one class in groups named after it, numbered in
the order of the layers.
"""

import json
import re
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import h5py
import numpy as np
from numpy.typing import NDArray

from xval.answers.audit.evidence import NotCheckableError
from xval.base.errors import UnsafeModelError, brief
from xval.models.saved.archive import read_member
from xval.models.saved.keras_file import open_model

_CLASS = "BatchNormalization"
_MOST_BINS = 2**20
_N_DIMENSIONS = 1


Scaling = tuple[NDArray[np.float64], NDArray[np.float64]]


def read_scaling(path: Path) -> Scaling | None:
    """Return the mean and the variance in the layer ``normalization`` of a .keras file, each float64 (n_bins,).

    None: the model has no such layer with its own statistics.
    """
    weights = _read_layer(path, "normalization", n_weights=2)
    return None if weights is None else (weights[0], weights[1])


def read_target_scaling(path: Path) -> Scaling | None:
    """Return the mean and the variance in the layer ``target_scaling`` of a .keras file, each float64 (n_outputs,).

    None: the model has no such layer. Raises a `NotCheckableError` if the layer does more than multiply by a standard deviation
    and add a mean.
    """
    weights = _read_layer(path, "target_scaling", n_weights=4)
    if weights is None:
        return None
    deviation, mean, subtracted, divided = weights
    if subtracted.any() or (divided != 1).any():
        raise NotCheckableError(f"{path.name} is damaged (its layer 'target_scaling' normalises)")
    return mean, deviation**2


def _read_layer(path: Path, layer: str, *, n_weights: int) -> list[NDArray[np.float64]] | None:
    """Return the weights of a layer of batch normalisation; None: there is no such layer."""
    try:
        with open_model(path) as archive:
            group = _group_name(json.loads(read_member(archive, "config.json", path)), layer, shifts=n_weights > 2)
            if group is None:
                return None
            with archive.open("model.weights.h5") as weights:
                return _read_weights(weights, group, n_weights)
    except FileNotFoundError as error:
        raise NotCheckableError(f"{path.name} is missing") from error
    except UnsafeModelError as error:
        raise NotCheckableError(str(error).replace(str(path), path.name)) from error
    except (OSError, ValueError, KeyError, TypeError, EOFError, RecursionError, zipfile.BadZipFile, zlib.error) as error:
        raise NotCheckableError(f"{path.name} is damaged ({type(error).__name__}: {brief(error)})") from error


def _group_name(config: Any, layer: str, *, shifts: bool) -> str | None:
    """Return the group of the weights of a layer, or None if it is missing or has no weights."""
    layers = config["config"]["layers"]
    names = [layer_config["config"]["name"] for layer_config in layers]
    classes = [re.sub(r"\W", "", layer_config["class_name"]) for layer_config in layers]
    if layer not in names:
        return None
    position = names.index(layer)
    if classes[position] != _CLASS:
        return None
    about = layers[position]["config"]
    if (about["center"], about["scale"]) != (shifts, shifts):
        raise ValueError(f"its layer '{layer}' {'has no' if shifts else 'shifts or scales by'} its own weights")
    number = classes[:position].count(_CLASS)
    return f"layers/batch_normalization{f'_{number}' if number else ''}/vars"


def _read_weights(weights: IO[bytes], group: str, number: int) -> list[NDArray[np.float64]]:
    with h5py.File(weights, "r") as file:
        current_group = file
        for name in group.split("/"):
            if not isinstance(current_group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"its weights have no group {group}")  # noqa: TRY004 - the file is wrong, not a type
            current_group = current_group[name]
        arrays = [_read_numbers(current_group, str(name)) for name in range(number)]
    if len({array.shape for array in arrays}) > 1:
        raise ValueError("its mean and variance differ in length")
    return arrays


def _read_numbers(group: Any, name: str) -> NDArray[np.float64]:
    """Return a short array of numbers that the file itself holds."""
    is_inside = isinstance(group.get(name, getlink=True), h5py.HardLink)
    dataset: Any = group[name] if is_inside else None
    is_plain = isinstance(dataset, h5py.Dataset) and not (dataset.external or dataset.is_virtual or dataset.chunks)
    if not is_plain or dataset.dtype.kind != "f" or len(dataset.shape) != _N_DIMENSIONS or dataset.size > _MOST_BINS:
        raise ValueError(f"its weights {group.name}/{name} are no plain numbers")
    return np.asarray(dataset[()], np.float64)
