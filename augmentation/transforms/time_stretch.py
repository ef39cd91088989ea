"""Time stretch: faster or slower, at the same pitch. The length changes with the rate."""

from typing import Annotated

import numpy as np
from pydantic import Field

from augmentation.transforms import Parameters, Samples
from augmentation.transforms._frozen import apply_frozen
from augmentation.transforms._options import draw_ratio

PROBABILITY = 0.3
CHANGES_LENGTH = True

# Below 0.5 the stretcher (Signalsmith Stretch) draws from a generator of its own, and no two runs give the same samples.
Rate = Annotated[float, Field(ge=0.5, le=2, allow_inf_nan=False)]


def draw(
    rng: np.random.Generator,
    sample_rate_hz: int,  # noqa: ARG001 - the same for all transforms
    *,
    min_rate: Rate = 0.9,
    max_rate: Rate = 1.1,
) -> Parameters:
    """Draw the rate, evenly on a logarithmic scale.

    Args:
        rng: Draws.
        sample_rate_hz: Rate of the samples.
        min_rate: Slowest speed, below 1: slower than the source.
        max_rate: Fastest speed.

    Returns:
        rate.
    """
    return {"rate": draw_ratio(rng, min_rate, max_rate)}


def apply(samples: Samples, sample_rate_hz: int, *, rate: float) -> Samples:
    """Return the samples, float32 (n_samples,), at this speed: float32 (about n_samples / rate,)."""
    from audiomentations import TimeStretch

    stretch = TimeStretch(min_rate=rate, max_rate=rate, leave_length_unchanged=False, p=1.0)
    return apply_frozen(stretch, samples, sample_rate_hz, rate=rate)
