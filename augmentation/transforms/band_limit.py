"""Band limits: high frequencies, low frequencies or both are removed, as by a telephone or a small loudspeaker."""

from typing import Annotated

import numpy as np
from pydantic import Field

from augmentation.transforms import Parameters, Samples
from augmentation.transforms._frame import apply_frozen
from augmentation.transforms._options import Hertz, Share, draw_frequency

PROBABILITY: Annotated[Share, Field(description="Share of the copies whose highs, lows or both are cut off (0 to 1).")] = 0.2

_ROLLOFF_DB_PER_OCTAVE = 24
_KINDS = ("low_pass", "high_pass", "both")


def draw(
    rng: np.random.Generator,
    sample_rate_hz: int,
    *,
    min_low_pass_hz: Annotated[Hertz, Field(description="Lowest corner of the low pass (Hz).")] = 2500,
    max_low_pass_hz: Annotated[Hertz, Field(description="Highest corner of the low pass (Hz).")] = 7000,
    min_high_pass_hz: Annotated[Hertz, Field(description="Lowest corner of the high pass (Hz).")] = 100,
    max_high_pass_hz: Annotated[Hertz, Field(description="Highest corner of the high pass (Hz).")] = 500,
) -> Parameters:
    """Draw the filters and their corner frequencies; low pass, high pass and both are equally likely.

    No corner is above 0.45 times the sample rate.

    Returns:
        low_pass_hz, high_pass_hz (Hz); None: there is no such filter.
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
