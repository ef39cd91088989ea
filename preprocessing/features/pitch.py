"""The fundamental frequency of each frame (semitones) and how periodic the frame is, by YIN.

librosa.pyin smooths a path through the frames and takes 38 times as long (clips of RAVDESS at 16 kHz); librosa.yin does not say
whether a frame is voiced. The difference function of a block of frames is computed at once here, by Fourier transforms.
"""

import math

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.features.spectrogram import BLOCK_FRAMES, count_frames

# The first dip below the one is the period; a frame whose deepest dip is not below the other is unvoiced.
_FIRST_DIP, _VOICED_DIP = 0.15, 0.4
_SMALLEST_SQUARE = 1e-10


def pitch(samples: NDArray[np.float32], n_samples: int, settings: FeatureSettings) -> NDArray[np.float32]:
    """Return the pitch around the middle of each frame.

    The method is YIN (de Cheveigné & Kawahara 2002, "YIN, a fundamental frequency estimator for speech and music"). A segment
    of three periods of ``f0_min_hz`` is used, regardless of the frame length, because a voice changes within longer segments.
    The normalised difference d is 0 if the segment repeats itself exactly, and about 1 for noise.

    Args:
        samples: float32 (n,), n up to n_samples.
        n_samples: Length of the padded clip.
        settings: ``f0_min_hz`` and ``f0_max_hz`` bound the pitch.

    Returns:
        float32 (n_sounding, 2): semitones above ``f0_min_hz``, 0 where d is 0.4 or more, or the segment is silent; and 1 - d, 0
        to 1. Frames at the end with only padding are skipped.
    """
    rate_hz = settings.sample_rate_hz
    longest = math.ceil(rate_hz / settings.f0_min_hz) + 1
    shortest = max(1, math.floor(rate_hz / settings.f0_max_hz))
    segments = _frame_segments(samples, n_samples, 3 * longest, settings)
    blocks = (segments[first : first + BLOCK_FRAMES] for first in range(0, len(segments), BLOCK_FRAMES))
    return np.concatenate([_pitch_of(block, shortest, longest, settings) for block in blocks])


def _pitch_of(segments: NDArray[np.float32], shortest: int, longest: int, settings: FeatureSettings) -> NDArray[np.float32]:
    """Return the pitch of segments, float32 (n_frames, 2), whose period has from `shortest` to `longest` samples."""
    rate_hz = settings.sample_rate_hz
    dips = _normalised_difference(segments, longest)[:, shortest:]
    is_dip = (dips[:, 1:-1] <= dips[:, :-2]) & (dips[:, 1:-1] < dips[:, 2:])
    is_deep = is_dip & (dips[:, 1:-1] < _FIRST_DIP)
    place = 1 + np.where(is_deep.any(axis=1), is_deep.argmax(axis=1), dips[:, 1:-1].argmin(axis=1))
    before, at, behind = (dips[np.arange(len(dips)), place + step] for step in (-1, 0, 1))
    bend = before - 2 * at + behind
    offset = np.clip(np.where(bend > 0, (before - behind) / (2 * np.where(bend > 0, bend, 1)), 0), -0.5, 0.5)
    semitones = 12 * np.log2(rate_hz / (shortest + place + offset) / settings.f0_min_hz)
    is_sounding = np.mean(np.square(segments), axis=1) > _SMALLEST_SQUARE
    is_voiced = is_sounding & (at < _VOICED_DIP)
    periodicity = np.where(is_sounding, np.clip(1 - at, 0, 1), 0)
    return np.stack([np.where(is_voiced, np.maximum(semitones, 0), 0), periodicity], axis=1).astype(np.float32)


def _frame_segments(
    samples: NDArray[np.float32], n_samples: int, length: int, settings: FeatureSettings
) -> NDArray[np.float32]:
    """Return the samples around the middle of each frame, float32 (n_sounding, length)."""
    n_sounding = min(count_frames(n_samples, settings), 1 + (samples.size + settings.n_fft // 2 - 1) // settings.hop_length)
    padded = np.zeros(max((n_sounding - 1) * settings.hop_length, samples.size) + length, np.float32)
    padded[length // 2 : length // 2 + samples.size] = samples
    return sliding_window_view(padded, length)[:: settings.hop_length][:n_sounding]


def _normalised_difference(segments: NDArray[np.float32], longest: int) -> NDArray[np.float64]:
    """Return YIN's cumulative mean normalised difference for lags 0 to longest, float64 (n_frames, longest + 1)."""
    width = segments.shape[1] - longest
    values = segments.astype(np.float64)
    size = scipy.fft.next_fast_len(segments.shape[1], real=True)
    products = scipy.fft.rfft(values, size) * np.conj(scipy.fft.rfft(values[:, :width], size))
    correlation = scipy.fft.irfft(products, size)[:, : longest + 1]
    energy_until = np.pad(np.cumsum(np.square(values), axis=1), ((0, 0), (1, 0)))
    energies = energy_until[:, width : width + longest + 1] - energy_until[:, : longest + 1]
    difference = np.maximum(energies[:, :1] + energies - 2 * correlation, 0)
    normalised: NDArray[np.float64] = np.ones_like(difference)
    sums = np.cumsum(difference[:, 1:], axis=1)
    normalised[:, 1:] = difference[:, 1:] * np.arange(1, longest + 1) / np.where(sums > 0, sums, 1)
    return normalised
