"""Hand-crafted features of a sound: 34 short-term features, their deltas, and the statistics of both (`FEATURE_NAMES`).

The set is that of pyAudioAnalysis (Giannakopoulos 2015, "pyAudioAnalysis: an open-source Python library for audio signal
analysis"): frames of 50 ms every 10 ms; mean and standard deviation over segments of about 1 s, averaged over the example,
136 numbers. The mel and chroma filters are librosa's, so the values are not those of pyAudioAnalysis digit for digit.
"""

import warnings
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.fft import dct, rfft

SHORT_TERM_VERSION = 1
"""Version of the features, increased when a value changes, so that stored features are computed again."""

FRAME_S, STEP_S, STRETCH_S = 0.05, 0.01, 1.0
_N_MFCC, _N_MELS, _N_CHROMA = 13, 40, 12
_N_SUBFRAMES = 10
_ROLLOFF_SHARE = 0.9
_FRAMES_AT_ONCE = 2048
_TINY = 1e-10

_FIRST = ("zcr", "energy", "energy_entropy", "centroid", "spread", "spectral_entropy", "flux", "rolloff")
SHORT_TERM_NAMES: tuple[str, ...] = (
    *_FIRST,
    *(f"mfcc_{number}" for number in range(1, 1 + _N_MFCC)),
    *(f"chroma_{number}" for number in range(1, 1 + _N_CHROMA)),
    "chroma_std",
)
FEATURE_NAMES: tuple[str, ...] = tuple(
    f"{name}_{statistic}"
    for statistic in ("mean", "std")
    for name in (*SHORT_TERM_NAMES, *(f"delta_{name}" for name in SHORT_TERM_NAMES))
)


def basic_features(samples: NDArray[np.float32], sample_rate_hz: int) -> NDArray[np.float32]:
    """Return the statistics of the short-term features of one example.

    Args:
        samples: float32 (n_samples,), at least one.
        sample_rate_hz: Their rate.

    Returns:
        float32 (136,): means of the 34 features and 34 deltas, then their standard deviations.
    """
    features = short_term_features(samples, sample_rate_hz)
    # What the first frame would be compared with is not known: its difference is 0, as in pyAudioAnalysis.
    deltas = np.diff(features, axis=0, prepend=features[:1])
    values = np.concatenate([features, deltas], axis=1)
    segments = np.array_split(values, max(1, round(len(values) * STEP_S / STRETCH_S)))
    means = np.mean([segment.mean(axis=0) for segment in segments], axis=0)
    deviations = np.mean([segment.std(axis=0) for segment in segments], axis=0)
    return np.concatenate([means, deviations]).astype(np.float32)


def short_term_features(samples: NDArray[np.float32], sample_rate_hz: int) -> NDArray[np.float64]:
    """Return the features of each frame.

    zcr: share of neighbouring samples of different sign. energy: mean square. energy_entropy: entropy (bits) of the energies of
    ten parts of the frame. centroid, spread: mean and deviation of the magnitude spectrum as shares of half the sample rate.
    spectral_entropy: entropy (bits) of the energies of ten parts of the spectrum. flux: squared distance to the normalised
    spectrum of the frame before; 0 in the first. rolloff: share of the bins below which 90 % of the energy lie. mfcc: of 40 mel
    bands, in dB. chroma: share of the energy of each pitch class; chroma_std: their deviation.

    Args:
        samples: float32 (n_samples,); fewer than one frame are followed by silence.
        sample_rate_hz: Their rate.

    Returns:
        float64 (n_frames, 34), in the order of `SHORT_TERM_NAMES`.
    """
    n_frame, n_step = (max(1, round(length_s * sample_rate_hz)) for length_s in (FRAME_S, STEP_S))
    padded = np.pad(samples, (0, max(0, n_frame - len(samples))))
    frames = sliding_window_view(padded, n_frame)[::n_step]
    blocks: list[NDArray[np.float64]] = []
    before: NDArray[np.float64] | None = None
    for first in range(0, len(frames), _FRAMES_AT_ONCE):
        block = frames[first : first + _FRAMES_AT_ONCE].astype(np.float64)
        magnitudes = np.abs(rfft(block * np.hamming(n_frame), axis=1)) / n_frame
        shares = magnitudes / (magnitudes.sum(axis=1, keepdims=True) + _TINY)
        previous = np.concatenate([shares[:1] if before is None else before, shares[:-1]])
        before = shares[-1:]
        flux = ((shares - previous) ** 2).sum(axis=1)
        blocks.append(
            np.column_stack([_sample_features(block), _spectrum_features(magnitudes, shares, flux, sample_rate_hz, n_frame)])
        )
    return np.concatenate(blocks)


def _sample_features(frames: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return zcr, energy and entropy of energy, float64 (n_frames, 3)."""
    crossings = np.mean(np.diff(np.signbit(frames), axis=1), axis=1) if frames.shape[1] > 1 else np.zeros(len(frames))
    return np.column_stack([crossings, np.mean(frames**2, axis=1), _entropy(frames**2)])


def _spectrum_features(
    magnitudes: NDArray[np.float64],
    shares: NDArray[np.float64],
    flux: NDArray[np.float64],
    sample_rate_hz: int,
    n_frame: int,
) -> NDArray[np.float64]:
    """Return what is made of magnitude spectra (n_frames, n_bins), float64 (n_frames, 31)."""
    power = magnitudes**2
    position = np.arange(magnitudes.shape[1]) / max(1, magnitudes.shape[1] - 1)
    centroid = shares @ position
    spread = np.sqrt(np.maximum(shares @ position**2 - centroid**2, 0))
    rolloff = np.mean(np.cumsum(power, axis=1) < _ROLLOFF_SHARE * power.sum(axis=1, keepdims=True), axis=1)
    mel, pitch = _filters(sample_rate_hz, n_frame)
    decibels = 10 * np.log10(np.maximum(power @ mel, _TINY))
    mfcc = dct(decibels, axis=1, norm="ortho")[:, :_N_MFCC]
    chroma = power @ pitch
    chroma /= chroma.sum(axis=1, keepdims=True) + _TINY
    return np.column_stack([centroid, spread, _entropy(power), flux, rolloff, mfcc, chroma, chroma.std(axis=1)])


def _entropy(energies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the entropy in bits of how energies (n_frames, n) are spread over ten parts of each row; 0 where there is none."""
    n_parts = min(_N_SUBFRAMES, energies.shape[1])
    starts = np.linspace(0, energies.shape[1], n_parts, endpoint=False).astype(np.intp)
    parts = np.add.reduceat(energies, starts, axis=1)
    shares = parts / (parts.sum(axis=1, keepdims=True) + _TINY)
    entropy: NDArray[np.float64] = -(shares * np.log2(shares + _TINY)).sum(axis=1)
    return np.maximum(entropy, 0)


@lru_cache(maxsize=4)
def _filters(sample_rate_hz: int, n_frame: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return librosa's mel filters (n_bins, 40) and pitch classes (n_bins, 12), float64."""
    from librosa.filters import chroma, mel

    with warnings.catch_warnings():
        # At low rates the lowest mel bands are narrower than a bin and stay empty, which does no harm here.
        warnings.filterwarnings("ignore", message="Empty filters")
        bands = mel(sr=sample_rate_hz, n_fft=n_frame, n_mels=_N_MELS, dtype=np.float64)
    pitch = chroma(sr=sample_rate_hz, n_fft=n_frame, n_chroma=_N_CHROMA, tuning=0.0, dtype=np.float64)
    return np.ascontiguousarray(bands.T), np.ascontiguousarray(pitch.T)
