"""Read audio files as float32 mono samples: decode, cut out a segment, mix to mono, resample; and hash or describe a file.

The format of a file is recognised by its content, not by its name. It is decoded with libsndfile (wav, flac, ogg, mp3) or, if
that cannot read it, with FFmpeg's libraries (m4a, aac, mp4, webm, wma).

A file that ends before its header says (by more than 0.1 s if it is compressed, 0.01 s if not) raises an error. If the header
does not state the length (ogg, raw aac, mp3 without a Xing tag, wav and flac written to a pipe), or states less than there is
(`preprocessing.audio.longer_files`), the clip is everything that can be decoded.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TypeAlias

import numpy as np
import soxr
from numpy.typing import NDArray

from preprocessing.audio.lost_sound import shares_above, smallest_kept
from preprocessing.audio.open import OpenAudio, check_channel, check_size, find_segment, open_audio
from xval.base.errors import AudioError, counted

# A clip whose samples are all below this level counts as silent; room noise in a 16-bit recording is louder.
SILENCE_PEAK_DBFS = -80.0

LOUDEST = 2.0**32
"""Largest allowed sample (full scale is 1). Float files with unscaled 32-bit integers reach half of it; larger samples are
damage, and features of them would overflow."""
SHORTEST_S = 0.001

_GROWTH = 1.25

OnHash: TypeAlias = Callable[[str], object]
"""Function that is called with the hash of a clip, `AudioFacts.audio_hash`, when all of it has been read."""


@dataclass(frozen=True)
class AudioFacts:
    """The facts about one clip that an index stores.

    Attributes:
        duration_s: Length of the clip (s).
        sample_rate_hz: Sample rate of the file, before any resampling (Hz).
        n_channels: Number of channels of the file, before the mix to mono.
        audio_hash: 32 hex digits by which identical audio is recognised under any file name: BLAKE2b, 128 bits, of the sample
            rate and the mono float32 samples.
        level_dbfs: Root mean square of the mono samples, in dB relative to full scale: -3 for a sine of full scale.
        peak: Largest absolute value of these samples, full scale is 1.
        kept_in_mean: Share of the power of the channels that their mean has: 1 for equal channels, 1/n for n unrelated ones, 0
            if they cancel.
        shares_above: Share of the power above each of `preprocessing.audio.lost_sound.EDGES_HZ`, 0 to 1.
        n_tracks: Number of sound tracks of the file, of which the first is read.
    """

    duration_s: float
    sample_rate_hz: int
    n_channels: int
    audio_hash: str
    level_dbfs: float
    peak: float
    kept_in_mean: float
    shares_above: tuple[float, ...]
    n_tracks: int


@dataclass(frozen=True)
class Decoded:
    """The samples of one clip.

    Attributes:
        samples: float32 (n_samples,), mono, at the file's own rate, full scale is -1 to 1.
        sample_rate_hz: Sample rate of the file (Hz).
        n_channels: Number of channels of the file, before the mix to mono.
        audio_hash: Hash of the rate and the mean of all channels, whichever channel was chosen; None: not computed.
        kept_in_mean: Share of the power of the channels that their mean has, 0 to 1.
        n_tracks: Number of sound tracks of the file, of which the first is read.
    """

    samples: NDArray[np.float32]
    sample_rate_hz: int
    n_channels: int
    audio_hash: str | None
    kept_in_mean: float
    n_tracks: int


def read_audio(
    path: Path,
    *,
    sample_rate_hz: int | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    channel: int | None = None,
    on_hash: OnHash | None = None,
) -> tuple[NDArray[np.float32], int]:
    """Read one clip as mono samples.

    Args:
        path: The audio file.
        sample_rate_hz: Sample rate to which the clip is resampled (Hz); None: the rate of the file.
        start_s: Start of the clip in the file (s); None: the start of the file.
        end_s: End of the clip in the file (s); None: the end of the file.
        channel: Number of the channel, from 0; None: the mean of all channels.
        on_hash: Called with the hash of the clip, `AudioFacts.audio_hash`.

    Returns:
        samples: float32 (n_samples,), full scale is -1 to 1.
        sample_rate_hz: Their sample rate (Hz).

    Raises:
        AudioError: The file is missing, empty or no audio, ends before its header says, has samples that are NaN, infinite or
            beyond `LOUDEST`, has no such channel, or the segment is not inside it, too long or too short to be resampled.
    """
    decoded = decode(path, start_s=start_s, end_s=end_s, channel=channel, with_hash=on_hash is not None)
    if on_hash is not None and decoded.audio_hash is not None:
        on_hash(decoded.audio_hash)
    if sample_rate_hz is None:
        return decoded.samples, decoded.sample_rate_hz
    try:
        return resample(decoded.samples, decoded.sample_rate_hz, sample_rate_hz), sample_rate_hz
    except AudioError as error:
        raise AudioError(f"{path}: {error}") from error


def decode(
    path: Path,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    channel: int | None = None,
    with_hash: bool = False,
) -> Decoded:
    """Read one clip as mono samples at the sample rate of the file, and compute its hash in the same pass.

    Only the mono samples are in memory, whatever the number of channels.

    Args:
        path: The audio file.
        start_s: Start of the clip in the file (s); None: the start of the file.
        end_s: End of the clip in the file (s); None: the end of the file.
        channel: Number of the channel, from 0; None: the mean of all channels.
        with_hash: Whether the hash, which is that of the mean of all channels, is computed.

    Raises:
        AudioError: For the same reasons as in `read_audio`.
    """
    with closing(open_audio(path)) as audio:
        rate_hz = audio.sample_rate_hz
        check_channel(path, audio.n_channels, channel)
        first, stop = find_segment(path, audio, start_s, end_s)
        digest = _begin_hash(rate_hz) if with_hash else None
        samples = np.empty(0, np.float32)
        n_samples = 0
        power_of_mean, power_of_all = 0.0, 0.0
        for block in audio.read(first, stop):
            mean, chosen = mix(path, block, channel)
            if audio.n_channels > 1:
                power_of_mean += float(np.vdot(mean, mean)) * audio.n_channels
                power_of_all += float(np.vdot(block, block))
            if digest is not None:
                digest.update(np.ascontiguousarray(mean, dtype="<f4").data)
            end = n_samples + len(block)
            check_size(path, end, rate_hz)
            if end > samples.size:
                samples.resize(max(end, int(samples.size * _GROWTH)), refcheck=False)
            samples[n_samples:end] = chosen
            n_samples = end
        find_segment(path, audio, start_s, end_s)  # checked again, because the length may be known only now
    if not n_samples:
        raise AudioError(f"{path}: contains no samples.")
    samples.resize(n_samples, refcheck=False)
    kept = power_of_mean / power_of_all if power_of_all else 1.0
    return Decoded(samples, rate_hz, audio.n_channels, None if digest is None else digest.hexdigest(), kept, audio.n_tracks)


def read_blocks(
    path: Path,
    *,
    sample_rate_hz: int,
    start_s: float | None = None,
    end_s: float | None = None,
    channel: int | None = None,
    on_hash: OnHash | None = None,
) -> Iterator[NDArray[np.float32]]:
    """Read a clip of any length block by block as mono samples; together the blocks are the samples of `read_audio`.

    Args:
        path: The audio file.
        sample_rate_hz: Sample rate to which the clip is resampled (Hz).
        start_s: Start of the clip in the file (s); None: the start of the file.
        end_s: End of the clip in the file (s); None: the end of the file.
        channel: Number of the channel, from 0; None: the mean of all channels.
        on_hash: Called at the end with the hash of the clip, `AudioFacts.audio_hash`.

    Yields:
        float32 (n_samples,), full scale is -1 to 1; some hundred thousand samples or fewer.

    Raises:
        AudioError: For the same reasons as in `read_audio`; damage is found only when it is reached.
    """
    with closing(open_audio(path)) as audio:
        check_channel(path, audio.n_channels, channel)
        first, stop = find_segment(path, audio, start_s, end_s, may_be_long=True)
        resampler = None
        if audio.sample_rate_hz != sample_rate_hz:
            resampler = soxr.ResampleStream(audio.sample_rate_hz, sample_rate_hz, 1, dtype="float32", quality="HQ")
        digest = _begin_hash(audio.sample_rate_hz)
        for block in audio.read(first, stop):
            mean, samples = mix(path, block, channel)
            if on_hash is not None:
                digest.update(np.ascontiguousarray(mean, dtype="<f4").data)
            yield samples if resampler is None else resampler.resample_chunk(samples)
        find_segment(path, audio, start_s, end_s, may_be_long=True)  # checked again, because the length is known only now
        if resampler is not None:
            yield resampler.resample_chunk(np.empty(0, np.float32), last=True)
        if on_hash is not None:
            on_hash(digest.hexdigest())


def hash_samples(samples: NDArray[np.float32], sample_rate_hz: int) -> str:
    """Return the hash of mono samples, float32 (n_samples,); it equals `AudioFacts.audio_hash` of a file with these samples."""
    digest = _begin_hash(sample_rate_hz)
    digest.update(np.ascontiguousarray(samples, dtype="<f4").data)
    return digest.hexdigest()


def _begin_hash(sample_rate_hz: int) -> blake2b:
    return blake2b(str(sample_rate_hz).encode(), digest_size=16)


def read_header(path: Path) -> OpenAudio:
    """Return the facts in the header of a file, which is not decoded and already closed.

    Raises:
        AudioError: The file is missing, empty or no audio, or its header is damaged.
    """
    with closing(open_audio(path)) as audio:
        return audio


def resample(samples: NDArray[np.float32], from_hz: int, to_hz: int) -> NDArray[np.float32]:
    """Change the sample rate with the soxr resampler, high quality (as librosa does by default).

    Args:
        samples: float32 (n_samples,).
        from_hz: Their sample rate (Hz).
        to_hz: The new sample rate (Hz).

    Returns:
        float32 (about n_samples * to_hz / from_hz,); the same array if the rates are equal.

    Raises:
        AudioError: There are so few samples that none is left.
    """
    if from_hz == to_hz:
        return samples
    resampled: NDArray[np.float32] = soxr.resample(samples, from_hz, to_hz, quality="HQ")
    if not resampled.size:
        raise AudioError(f"too short to resample: {counted(samples.size, 'sample')} from {from_hz} Hz to {to_hz} Hz.")
    return resampled


def describe_audio(path: Path, start_s: float | None = None, end_s: float | None = None) -> AudioFacts:
    """Read a clip completely and return the facts about it.

    Args:
        path: The audio file.
        start_s: Start of the clip in the file (s); None: the start of the file.
        end_s: End of the clip in the file (s); None: the end of the file.

    Raises:
        AudioError: The clip cannot be read, is shorter than `SHORTEST_S`, or no sample reaches `SILENCE_PEAK_DBFS`.
    """
    clip = decode(path, start_s=start_s, end_s=end_s, with_hash=True)
    peak = float(max(clip.samples.max(), -clip.samples.min()))
    if peak < 10 ** (SILENCE_PEAK_DBFS / 20):
        if clip.kept_in_mean < smallest_kept(clip.n_channels):
            raise AudioError(
                f"{path}: silent, because its {clip.n_channels} channels cancel in their mean. To copy one channel: xval "
                "prepare convert IN OUT --channel 0"
            )
        raise AudioError(f"{path}: silent, every sample is below {SILENCE_PEAK_DBFS:g} dBFS.")
    if clip.samples.size < SHORTEST_S * clip.sample_rate_hz:
        raise AudioError(
            f"{path}: too short: received {counted(clip.samples.size, 'sample')} at {clip.sample_rate_hz} Hz; expected at "
            f"least {SHORTEST_S:g} s."
        )
    return AudioFacts(
        duration_s=clip.samples.size / clip.sample_rate_hz,
        sample_rate_hz=clip.sample_rate_hz,
        n_channels=clip.n_channels,
        audio_hash=clip.audio_hash or "",
        level_dbfs=float(level_dbfs(clip.samples)),
        peak=peak,
        kept_in_mean=clip.kept_in_mean,
        shares_above=shares_above(clip.samples, clip.sample_rate_hz),
        n_tracks=clip.n_tracks,
    )


def level_dbfs(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the root mean square of mono samples in dB relative to full scale; -120 for silence.

    Args:
        samples: float32 (..., n_samples), full scale is 1.

    Returns:
        float64 (...).
    """
    return np.asarray(10 * np.log10(np.maximum(np.mean(np.square(samples, dtype=np.float64), axis=-1), 1e-12)))


def mix(name: Path | str, block: NDArray[np.float32], channel: int | None) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the mean of all channels of a block, and the chosen channel; both float32 (n_samples,).

    Args:
        name: The file, or a name of the array, for errors.
        block: float32 (n_samples, n_channels), full scale is -1 to 1.
        channel: Number of the chosen channel, from 0; None: the mean.

    Raises:
        AudioError: Samples of the chosen channel are NaN, infinite or beyond `LOUDEST`.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        mean = block[:, 0] if block.shape[1] == 1 else block.mean(axis=1)
    chosen = mean if channel is None else block[:, channel]
    if not np.isfinite(chosen).all():
        raise AudioError(f"{name}: has samples that are NaN or infinite.")
    if chosen.size and max(chosen.max(), -chosen.min()) > LOUDEST:
        raise AudioError(
            f"{name}: damaged, samples reach {np.abs(chosen).max():g} (full scale is 1, unscaled integers reach {LOUDEST:g})."
        )
    return mean, chosen
