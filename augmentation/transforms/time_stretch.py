"""Time stretch: faster (a rate above 1) or slower, at the same pitch. The length changes with the rate."""

from augmentation.transforms import Samples
from augmentation.transforms._frame import apply_frozen, draw_between
from augmentation.transforms._options import draw_ratio, limited

PROBABILITY = 0.3
CHANGES_LENGTH = True

# Below 0.5 the stretcher (Signalsmith Stretch) draws from a generator of its own, and no two runs give the same samples.
draw = draw_between("rate", limited(ge=0.5, le=2), draw_ratio, min_rate=0.9, max_rate=1.1)


def apply(samples: Samples, sample_rate_hz: int, *, rate: float) -> Samples:
    """Return the samples, float32 (n_samples,), at this speed: float32 (about n_samples / rate,)."""
    from audiomentations import TimeStretch

    stretch = TimeStretch(min_rate=rate, max_rate=rate, leave_length_unchanged=False, p=1.0)
    return apply_frozen(stretch, samples, sample_rate_hz, rate=rate)
