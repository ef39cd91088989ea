"""Read the hashes and fingerprints of the clips that a saved model has heard.

Comes in: a file beside the model. Goes out: hashes, or fingerprints.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.clips.fingerprints import Fingerprints, from_array
from xval.base.errors import ResultsError
from xval.models.saved.array_header import check_array_header

SEEN_AUDIO_NAME = "seen_audio.npy"
"""Hashes of the clips that trained a model or chose its epoch, or did so for a model that it started from."""
TRAINED_AUDIO_NAME = "trained_audio.npy"
"""The part of them that trained."""
FINGERPRINTS_NAME = "seen_fingerprints.npy"
"""Their fingerprints, by which they are known again at another level, in another encoding and under another name."""


def read_audio_hashes(path: Path) -> NDArray[np.uint64] | None:
    """Return the hashes in seen_audio.npy or trained_audio.npy, uint64 (n_clips,), or None if they are not known.

    Raises:
        ResultsError: The file is damaged.
    """
    hashes = read_array(path)
    if hashes is not None and (hashes.dtype != np.uint64 or hashes.ndim != 1):
        raise ResultsError(f"{path}: holds {hashes.dtype} {hashes.shape}; expected uint64 (n_clips,).")
    return hashes


def read_seen_fingerprints(path: Path) -> Fingerprints | None:
    """Return the fingerprints in seen_fingerprints.npy, or None if they are not known.

    Raises:
        ResultsError: The file is damaged.
    """
    array = read_array(path)
    try:
        return None if array is None else from_array(array)
    except ValueError as error:
        raise ResultsError(f"{path}: {error}.") from error


def read_array(path: Path) -> NDArray[Any] | None:
    """Return the array of a .npy file beside a model, or None if there is none.

    Raises:
        ResultsError: The file is damaged.
    """
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            check_array_header(file, path.stat().st_size)
        array: NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ResultsError(f"{path}: damaged ({error}). Copy it again from the fold folder, or delete it.") from error
    return array
