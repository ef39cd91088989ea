"""The kinds of features, a function each, with the same values as in librosa where librosa has them.

Each returns float32 (n_frames, n_bins), with the same frames for all kinds (`count_frames`), and a name for each bin.
"""

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.features.pitch import pitch
from preprocessing.features.spectrogram import centred_frames, count_frames, decibels, mel_filters, spectrogram
from xval.base.errors import SettingsError

Make = Callable[[NDArray[np.float32], int, FeatureSettings], NDArray[np.float32]]

_PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_N_CHROMA = len(_PITCH_CLASSES)
_ROLLOFF_SHARE = 0.85
_CONTRAST_FROM_HZ, _CONTRAST_BANDS, _CONTRAST_SHARE = 200.0, 6, 0.02
_SMALLEST_POWER = 1e-10


def _mel(samples: NDArray[np.float32], n_samples: int, settings: FeatureSettings) -> NDArray[np.float32]:
    return spectrogram(samples, n_samples, settings, mel_filters(settings))


def logmel(samples: NDArray[np.float32], n_samples: int, settings: FeatureSettings) -> NDArray[np.float32]:
    """Return the mel spectrogram, n_mels bins, in dB or linear."""
    return _scaled(_mel(samples, n_samples, settings), settings)


def stft(samples: NDArray[np.float32], n_samples: int, settings: FeatureSettings) -> NDArray[np.float32]:
    """Return the spectrogram, 1 + n_fft // 2 bins, in dB or linear."""
    return _scaled(spectrogram(samples, n_samples, settings, None), settings)


def mfcc(samples: NDArray[np.float32], n_samples: int, settings: FeatureSettings) -> NDArray[np.float32]:
    """Return the first n_mfcc coefficients of the orthonormal cosine transform of the mel spectrogram in dB."""
    values_db = decibels(_mel(samples, n_samples, settings), settings)
    coefficients: NDArray[np.float32] = scipy.fft.dct(values_db, type=2, norm="ortho", axis=1)[:, : settings.n_mfcc]
    return coefficients


def chroma(samples: NDArray[np.float32], n_samples: int, settings: FeatureSettings) -> NDArray[np.float32]:
    """Return the power in the 12 pitch classes from C on, the strongest of a frame being 1; silence has 0.

    As ``librosa.feature.chroma_stft`` with ``tuning=0``.
    """
    powers = _powers(samples, n_samples, settings) @ _chroma_filters(settings.sample_rate_hz, settings.n_fft)
    strongest = powers.max(axis=1, keepdims=True)
    return (powers / np.where(strongest < np.finfo(np.float32).tiny, 1, strongest)).astype(np.float32)


def f0(samples: NDArray[np.float32], n_samples: int, settings: FeatureSettings) -> NDArray[np.float32]:
    """Return the fundamental frequency in semitones above ``f0_min_hz``, and how periodic the frame is, 0 to 1; see `pitch`.

    Unvoiced frames and silence have 0 semitones; a network distinguishes them from a low voice by the second bin.
    """
    return _with_silence(pitch(samples, n_samples, settings), n_samples, settings)


def energy(samples: NDArray[np.float32], n_samples: int, settings: FeatureSettings) -> NDArray[np.float32]:
    """Return the mean square of the n_fft samples of a frame, in dB, or linear its root to the power."""
    frames = centred_frames(samples, n_samples, settings)
    roots: NDArray[np.float32] = np.sqrt(np.mean(np.square(frames), axis=1, keepdims=True, dtype=np.float32))
    return _scaled(_with_silence(np.power(roots, np.float32(settings.power)), n_samples, settings), settings)


def zcr(samples: NDArray[np.float32], n_samples: int, settings: FeatureSettings) -> NDArray[np.float32]:
    """Return the share of neighbouring samples of a frame that differ in sign; 0 counts as positive."""
    is_negative = centred_frames(samples, n_samples, settings) < 0
    crossings = np.count_nonzero(is_negative[:, 1:] != is_negative[:, :-1], axis=1)
    return _with_silence((crossings / settings.n_fft).astype(np.float32)[:, np.newaxis], n_samples, settings)


