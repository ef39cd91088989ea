"""Gain: the copy is softer. All other transforms keep the peak, this one lowers it."""

from typing import Annotated

from pydantic import Field

from augmentation.transforms import Samples
from augmentation.transforms._frame import apply_frozen, draw_between
from augmentation.transforms._options import Share, limited

PROBABILITY: Annotated[
    Share, Field(description="Share of the copies that are softer than the others (0 to 1); all others have a peak of 0.99.")
] = 0.3
CHANGES_LEVEL = True

# At most 0 dB, because the file is peak normalised already and would clip.
draw = draw_between(
    "gain_db",
    limited(ge=-60, le=0),
    min_db=Field(-12, description="Lowest gain (dB, at most 0)."),
    max_db=Field(-1, description="Highest gain (dB, at most 0)."),
)


def apply(samples: Samples, sample_rate_hz: int, *, gain_db: float) -> Samples:
    """Return samples, float32 (n_samples,), scaled by a gain in dB."""
    from audiomentations import Gain

    return apply_frozen(Gain(p=1.0), samples, sample_rate_hz, amplitude_ratio=10 ** (gain_db / 20))
