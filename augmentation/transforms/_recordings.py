"""Read excerpts of the recordings that are mixed into others, with a given length and sample rate."""

from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from augmentation.transforms import Samples
from augmentation.transforms._options import root_mean_square
from preprocessing.audio.read import SILENCE_PEAK_DBFS, decode, read_audio, read_header
from xval.base.errors import AudioError, CorpusError

# Of recordings longer than this (s), only the excerpt is decoded; shorter ones are read completely.
_LONG_S = 60.0

# The header of files with these samples has the exact length; other files may be a little shorter than their header says.
_UNCOMPRESSED = ("PCM", "FLOAT", "DOUBLE")


def read_excerpt(path: Path, n_samples: int, sample_rate_hz: int, position: float) -> Samples:
    """Read an excerpt of a recording; one that is too short is repeated.

    Args:
        path: The recording.
        n_samples: Length of the excerpt (samples).
        sample_rate_hz: Sample rate of the excerpt (Hz), to which the recording is resampled.
        position: Position of the excerpt, 0 to 1: at 0 it begins with the recording, at 1 both end together; for a repeated
            recording, the relative position at which it begins.

    Returns:
        float32 (n_samples,). If this excerpt would be silent, the excerpt around the loudest sample.

    Raises:
        CorpusError: The recording cannot be read.
    """
    length_s, duration_s = n_samples / sample_rate_hz, _duration_s(path, _stamp(path))
    if duration_s > max(_LONG_S, 2 * length_s):
        start_s = position * (duration_s - length_s)
        # A little more than the excerpt, because resampling rounds; it is cut to its length below.
        excerpt = _read(path, sample_rate_hz, start_s, min(start_s + length_s + 0.1, duration_s))
        excerpt = _cut(excerpt, 0, n_samples)
    else:
        whole = read_whole(path, sample_rate_hz)
        spare = whole.size - n_samples
        excerpt = _cut(whole, round(position * (spare if spare >= 0 else whole.size - 1)), n_samples)
    if root_mean_square(excerpt) < 10 ** (SILENCE_PEAK_DBFS / 20):
        whole = read_whole(path, sample_rate_hz)
        excerpt = _cut(whole, int(np.abs(whole).argmax()) - n_samples // 2, n_samples)
    return excerpt


def read_whole(path: Path, sample_rate_hz: int) -> Samples:
    """Return the samples of a recording at this sample rate: float32 (n_samples,); the last few recordings are cached."""
    return _read_whole(path, sample_rate_hz, _stamp(path))


def _stamp(path: Path) -> int:
    """Return the modification time of a file (ns), a part of cache keys, so that a replaced file is read again."""
    try:
        return path.stat().st_mtime_ns
    except OSError as error:
        raise CorpusError(f"A recording that is mixed in cannot be read: {path}: {error.strerror}.") from error


@lru_cache(maxsize=4)
def _read_whole(path: Path, sample_rate_hz: int, _: int) -> Samples:
    return _read(path, sample_rate_hz, None, None)


@cache
def _duration_s(path: Path, _: int) -> float:
    """Return the length of a recording (s); for a compressed one, the length of the decoded audio."""
    try:
        header = read_header(path)
        if header.subtype.startswith(_UNCOMPRESSED):
            return header.duration_s
        decoded = decode(path)
    except AudioError as error:
        raise CorpusError(f"A recording that is mixed in cannot be read: {error}") from error
    return decoded.samples.size / decoded.sample_rate_hz


def _read(path: Path, sample_rate_hz: int, start_s: float | None, end_s: float | None) -> Samples:
    """Read a segment; raise CorpusError instead of AudioError, which would be attributed to the file that is augmented."""
    try:
        return read_audio(path, sample_rate_hz=sample_rate_hz, start_s=start_s, end_s=end_s)[0]
    except AudioError as error:
        raise CorpusError(f"A recording that is mixed in cannot be read: {error}") from error


def _cut(samples: Samples, first: int, n_samples: int) -> Samples:
    """Return ``n_samples`` samples from ``first`` on; after its end the recording is repeated."""
    return np.take(samples, np.arange(first, first + n_samples), mode="wrap")