def spectral(samples: NDArray[np.float32], n_samples: int, settings: FeatureSettings) -> NDArray[np.float32]:
    """Return the shape of the spectrum: centroid, bandwidth and the rolloff of 85 % (Hz), and flatness (0 to 1).

    As librosa's ``spectral_centroid``, ``spectral_bandwidth``, ``spectral_rolloff`` and ``spectral_flatness``; silence has the
    centroid, bandwidth and rolloff 0 and the flatness 1.
    """
    powers = _powers(samples, n_samples, settings)
    magnitudes = np.sqrt(powers)
    bins_hz = np.fft.rfftfreq(settings.n_fft, 1 / settings.sample_rate_hz)
    total = magnitudes.sum(axis=1, keepdims=True, dtype=np.float64)
    shares = magnitudes / np.where(total == 0, 1, total)
    centroid = shares @ bins_hz
    bandwidth = np.sqrt(np.sum(shares * np.square(bins_hz - centroid[:, np.newaxis]), axis=1))
    reached = np.cumsum(magnitudes, axis=1, dtype=np.float64)
    rolloff = bins_hz[np.argmax(reached >= _ROLLOFF_SHARE * reached[:, -1:], axis=1)]
    floored = np.maximum(powers, _SMALLEST_POWER)
    flatness = np.exp(np.mean(np.log(floored), axis=1)) / np.mean(floored, axis=1)
    return np.stack([centroid, bandwidth, rolloff, flatness], axis=1).astype(np.float32)


def contrast(samples: NDArray[np.float32], n_samples: int, settings: FeatureSettings) -> NDArray[np.float32]:
    """Return how far peaks lie above valleys (dB) below 200 Hz and in the octaves above, as far as the rate reaches.

    As ``librosa.feature.spectral_contrast`` (Jiang et al. 2002, "Music type classification by spectral contrast feature").
    """
    magnitudes = np.sqrt(_powers(samples, n_samples, settings))
    columns = []
    for bins, n_extreme in contrast_bands(settings):
        band = np.sort(magnitudes[:, bins], axis=1)
        columns.append([band[:, -n_extreme:].mean(axis=1), band[:, :n_extreme].mean(axis=1)])
    peaks, valleys = np.stack(columns, axis=2)
    gain_db: NDArray[np.float32] = 10 * np.log10(np.maximum(peaks, _SMALLEST_POWER) / np.maximum(valleys, _SMALLEST_POWER))
    return gain_db


class Kind(NamedTuple):
    """A kind of features: its function, and the names of its bins."""

    make: Make
    names: Callable[[FeatureSettings], list[str]]


