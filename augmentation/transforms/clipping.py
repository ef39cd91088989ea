"""Clipping: the loudest samples are cut off, as by an overdriven input."""

from typing import Annotated

import numpy as np
from pydantic import Field

from augmentation.transforms import Parameters, Samples
from augmentation.transforms._frozen import apply_frozen

PROBABILITY = 0.1

Overdrive = Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)]


def draw(
    rng: np.random.Generator,
    sample_rate_hz: int,  # noqa: ARG001 - the same for all transforms
    *,
    min_over_db: Overdrive = 2.0,
    max_over_db: Overdrive = 9.0,
) -> Parameters:
    """Draw the level of the clipping.

    Args:
        rng: Draws.
        sample_rate_hz: Rate of the samples.
        min_over_db: The least that the peak lies above the level at which the samples are cut off.
        max_over_db: The most.

    Returns:
        over_db.
    """
    return {"over_db": float(rng.uniform(min_over_db, max_over_db))}


def apply(samples: Samples, sample_rate_hz: int, *, over_db: float) -> Samples:
    """Return the samples, float32 (n_samples,), cut off this far (dB) below their peak."""
    from audiomentations import Clip

    level = float(np.abs(samples).max(initial=0.0)) * 10 ** (-over_db / 20)
    if not level:
        return samples
    return apply_frozen(Clip(a_min=-level, a_max=level, p=1.0), samples, sample_rate_hz)
