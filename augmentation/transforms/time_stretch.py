"""Time stretch: faster (a rate above 1) or slower, at the same pitch. The length changes with the rate."""

from typing import Annotated

from pydantic import Field

from augmentation.transforms import Samples
from augmentation.transforms._frame import apply_frozen, draw_between
from augmentation.transforms._options import Share, draw_ratio, limited

PROBABILITY: Annotated[
    Share, Field(description="Share of the copies that are faster or slower at the same pitch (0 to 1).")
] = 0.3
CHANGES_LENGTH = True

# At least 0.5, because below, the stretcher (Signalsmith Stretch) uses its own random numbers, and runs differ.
draw = draw_between(
    "rate",
    limited(ge=0.5, le=2),
    draw_ratio,
    min_rate=Field(0.9, description="Slowest speed (1: as the source; 0.5 to 2)."),
    max_rate=Field(1.1, description="Fastest speed (0.5 to 2)."),
)


def apply(samples: Samples, sample_rate_hz: int, *, rate: float) -> Samples:
    """Return samples, float32 (n_samples,), at another speed: float32 (about n_samples / rate,)."""
    from audiomentations import TimeStretch

    stretch = TimeStretch(min_rate=rate, max_rate=rate, leave_length_unchanged=False, p=1.0)
    return apply_frozen(stretch, samples, sample_rate_hz, rate=rate)
