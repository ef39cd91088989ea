"""Spectrograms with numpy and scipy, equal to librosa's, from which the kinds of features are computed.

Windows, filterbanks and cosine matrices are made once per process; frames are centred as librosa centres them (the signal is
continued with n_fft // 2 zeros on both sides, frame t is centred on sample t * hop_length).
"""

import math
from functools import lru_cache
from typing import TypeVar

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from preprocessing.features.feature_settings import FeatureSettings
from xval.base.errors import SettingsError

AnyCount = TypeVar("AnyCount", int, NDArray[np.int64])

# Powers below this count as this before the logarithm (librosa's amin).
SMALLEST_POWER = 1e-10

# The usual windows, w[n] = sum of weight k times cos(2 pi k n / N). scipy makes the others; it is asked only then, because
# importing scipy.signal takes as long as extracting a thousand clips.
_COSINE_WINDOWS = {"hann": (0.5, -0.5), "hamming": (0.54, -0.46), "blackman": (0.42, -0.5, 0.08)}

# Long recordings are transformed in blocks that fit a core's cache.
BLOCK_FRAMES = 256


def count_frames(n_samples: AnyCount, settings: FeatureSettings) -> AnyCount:
    """Return how many frames `extract` makes of a clip of this length (or of each of many), before any stretching."""
    return 1 + (n_samples - settings.n_fft % 2) // settings.hop_length


