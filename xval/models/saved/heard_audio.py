"""Read the hashes of the clips that a saved model has heard.

Comes in: a file beside the model. Goes out: the hashes.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import ResultsError
from xval.models.saved.array_header import check_array_header

SEEN_AUDIO_NAME = "seen_audio.npy"
"""Hashes of the clips that trained a model or chose its epoch, or did so for a model that it started from."""
TRAINED_AUDIO_NAME = "trained_audio.npy"
"""The part of them that trained."""


def read_audio_hashes(path: Path) -> NDArray[np.uint64] | None:
    """Return the hashes in seen_audio.npy or trained_audio.npy, uint64 (n_clips,), or None if they are not known.

    Raises:
        ResultsError: The file is damaged.
    """
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            check_array_header(file, path.stat().st_size)
        hashes: NDArray[np.uint64] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ResultsError(f"{path}: damaged ({error}). Copy it again from the fold folder, or delete it.") from error
    if hashes.dtype != np.uint64 or hashes.ndim != 1:
        raise ResultsError(f"{path}: holds {hashes.dtype} {hashes.shape}; uint64 (n_clips,) is wanted.")
    return hashes