KINDS: dict[str, Kind] = {
    "logmel": Kind(logmel, lambda settings: [f"mel {number}" for number in range(1, settings.n_mels + 1)]),
    "stft": Kind(stft, lambda settings: [f"bin {number}" for number in range(1 + settings.n_fft // 2)]),
    "mfcc": Kind(mfcc, lambda settings: [f"mfcc {number}" for number in range(settings.n_mfcc)]),
    "chroma": Kind(chroma, lambda _: [f"chroma {name}" for name in _PITCH_CLASSES]),
    "f0": Kind(f0, lambda _: ["f0", "periodicity"]),
    "energy": Kind(energy, lambda _: ["energy"]),
    "zcr": Kind(zcr, lambda _: ["zcr"]),
    "spectral": Kind(spectral, lambda _: ["centroid", "bandwidth", "rolloff", "flatness"]),
    "contrast": Kind(
        contrast, lambda settings: [f"contrast from {low_hz:g} Hz" for low_hz in _contrast_edges_hz(settings)[:-1]]
    ),
}
"""Every kind by its name in ``features``; several are joined by ``+``, in any order."""


def bin_names(settings: FeatureSettings) -> list[str]:
    """Return the name of each bin of stored features; those of deltas end in ``delta`` and ``delta 2``."""
    names = [name for kind in settings.kinds for name in KINDS[kind].names(settings)]
    endings = ("", " delta", " delta 2")[: 1 + settings.feature_deltas]
    return [f"{name}{ending}" for ending in endings for name in names]


def with_deltas(features: NDArray[np.float32], order: int) -> NDArray[np.float32]:
    """Return features (n_frames, n_bins) with their deltas next to them, float32 (n_frames, (1 + order) * n_bins).

    A delta is the slope of a straight line through five frames; the first and last frame are continued. As
    ``librosa.feature.delta(width=5, mode="nearest")`` (Furui 1986), and deltas of deltas for order 2.
    """
    blocks = [features]
    for _ in range(order):
        padded = np.pad(blocks[-1], ((2, 2), (0, 0)), mode="edge")
        blocks.append((2 * (padded[4:] - padded[:-4]) + padded[3:-1] - padded[1:-3]) / np.float32(10))
    return np.concatenate(blocks, axis=1)


def _scaled(values: NDArray[np.float32], settings: FeatureSettings) -> NDArray[np.float32]:
    return decibels(values, settings) if settings.scale == "db" else values


def _powers(samples: NDArray[np.float32], n_samples: int, settings: FeatureSettings) -> NDArray[np.float32]:
    """Return the power spectrum, regardless of the ``power`` of other kinds."""
    return spectrogram(samples, n_samples, settings.model_copy(update={"power": 2.0}), None)


def _with_silence(values: NDArray[np.float32], n_samples: int, settings: FeatureSettings) -> NDArray[np.float32]:
    """Return values (n_sounding, n_bins) followed by zeros for frames with only padding."""
    return np.pad(values, ((0, count_frames(n_samples, settings) - len(values)), (0, 0)))


def _contrast_edges_hz(settings: FeatureSettings) -> list[float]:
    edges_hz = [0.0, *(_CONTRAST_FROM_HZ * 2**number for number in range(_CONTRAST_BANDS + 1))]
    n_below = sum(edge_hz < settings.sample_rate_hz / 2 for edge_hz in edges_hz)
    return edges_hz[: n_below + 1]


def contrast_bands(settings: FeatureSettings) -> list[tuple[slice, int]]:
    """Return the bins of each band of `contrast`, and the number of bins over which its peak and valley are averaged.

    Raises:
        SettingsError: A band is narrower than the bins of the transform.
    """
    bins_hz = np.fft.rfftfreq(settings.n_fft, 1 / settings.sample_rate_hz)
    edges_hz = _contrast_edges_hz(settings)
    bands = []
    for low_hz, high_hz in pairwise(edges_hz):
        first = max(0, int(np.searchsorted(bins_hz, low_hz)) - 1)
        stop = bins_hz.size if high_hz == edges_hz[-1] else int(np.searchsorted(bins_hz, high_hz, side="right"))
        # librosa counts the highest bin of a band, and leaves it out but of the last one.
        bins = slice(first, stop if high_hz == edges_hz[-1] else stop - 1)
        if bins.start >= bins.stop:
            raise SettingsError(
                f"features={settings.features}, n_fft={settings.n_fft} at {settings.sample_rate_hz} Hz: the band of contrast "
                f"from {low_hz:g} to {high_hz:g} Hz has no bin of the Fourier transform. Raise n_fft."
            )
        bands.append((bins, max(1, round(_CONTRAST_SHARE * (stop - first)))))
    return bands


@lru_cache(maxsize=8)
def _chroma_filters(sample_rate_hz: int, n_fft: int) -> NDArray[np.float32]:
    """Return a bump of one semitone around each pitch class, strongest around 500 Hz, float32 (1 + n_fft // 2, 12).

    As ``librosa.filters.chroma`` with ``tuning=0`` (Ellis 2007, "Chroma feature analysis and synthesis").
    """
    octaves = np.log2(np.arange(1, n_fft) * (sample_rate_hz / n_fft) / (440 / 16))
    semitones = _N_CHROMA * np.concatenate([[octaves[0] - 1.5], octaves])
    widths = np.append(np.maximum(np.diff(semitones), 1), 1)
    half = round(_N_CHROMA / 2)
    distances = np.remainder(semitones - np.arange(_N_CHROMA)[:, np.newaxis] + half + 10 * _N_CHROMA, _N_CHROMA) - half
    bumps = np.exp(-0.5 * np.square(2 * distances / widths))
    bumps /= np.sqrt(np.sum(np.square(bumps), axis=0))
    bumps *= np.exp(-0.5 * np.square((semitones / _N_CHROMA - 5) / 2))
    from_c = np.roll(bumps, -3, axis=0)
    return np.ascontiguousarray(from_c[:, : 1 + n_fft // 2].T, dtype=np.float32)
