"""Compute the features of one clip: frames of several kinds next to each other, such as log-mel and pitch, and their deltas."""

import numpy as np
from numpy.typing import NDArray

from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.features.kinds import KINDS, contrast_bands, with_deltas
from preprocessing.features.spectrogram import SMALLEST_POWER, analysis_window, mel_filters
from preprocessing.features.voice import check_detector, find_voice

# Part of the key of every feature store: raise it when a change here changes numbers.
FEATURES_VERSION = 2


def extract(samples: NDArray[np.float32], settings: FeatureSettings, *, n_samples: int | None = None) -> NDArray[np.float32]:
    """Return the features of a clip; silence at its ends is not trimmed here (see `trim`).

    Pre-emphasis, then padding or cutting to ``n_samples``, then each kind of features, its deltas, and stretching in time.

    Args:
        samples: float32 (n,), mono, at ``settings.sample_rate_hz``.
        settings: The feature settings.
        n_samples: Length to which the clip is zero-padded or cut at its end; None: its own length.

    Returns:
        float32 (n_frames, n_bins). n_frames is that of `count_frames`, or ``settings.stretch_frames``; the bins are those of
        `bin_names`. Levels are in dB; for ``scale = linear`` magnitudes to the ``power``, to which ``db_reference`` and
        ``top_db`` do not apply.

    Raises:
        SettingsError: scipy has no such window, or a mel filter or band is so narrow that it contains no bin of the transform.
    """
    n_samples = samples.size if n_samples is None else n_samples
    samples = samples[:n_samples]
    if settings.pre_emphasis:
        # One zero of the padding, because the sample behind a clip is -c times its last.
        samples = _emphasised(np.append(samples, np.zeros(int(samples.size < n_samples), np.float32)), settings.pre_emphasis)
    features = np.concatenate([KINDS[kind].make(samples, n_samples, settings) for kind in settings.kinds], axis=1)
    if settings.feature_deltas:
        features = with_deltas(features, settings.feature_deltas)
    if settings.stretch_frames is not None:
        features = stretch_time(features, settings.stretch_frames)
    return np.ascontiguousarray(features, dtype=np.float32)


def check_settings(settings: FeatureSettings) -> None:
    """Make window, mel filters and bands once, so that their errors show before the first clip is read.

    Raises:
        SettingsError: As for `extract`; or the voice activity detector is not installed.
    """
    if settings.vad == "silero":
        check_detector()
    if settings.features == "embedding" or (settings.features == "waveform" and settings.frontend == "none"):
        return
    analysis_window(settings)
    if {"logmel", "mfcc"} & {*settings.kinds, settings.frontend}:
        mel_filters(settings)
    if "contrast" in settings.kinds:
        contrast_bands(settings)


def trim(samples: NDArray[np.float32], settings: FeatureSettings) -> tuple[int, int]:
    """Return start and end of a clip without non-speech and silence at its two ends.

    With ``vad = silero`` everything before the first and after the last speech is removed (`find_voice`); a clip without speech
    is not cut. A frame of n_fft samples is silent if its mean square is more than ``trim_db`` below that of the loudest one, as
    in ``librosa.effects.trim`` with the settings' frame and hop length.

    Args:
        samples: float32 (n,), mono, at ``settings.sample_rate_hz``.
        settings: ``trim_db`` None and ``vad`` none keep the whole clip.

    Returns:
        The index of the first sample to keep, and the index after the last one.
    """
    if settings.vad == "silero":
        begin, end = find_voice(samples, settings.sample_rate_hz) or (0, samples.size)
        first, stop = _trim_silence(samples[begin:end], settings)
        return begin + first, begin + stop
    return _trim_silence(samples, settings)


def _trim_silence(samples: NDArray[np.float32], settings: FeatureSettings) -> tuple[int, int]:
    if settings.trim_db is None:
        return 0, samples.size
    padded = np.pad(samples, settings.n_fft // 2).astype(np.float64)
    energy_until = np.concatenate([[0.0], np.cumsum(padded**2)])
    starts = np.arange(0, padded.size - settings.n_fft + 1, settings.hop_length)
    energy = energy_until[starts + settings.n_fft] - energy_until[starts]
    # The square of librosa's floor: the frames of a clip quieter than this are all equally loud.
    energy = np.maximum(energy, SMALLEST_POWER * settings.n_fft)
    loud = np.flatnonzero(energy > energy.max() * 10 ** (-settings.trim_db / 10))
    first = min(int(loud[0]) * settings.hop_length, samples.size - 1)
    return first, min(samples.size, (int(loud[-1]) + 1) * settings.hop_length)


def _emphasised(samples: NDArray[np.float32], coefficient: float) -> NDArray[np.float32]:
    """Return y[n] = x[n] - c x[n-1]; the sample before the first counts as 0."""
    emphasised = samples.copy()
    emphasised[1:] -= np.float32(coefficient) * samples[:-1]
    return emphasised


def stretch_time(features: NDArray[np.float32], n_frames: int) -> NDArray[np.float32]:
    """Interpolate linearly between frames; the first and the last do not change."""
    position = np.linspace(0, len(features) - 1, n_frames)
    before = np.minimum(position.astype(np.intp), len(features) - 1)
    after = np.minimum(before + 1, len(features) - 1)
    share = (position - before).astype(np.float32)[:, np.newaxis]
    stretched: NDArray[np.float32] = (1 - share) * features[before] + share * features[after]
    return stretched