def centred_frames(samples: NDArray[np.float32], n_samples: int, settings: FeatureSettings) -> NDArray[np.float32]:
    """Return the frames of the samples followed by zeros up to n_samples, without those at the end that hold zeros alone.

    Args:
        samples: float32 (n,), n up to n_samples.
        n_samples: Length of the padded clip.
        settings: They have the length of a frame and the step.

    Returns:
        float32 (n_sounding, n_fft), a view; n_sounding is at most `count_frames`.
    """
    n_fft, hop, half = settings.n_fft, settings.hop_length, settings.n_fft // 2
    n_sounding = min(count_frames(n_samples, settings), 1 + (samples.size + half - 1) // hop)
    padded = np.zeros((n_sounding - 1) * hop + n_fft, dtype=np.float32)
    reached = samples[: padded.size - half]
    padded[half : half + reached.size] = reached
    return sliding_window_view(padded, n_fft)[::hop]


def spectrogram(
    samples: NDArray[np.float32], n_samples: int, settings: FeatureSettings, filters: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """Return magnitudes to the power, filtered, of the samples followed by zeros up to n_samples.

    Args:
        samples: float32 (n,), n up to n_samples.
        n_samples: Length of the padded clip.
        settings: What to compute.
        filters: float32 (1 + n_fft // 2, n_mels), or None for the spectrum itself.

    Returns:
        float32 (n_frames, n_mels or 1 + n_fft // 2).
    """
    frames = centred_frames(samples, n_samples, settings)
    n_frames, n_sounding, half = count_frames(n_samples, settings), len(frames), settings.n_fft // 2
    window = analysis_window(settings)
    spectra = np.zeros((n_frames, half + 1 if filters is None else filters.shape[1]), dtype=np.float32)
    for first in range(0, n_sounding, BLOCK_FRAMES):
        block = slice(first, min(first + BLOCK_FRAMES, n_sounding))
        spectrum = scipy.fft.rfft(frames[block] * window, axis=1, overwrite_x=True)
        powers = np.square(spectrum.real) + np.square(spectrum.imag)
        if settings.power != 2:
            powers = np.power(powers, np.float32(settings.power / 2))
        spectra[block] = powers if filters is None else powers @ filters
    return spectra


def decibels(values: NDArray[np.float32], settings: FeatureSettings) -> NDArray[np.float32]:
    """Return 10 log10 of the power, 0 dB being the reference, which is given in the unit of the values.

    For ``power = 2`` this is librosa's ``power_to_db``, for ``power = 1`` its ``amplitude_to_db``.
    """
    smallest = max(SMALLEST_POWER ** (settings.power / 2), float(np.finfo(np.float32).tiny))
    factor = 20 / settings.power
    # The natural logarithm: numpy computes it several times faster than that to the base of 10.
    values_db = np.log(np.maximum(values, np.float32(smallest)))
    values_db *= np.float32(factor / math.log(10))
    if settings.db_reference == "max":
        values_db -= values_db.max()
    else:
        values_db -= np.float32(factor * math.log10(max(smallest, settings.db_reference)))
    if settings.top_db is not None:
        np.maximum(values_db, values_db.max() - np.float32(settings.top_db), out=values_db)
    return values_db


def analysis_window(settings: FeatureSettings) -> NDArray[np.float32]:
    """Return the periodic analysis window, float32 (n_fft,), zero outside its length in the middle."""
    return _window(settings.window, settings.win_length, settings.n_fft)


@lru_cache(maxsize=8)
def _window(name: str, win_length: int, n_fft: int) -> NDArray[np.float32]:
    """Return the periodic analysis window, centred in n_fft samples."""
    if name in _COSINE_WINDOWS:
        phase = 2 * np.pi * np.arange(win_length) / win_length
        window = sum(weight * np.cos(k * phase) for k, weight in enumerate(_COSINE_WINDOWS[name]))
    else:
        from scipy.signal import get_window

        try:
            window = get_window(name, win_length, fftbins=True)
        except (ValueError, TypeError) as error:
            raise SettingsError(f"window: scipy has no window '{name}' ({error}). Usual: hann, hamming, blackman.") from error
    before = (n_fft - win_length) // 2
    return np.pad(window, (before, n_fft - win_length - before)).astype(np.float32)


def mel_filters(settings: FeatureSettings) -> NDArray[np.float32]:
    """Return the mel filters that the settings ask for, float32 (1 + n_fft // 2, n_mels)."""
    highest_hz = settings.sample_rate_hz / 2 if settings.fmax_hz is None else settings.fmax_hz
    return _make_filters(
        settings.sample_rate_hz, settings.n_fft, settings.n_mels, settings.fmin_hz, highest_hz, settings.mel_scale
    )


@lru_cache(maxsize=8)
def _make_filters(
    sample_rate_hz: int, n_fft: int, n_mels: int, fmin_hz: float, fmax_hz: float, mel_scale: str
) -> NDArray[np.float32]:
    """Return triangles of unit area over frequency, whose corners are equally spaced on the mel scale.

    Scales: ``slaney``, linear to 1 kHz and logarithmic above (Slaney, Auditory Toolbox, 1998); ``htk``, 2595 log10(1 + f / 700)
    (O'Shaughnessy, Speech Communication, 1987).
    """
    to_mel, to_hz = (_htk_mel, _htk_hz) if mel_scale == "htk" else (_slaney_mel, _slaney_hz)
    corners_hz = to_hz(np.linspace(to_mel(fmin_hz), to_mel(fmax_hz), n_mels + 2))
    bins_hz = np.arange(1 + n_fft // 2)[:, np.newaxis] * (sample_rate_hz / n_fft)
    low, middle, high = corners_hz[:-2], corners_hz[1:-1], corners_hz[2:]
    rising, falling = (bins_hz - low) / (middle - low), (high - bins_hz) / (high - middle)
    filters = np.maximum(0, np.minimum(rising, falling)) * (2 / (high - low))
    n_empty = int((filters.max(axis=0) == 0).sum())
    if n_empty:
        raise SettingsError(
            f"n_mels={n_mels} with n_fft={n_fft} at {sample_rate_hz} Hz from {fmin_hz:g} to {fmax_hz:g} Hz: {n_empty} mel "
            f"filters are narrower than the {sample_rate_hz / n_fft:g} Hz between two bins and would always be empty. Lower "
            "n_mels or raise n_fft."
        )
    return np.ascontiguousarray(filters, dtype=np.float32)


def _htk_mel(frequency_hz: float) -> float:
    return 2595 * math.log10(1 + frequency_hz / 700)


def _htk_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return 700 * (10 ** (mel / 2595) - 1)


_SLANEY_HZ_PER_MEL = 200 / 3
_SLANEY_BREAK_HZ = 1000.0
_SLANEY_BREAK_MEL = _SLANEY_BREAK_HZ / _SLANEY_HZ_PER_MEL
_SLANEY_MEL_PER_LOG = 27 / math.log(6.4)


def _slaney_mel(frequency_hz: float) -> float:
    if frequency_hz < _SLANEY_BREAK_HZ:
        return frequency_hz / _SLANEY_HZ_PER_MEL
    return _SLANEY_BREAK_MEL + math.log(frequency_hz / _SLANEY_BREAK_HZ) * _SLANEY_MEL_PER_LOG


def _slaney_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    logarithmic = _SLANEY_BREAK_HZ * np.exp((mel - _SLANEY_BREAK_MEL) / _SLANEY_MEL_PER_LOG)
    return np.where(mel < _SLANEY_BREAK_MEL, mel * _SLANEY_HZ_PER_MEL, logarithmic)
