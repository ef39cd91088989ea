"""Pitch shift: higher or, if it is negative, lower, at the same speed."""

from typing import Annotated

from pydantic import Field

from augmentation.transforms import Samples
from augmentation.transforms._frame import apply_frozen, draw_between
from augmentation.transforms._options import Share, limited

PROBABILITY: Annotated[Share, Field(description="Share of the copies that are higher or lower (0 to 1).")] = 0.2

draw = draw_between(
    "semitones",
    limited(ge=-24, le=24),
    min_semitones=Field(-2, description="Lowest shift (semitones, negative: downwards)."),
    max_semitones=Field(2, description="Highest shift (semitones)."),
)


def apply(samples: Samples, sample_rate_hz: int, *, semitones: float) -> Samples:
    """Return samples, float32 (n_samples,), with a pitch that is shifted by ``semitones``."""
    from audiomentations import PitchShift

    return apply_frozen(PitchShift(p=1.0), samples, sample_rate_hz, num_semitones=semitones)
