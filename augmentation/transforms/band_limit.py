"""Band limits: the highs, the lows or both are missing, as on a telephone or a small loudspeaker."""

import numpy as np

from augmentation.transforms import Parameters, Samples
from augmentation.transforms._frame import apply_frozen
from augmentation.transforms._options import Hertz, draw_frequency

PROBABILITY = 0.2

_ROLLOFF_DB_PER_OCTAVE = 24
_KINDS = ("low_pass", "high_pass", "both")


def draw(
    rng: np.random.Generator,
    sample_rate_hz: int,
    *,
    min_low_pass_hz: Hertz = 2500.0,
    max_low_pass_hz: Hertz = 7000.0,
    min_high_pass_hz: Hertz = 100.0,
    max_high_pass_hz: Hertz = 500.0,
) -> Parameters:
    """Draw which end is cut off, and where; low pass, high pass and both are as likely.

    Args:
        rng: Draws.
        sample_rate_hz: Rate of the samples; no corner lies above 0.45 of it.
        min_low_pass_hz: Lowest corner of the low pass.
        max_low_pass_hz: Highest corner of the low pass.
        min_high_pass_hz: Lowest corner of the high pass.
        max_high_pass_hz: Highest corner of the high pass.

    Returns:
        low_pass_hz, high_pass_hz: None where that end stays.
    """
    kind = _KINDS[rng.integers(len(_KINDS))]
    low_pass_hz = draw_frequency(rng, min_low_pass_hz, max_low_pass_hz, sample_rate_hz)
    high_pass_hz = draw_frequency(rng, min_high_pass_hz, max_high_pass_hz, sample_rate_hz)
    return {
        "low_pass_hz": None if kind == "high_pass" else low_pass_hz,
        "high_pass_hz": None if kind == "low_pass" else high_pass_hz,
    }


def apply(samples: Samples, sample_rate_hz: int, *, low_pass_hz: float | None, high_pass_hz: float | None) -> Samples:
    """Return the samples, float32 (n_samples,), through Butterworth filters of 24 dB per octave."""
    from audiomentations import HighPassFilter, LowPassFilter

    for kind, corner_hz in ((LowPassFilter, low_pass_hz), (HighPassFilter, high_pass_hz)):
        if corner_hz is not None:
            samples = apply_frozen(kind(p=1.0), samples, sample_rate_hz, cutoff_freq=corner_hz, rolloff=_ROLLOFF_DB_PER_OCTAVE)
    return samples
