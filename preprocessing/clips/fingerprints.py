"""Small fingerprints of clips, which recognise the same audio at another level, in another encoding and under another name.

`Fingerprints` takes 72 bytes per clip. It is stored in data/<dataset>/fingerprints.npy and next to each model, and finds the
clips that a model has seen. It is computed from the longer fingerprints of `preprocessing.quality.near_duplicates`.

A fingerprint is projected onto 64 random vectors of 1 and -1, which preserves the distance between two fingerprints to within
about a fifth. Source: Achlioptas 2003, "Database-friendly random projections", Journal of Computer and System Sciences 66.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from hashlib import shake_256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from preprocessing.file_replacement import replace_file
from xval.base.errors import CorpusError

FILE_NAME = "fingerprints.npy"
N_VALUES = 64
SMALLEST_COSINE = 0.9985
"""Clips whose fingerprints have at least this cosine similarity contain the same recording; see
`near_duplicates.short_fingerprint`."""

_HASH_DIGITS = 16
_LARGEST = 0.75  # value that becomes 127, of a fingerprint with Euclidean norm 1; larger ones are clipped
_CLIPS_AT_ONCE = 1024
_RECORD = np.dtype([("audio", "<u8"), ("values", "i1", (N_VALUES,))])


class Fingerprints(NamedTuple):
    """The fingerprints of clips.

    Attributes:
        audio: uint64 (n_clips,), the `short_hashes` of their audio, in ascending order.
        values: int8 (n_clips, 64); zeros for clips without a fingerprint: silence, augmented copies, clips that cannot be read.
    """

    audio: NDArray[np.uint64]
    values: NDArray[np.int8]

    def of(self, audio: NDArray[np.uint64]) -> NDArray[np.int8] | None:
        """Return the fingerprints of clips, int8 (n_clips, 64), by their `short_hashes`; None: a clip is not among these."""
        if not len(self.audio):
            return None if len(audio) else self.values
        places = np.minimum(np.searchsorted(self.audio, audio), len(self.audio) - 1)
        return self.values[places] if np.array_equal(self.audio[places], audio) else None


def short_hashes(audio_hashes: Iterable[str]) -> NDArray[np.uint64]:
    """Return the first 8 bytes of audio hashes, given as hexadecimal text, as numbers: uint64 (n_clips,)."""
    return np.array([int(audio_hash[:_HASH_DIGITS], 16) for audio_hash in audio_hashes], np.uint64)


def shorten(fingerprint: NDArray[np.float32]) -> NDArray[np.int8]:
    """Return the small form, int8 (64,), of a fingerprint with Euclidean norm 1, float32 (n_values,)."""
    values = fingerprint @ _directions(len(fingerprint)) / np.sqrt(N_VALUES)
    shortened: NDArray[np.int8] = np.round(np.clip(values / _LARGEST, -1, 1) * np.iinfo(np.int8).max).astype(np.int8)
    return shortened


def write_fingerprints(folder: Path, fingerprints: Fingerprints) -> None:
    """Write the fingerprints of a dataset into its folder, data/<dataset>."""

    def write(path: Path) -> None:
        with path.open("wb") as file:
            np.save(file, to_array(fingerprints), allow_pickle=False)

    replace_file(folder / FILE_NAME, write)


def read_fingerprints(folder: Path) -> Fingerprints | None:
    """Return the fingerprints of the clips of a dataset from its folder, data/<dataset>; None: there is no such file.

    Raises:
        CorpusError: The file is damaged.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        return None
    try:
        return from_array(np.load(path, allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise CorpusError(f"{path}: damaged ({error}). Delete it; xval prepare writes it again.") from error


def join(several: Sequence[Fingerprints]) -> Fingerprints:
    """Merge the fingerprints of several sets of clips, each clip once, as in the first set that has it."""
    audio = np.concatenate([np.zeros(0, np.uint64), *(fingerprints.audio for fingerprints in several)])
    values = np.concatenate([np.zeros((0, N_VALUES), np.int8), *(fingerprints.values for fingerprints in several)])
    hashes, first = np.unique(audio, return_index=True)
    return Fingerprints(hashes, values[first])


def without_values(audio: NDArray[np.uint64]) -> Fingerprints:
    """Return entries for clips without a fingerprint, whose values are 0.

    Args:
        audio: uint64 (n_clips,), their `short_hashes` in ascending order.
    """
    return Fingerprints(audio, np.zeros((len(audio), N_VALUES), np.int8))


def to_array(fingerprints: Fingerprints) -> NDArray[np.void]:
    """Return fingerprints as they are stored: a structured array with a record (audio, values) of 72 bytes per clip."""
    array = np.zeros(len(fingerprints.audio), _RECORD)
    array["audio"], array["values"] = fingerprints
    return array


def from_array(array: NDArray[Any]) -> Fingerprints:
    """Return the fingerprints in an array as `to_array` makes it.

    Raises:
        ValueError: It has another dtype or shape.
    """
    if array.dtype != _RECORD or array.ndim != 1:
        raise ValueError(f"holds {array.dtype} {array.shape}; expected {_RECORD} (n_clips,)")
    return Fingerprints(array["audio"], array["values"])


def find_alike(clips: NDArray[np.int8], seen: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Return which clips contain a recording that a model has seen.

    Args:
        clips: int8 (n_clips, 64), the fingerprints of the clips.
        seen: int8 (n_seen, 64), the fingerprints of the clips that the model has seen.

    Returns:
        bool (n_clips,).
    """
    wanted = _normalised(seen[seen.any(axis=1)])
    if not len(wanted):
        return np.zeros(len(clips), np.bool_)
    blocks = (_normalised(block) @ wanted.T for block in _blocks(clips))
    nearest = [block.max(axis=1) for block in blocks]
    return np.concatenate([*nearest, np.zeros(0, np.float32)]) >= SMALLEST_COSINE


def _blocks(values: NDArray[np.int8]) -> Iterator[NDArray[np.int8]]:
    for first in range(0, len(values), _CLIPS_AT_ONCE):
        yield values[first : first + _CLIPS_AT_ONCE]


def _normalised(values: NDArray[np.int8]) -> NDArray[np.float32]:
    numbers = values.astype(np.float32)
    numbers /= np.maximum(np.linalg.norm(numbers, axis=1, keepdims=True), 1)
    return numbers


@cache
def _directions(n_values: int) -> NDArray[np.float32]:
    """Return the vectors, float32 (n_values, 64) of 1 and -1, from a hash: the same with every version of NumPy."""
    digest = shake_256(b"xval fingerprints").digest(n_values * N_VALUES // 8)
    bits = np.unpackbits(np.frombuffer(digest, np.uint8))
    return (2 * bits.astype(np.float32) - 1).reshape(n_values, N_VALUES)
