"""Gain: the copy is recorded more softly. All other transforms keep the peak, this one lowers it."""

from typing import Annotated

import numpy as np
from pydantic import Field

from augmentation.transforms import Parameters, Samples
from augmentation.transforms._frozen import apply_frozen

PROBABILITY = 0.3
CHANGES_LEVEL = True

# The file is peak normalised already, so that any gain above 0 dB would clip it.
Attenuation = Annotated[float, Field(ge=-60, le=0, allow_inf_nan=False)]


def draw(
    rng: np.random.Generator,
    sample_rate_hz: int,  # noqa: ARG001 - the same for all transforms
    *,
    min_db: Attenuation = -12.0,
    max_db: Attenuation = -1.0,
) -> Parameters:
    """Draw the gain.

    Args:
        rng: Draws.
        sample_rate_hz: Rate of the samples.
        min_db: Lowest gain.
        max_db: Highest gain, at most 0.

    Returns:
        gain_db.
    """
    return {"gain_db": float(rng.uniform(min_db, max_db))}


def apply(samples: Samples, sample_rate_hz: int, *, gain_db: float) -> Samples:
    """Return the samples, float32 (n_samples,), times the gain in dB."""
    from audiomentations import Gain

    return apply_frozen(Gain(p=1.0), samples, sample_rate_hz, amplitude_ratio=10 ** (gain_db / 20))
