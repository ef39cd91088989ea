"""Clipping: samples beyond a level are cut off, as by an overdriven input."""

from typing import Annotated

import numpy as np
from pydantic import Field

from augmentation.transforms import Samples
from augmentation.transforms._frame import apply_frozen, draw_between
from augmentation.transforms._options import Share, limited

PROBABILITY: Annotated[Share, Field(description="Share of the copies whose loudest samples are cut off (0 to 1).")] = 0.1

# The distance of the peak above the clipping level (dB).
draw = draw_between(
    "over_db",
    limited(gt=0, le=60),
    min_over_db=Field(2, description="Smallest distance of the peak above the clipping level (dB)."),
    max_over_db=Field(9, description="Largest distance (dB)."),
)


def apply(samples: Samples, sample_rate_hz: int, *, over_db: float) -> Samples:
    """Return samples, float32 (n_samples,), clipped at a level that is ``over_db`` below their peak."""
    from audiomentations import Clip

    level = float(np.abs(samples).max(initial=0.0)) * 10 ** (-over_db / 20)
    if not level:
        return samples
    return apply_frozen(Clip(a_min=-level, a_max=level, p=1.0), samples, sample_rate_hz)
