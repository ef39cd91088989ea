"""Read audio files: decode, cut out a stretch, mix to mono, resample, and say what is wrong with a file.

Comes in: the path of a wav, flac, ogg or mp3 file, or any other that libsndfile reads. Goes out: float32 mono samples and their
rate, a hash of them, or the facts about them. Next: corpus.py (facts of every clip), extraction.py (samples into features).
"""

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from xval.errors import AudioError

# A clip whose samples all stay below this counts as silent: -80 dBFS, under the noise of a 16-bit recording's room.
SILENCE_PEAK_DBFS = -80.0

# Annotated stretches are often rounded to hundredths of a second; one may end this much behind its file.
_END_TOLERANCE_S = 0.01

# Long recordings are mixed to mono block by block, and a header that lies about the length cannot ask for all memory.
_BLOCK_SAMPLES = 1 << 20


@dataclass(frozen=True)
class AudioFacts:
    """What an index keeps about one clip.

    Attributes:
        duration_s: Length of the clip.
        sample_rate_hz: Rate of the file, before any resampling.
        n_channels: Channels of the file, before the mix to mono.
        audio_hash: As `audio_hash` gives it.
    """

    duration_s: float
    sample_rate_hz: int
    n_channels: int
    audio_hash: str


def read_audio(
    path: Path, *, sample_rate_hz: int | None = None, start_s: float | None = None, end_s: float | None = None
) -> tuple[NDArray[np.float32], int]:
    """Read one clip as mono samples: the mean of its channels.

    Args:
        path: The audio file.
        sample_rate_hz: Rate to resample to; the file's own when omitted.
        start_s: Where the clip begins in the file; its beginning when omitted.
        end_s: Where the clip ends in the file; its end when omitted.

    Returns:
        samples: float32 (n_samples,), full scale is -1 to 1.
        sample_rate_hz: Their rate.

    Raises:
        AudioError: The file is missing, empty or no audio, ends before its header says, holds NaN or infinite samples, or the
            stretch does not lie inside it.
    """
    samples, rate_hz, _ = _decode(path, start_s, end_s)
    if sample_rate_hz is None:
        return samples, rate_hz
    try:
        return resample(samples, rate_hz, sample_rate_hz), sample_rate_hz
    except AudioError as error:
        raise AudioError(f"{path}: {error}") from error


def resample(samples: NDArray[np.float32], from_hz: int, to_hz: int) -> NDArray[np.float32]:
    """Change the sample rate with the soxr resampler, high quality (as librosa does by default).

    Args:
        samples: float32 (n_samples,).
        from_hz: Their rate.
        to_hz: The wanted rate.

    Returns:
        float32 (about n_samples * to_hz / from_hz,); the same array where the rates are equal.

    Raises:
        AudioError: The samples are so few that none is left.
    """
    if from_hz == to_hz:
        return samples
    resampled: NDArray[np.float32] = soxr.resample(samples, from_hz, to_hz, quality="HQ")
    if not resampled.size:
        raise AudioError(f"too short to resample: {samples.size} samples at {from_hz} Hz, to {to_hz} Hz.")
    return resampled


def audio_hash(samples: NDArray[np.float32], sample_rate_hz: int) -> str:
    """Return the hash by which identical audio is recognised, whatever its file is called.

    Args:
        samples: float32 (n_samples,), mono, at the file's own rate.
        sample_rate_hz: That rate.

    Returns:
        32 hex digits: BLAKE2b of the rate and the samples, 128 bits.
    """
    digest = blake2b(str(sample_rate_hz).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(samples, dtype="<f4").data)
    return digest.hexdigest()


def describe_audio(path: Path, start_s: float | None = None, end_s: float | None = None) -> AudioFacts:
    """Read one clip whole and return the facts about it.

    Args:
        path: The audio file.
        start_s: Where the clip begins in the file; its beginning when omitted.
        end_s: Where the clip ends in the file; its end when omitted.

    Raises:
        AudioError: As `read_audio`, or no sample reaches `SILENCE_PEAK_DBFS`.
    """
    samples, rate_hz, n_channels = _decode(path, start_s, end_s)
    if np.abs(samples).max() < 10 ** (SILENCE_PEAK_DBFS / 20):
        raise AudioError(f"{path}: silent, every sample lies below {SILENCE_PEAK_DBFS:g} dBFS.")
    return AudioFacts(samples.size / rate_hz, rate_hz, n_channels, audio_hash(samples, rate_hz))


def _decode(path: Path, start_s: float | None, end_s: float | None) -> tuple[NDArray[np.float32], int, int]:
    """Return the mono samples of a stretch at the file's own rate, that rate, and the file's number of channels."""
    try:
        if not path.is_file():
            raise AudioError(f"{path}: no such file.")
        if not path.stat().st_size:
            raise AudioError(f"{path}: the file is empty (0 bytes).")
        if path.suffix.lower() == ".raw":
            raise AudioError(f"{path}: headerless audio has no known rate; convert it to wav or flac.")
        with soundfile.SoundFile(path) as file:
            rate_hz, n_channels = file.samplerate, file.channels
            first, stop = _stretch(path, file.frames, rate_hz, start_s, end_s)
            if first:
                file.seek(first)
            blocks: list[NDArray[np.float32]] = []
            missing = stop - first
            while missing:
                block = file.read(min(missing, _BLOCK_SAMPLES), dtype="float32", always_2d=True)
                if not len(block):
                    raise AudioError(f"{path}: broken off, {missing} of {stop - first} samples are missing.")
                blocks.append(block[:, 0] if n_channels == 1 else block.mean(axis=1))
                missing -= len(block)
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{path}: cannot be decoded as audio ({error.error_string.rstrip('.')}).") from error
    except OSError as error:
        raise AudioError(f"{path}: cannot be opened ({error.strerror}).") from error
    samples = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
    if not np.isfinite(samples).all():
        raise AudioError(f"{path}: holds samples that are NaN or infinite.")
    return samples, rate_hz, n_channels


def _stretch(path: Path, n_samples: int, rate_hz: int, start_s: float | None, end_s: float | None) -> tuple[int, int]:
    """Return the first sample of a stretch and the one behind its last."""
    if not n_samples:
        raise AudioError(f"{path}: holds no samples.")
    first = 0 if start_s is None else round(start_s * rate_hz)
    stop = n_samples if end_s is None else round(end_s * rate_hz)
    if first < 0 or first >= stop or stop > n_samples + _END_TOLERANCE_S * rate_hz or first >= n_samples:
        begin_s, stop_s = first / rate_hz, stop / rate_hz
        raise AudioError(
            f"{path}: the stretch from {begin_s:g} s to {stop_s:g} s does not lie in the file ({n_samples / rate_hz:g} s)."
        )
    return first, min(stop, n_samples)
