"""Equalizer: some frequency bands are cut or boosted, as by another microphone or line."""

from typing import Annotated

import numpy as np
from pydantic import Field

from augmentation.transforms import Parameters, Samples
from augmentation.transforms._frame import apply_frozen
from augmentation.transforms._options import Hertz, Share, draw_frequency, draw_ratio

PROBABILITY: Annotated[
    Share, Field(description="Share of the copies in which some frequency bands are cut or boosted (0 to 1).")
] = 0.5

BandCount = Annotated[int, Field(ge=1, le=20)]
Change = Annotated[float, Field(gt=0, le=40, allow_inf_nan=False)]
Quality = Annotated[float, Field(ge=0.1, le=30, allow_inf_nan=False)]


def draw(
    rng: np.random.Generator,
    sample_rate_hz: int,
    *,
    min_bands: Annotated[BandCount, Field(description="Fewest bands (number).")] = 1,
    max_bands: Annotated[BandCount, Field(description="Most bands (number).")] = 3,
    min_hz: Annotated[Hertz, Field(description="Lowest centre of a band (Hz).")] = 80,
    max_hz: Annotated[Hertz, Field(description="Highest centre of a band (Hz).")] = 8000,
    min_change_db: Annotated[Change, Field(description="Smallest cut or boost of a band at its centre (dB).")] = 4,
    max_change_db: Annotated[Change, Field(description="Largest (dB).")] = 10,
    min_q: Annotated[Quality, Field(description="Lowest quality of a band: its centre over its width.")] = 0.7,
    max_q: Annotated[Quality, Field(description="Highest quality.")] = 3,
) -> Parameters:
    """Draw the bands; cut and boost are equally likely for each.

    No centre is above 0.45 times the sample rate.

    Returns:
        centres_hz, gains_db, qs: lists with one value per band.
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
