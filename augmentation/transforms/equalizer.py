"""Equalizer: one to three bands are cut or boosted, as another microphone or line would."""

from typing import Annotated

import numpy as np
from pydantic import Field

from augmentation.transforms import Parameters, Samples
from augmentation.transforms._frame import apply_frozen
from augmentation.transforms._options import Hertz, draw_frequency, draw_ratio

PROBABILITY = 0.5

BandCount = Annotated[int, Field(ge=1, le=20)]
Change = Annotated[float, Field(gt=0, le=40, allow_inf_nan=False)]
Quality = Annotated[float, Field(ge=0.1, le=30, allow_inf_nan=False)]


def draw(
    rng: np.random.Generator,
    sample_rate_hz: int,
    *,
    min_bands: BandCount = 1,
    max_bands: BandCount = 3,
    min_hz: Hertz = 80.0,
    max_hz: Hertz = 8000.0,
    min_change_db: Change = 4.0,
    max_change_db: Change = 10.0,
    min_q: Quality = 0.7,
    max_q: Quality = 3.0,
) -> Parameters:
    """Draw the bands: each is cut or boosted with even chance.

    Args:
        rng: Draws.
        sample_rate_hz: Rate of the samples; no centre lies above 0.45 of it.
        min_bands: Fewest bands.
        max_bands: Most bands.
        min_hz: Lowest centre frequency.
        max_hz: Highest centre frequency.
        min_change_db: The least that a band is cut or boosted at its centre.
        max_change_db: The most.
        min_q: Lowest quality (centre frequency over bandwidth): the widest band.
        max_q: Highest quality.

    Returns:
        centres_hz, gains_db, qs: lists with a value per band.
    """
    n_bands = int(rng.integers(min_bands, max_bands, endpoint=True))
    return {
        "centres_hz": [draw_frequency(rng, min_hz, max_hz, sample_rate_hz) for _ in range(n_bands)],
        "gains_db": [float(rng.choice((-1, 1)) * rng.uniform(min_change_db, max_change_db)) for _ in range(n_bands)],
        "qs": [draw_ratio(rng, min_q, max_q) for _ in range(n_bands)],
    }


def apply(samples: Samples, sample_rate_hz: int, *, centres_hz: list[float], gains_db: list[float], qs: list[float]) -> Samples:
    """Return the samples, float32 (n_samples,), through a peaking filter per band."""
    from audiomentations import PeakingFilter

    for centre_hz, gain_db, q in zip(centres_hz, gains_db, qs, strict=True):
        samples = apply_frozen(
            PeakingFilter(p=1.0), samples, sample_rate_hz, center_freq=centre_hz, gain_db=gain_db, q_factor=q
        )
    return samples
