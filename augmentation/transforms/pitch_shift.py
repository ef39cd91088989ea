"""Pitch shift: higher or lower, at the same speed."""

from typing import Annotated

import numpy as np
from pydantic import Field

from augmentation.transforms import Parameters, Samples
from augmentation.transforms._frozen import apply_frozen

PROBABILITY = 0.2

Semitones = Annotated[float, Field(ge=-24, le=24, allow_inf_nan=False)]


def draw(
    rng: np.random.Generator,
    sample_rate_hz: int,  # noqa: ARG001 - the same for all transforms
    *,
    min_semitones: Semitones = -2.0,
    max_semitones: Semitones = 2.0,
) -> Parameters:
    """Draw the shift.

    Args:
        rng: Draws.
        sample_rate_hz: Rate of the samples.
        min_semitones: Lowest shift, negative: downwards.
        max_semitones: Highest shift.

    Returns:
        semitones.
    """
    return {"semitones": float(rng.uniform(min_semitones, max_semitones))}


def apply(samples: Samples, sample_rate_hz: int, *, semitones: float) -> Samples:
    """Return the samples, float32 (n_samples,), shifted by so many semitones."""
    from audiomentations import PitchShift

    return apply_frozen(PitchShift(p=1.0), samples, sample_rate_hz, num_semitones=semitones)
