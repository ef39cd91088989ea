"""``praat``: 23 functionals of a clip, measured by Praat through the package praat-parselmouth.

They are the pitch by autocorrelation from 75 to 600 Hz (mean, standard deviation, 5th and 95th percentile, Hz), the share of
voiced frames, their intensity (the same four, dB), jitter (local, rap, ppq5), shimmer (local, apq3, apq5), harmonicity (mean
and standard deviation, dB), and the first three formants in voiced frames (mean and standard deviation, Hz). Undefined values,
such as jitter without voiced frames, are 0; the share of voiced frames shows whether there are any. Sources: Boersma 1993
(pitch, harmonicity); Boersma & Weenink, Praat; Jadoul, Thompson & de Boer 2018 (Parselmouth).
"""

from hashlib import blake2b
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.embeddings.embedder import EMBEDDINGS_VERSION, Identity
from xval.base.errors import SettingsError, how_to_install

IS_NETWORK = False

_SHORTEST_S = 0.25
_LOWEST_HZ, _HIGHEST_HZ = 75.0, 600.0
_PERIODS = (0.0, 0.0, 0.0001, 0.02, 1.3)  # the whole clip; shortest and longest period (s), largest factor between two
_LARGEST_AMPLITUDE_FACTOR = 1.6
_N_FORMANTS = 3
_UNDEFINED_DB = -200.0  # what Praat writes where there is no period


def identify(name: str) -> Identity:
    """Return the identity of the functionals: a hash of the version of the package, which includes Praat."""
    if name:
        raise SettingsError(f"embedding_model=praat:{name}: this family has one set. Write embedding_model=praat.")
    if find_spec("parselmouth") is None:
        raise SettingsError(
            f"embedding_model=praat: praat-parselmouth is not installed (GPL). Install it: {how_to_install('praat')}"
        )
    facts = (EMBEDDINGS_VERSION, "praat", version("praat-parselmouth"))
    return Identity(blake2b(repr(facts).encode(), digest_size=8).hexdigest())


def load(name: str, *, is_pooled: bool) -> "PraatFunctionals":  # noqa: ARG001
    """Return the embedder; a clip has one frame of functionals, with and without pooling."""
    identify(name)
    return PraatFunctionals()


class PraatFunctionals:
    """An `Embedder` that measures clips by Praat."""

    n_layers = 1
    device = "cpu"

    def embed(self, waveforms: NDArray[np.float32], sample_rate_hz: int, layers: tuple[int, ...]) -> NDArray[np.float32]:  # noqa: ARG002
        """Return the functionals of clips, float32 (n_clips, 1, 1, 23)."""
        missing = max(0, int(np.ceil(_SHORTEST_S * sample_rate_hz)) - waveforms.shape[1])
        padded = np.pad(waveforms, ((0, 0), (0, missing))).astype(np.float64)
        values = np.array([_measure(samples, sample_rate_hz) for samples in padded], np.float32)
        return np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)[:, np.newaxis, np.newaxis]


def _measure(samples: NDArray[np.float64], sample_rate_hz: int) -> list[float]:
    import parselmouth

    sound = parselmouth.Sound(samples, sample_rate_hz)
    pitch = sound.to_pitch(pitch_floor=_LOWEST_HZ, pitch_ceiling=_HIGHEST_HZ)
    pitch_hz = pitch.selected_array["frequency"]
    is_voiced = pitch_hz > 0
    voiced_s = pitch.xs()[is_voiced]
    intensity = sound.to_intensity(minimum_pitch=_LOWEST_HZ)
    intensity_db = np.array([intensity.get_value(time_s) for time_s in voiced_s], np.float64)
    harmonicity_db = sound.to_harmonicity_cc(minimum_pitch=_LOWEST_HZ).values[0]
    return [
        *_describe(pitch_hz[is_voiced]),
        float(is_voiced.mean()),
        *_describe(intensity_db[np.isfinite(intensity_db)]),
        *_perturbations(sound),
        *_describe(harmonicity_db[harmonicity_db > _UNDEFINED_DB])[:2],
        *_formants(sound, voiced_s),
    ]


def _describe(values: NDArray[np.float64]) -> list[float]:
    """Return mean, standard deviation, 5th and 95th percentile; NaN if there are no values."""
    if not values.size:
        return [np.nan] * 4
    return [float(values.mean()), float(values.std()), *map(float, np.percentile(values, (5, 95)))]


def _perturbations(sound: Any) -> list[float]:
    """Return jitter (relative to the mean period) and shimmer (relative to the mean amplitude), three measures each."""
    from parselmouth.praat import call

    points = call(sound, "To PointProcess (periodic, cc)", _LOWEST_HZ, _HIGHEST_HZ)
    jitter = [call(points, f"Get jitter ({kind})", *_PERIODS) for kind in ("local", "rap", "ppq5")]
    kinds = ("local", "apq3", "apq5")
    return jitter + [call([sound, points], f"Get shimmer ({kind})", *_PERIODS, _LARGEST_AMPLITUDE_FACTOR) for kind in kinds]


def _formants(sound: Any, times_s: NDArray[np.float64]) -> list[float]:
    """Return mean and standard deviation of each formant at these times (Hz)."""
    tracks = sound.to_formant_burg()
    statistics: list[float] = []
    for number in range(1, _N_FORMANTS + 1):
        at_times = np.array([tracks.get_value_at_time(number, time_s) for time_s in times_s], np.float64)
        statistics += _describe(at_times[np.isfinite(at_times)])[:2]
    return statistics
