"""Gain: the copy is recorded more softly. All other transforms keep the peak, this one lowers it."""

from augmentation.transforms import Samples
from augmentation.transforms._frame import apply_frozen, draw_between
from augmentation.transforms._options import limited

PROBABILITY = 0.3
CHANGES_LEVEL = True

# The file is peak normalised already, so that any gain above 0 dB would clip it.
draw = draw_between("gain_db", limited(ge=-60, le=0), min_db=-12.0, max_db=-1.0)


def apply(samples: Samples, sample_rate_hz: int, *, gain_db: float) -> Samples:
    """Return the samples, float32 (n_samples,), times the gain in dB."""
    from audiomentations import Gain

    return apply_frozen(Gain(p=1.0), samples, sample_rate_hz, amplitude_ratio=10 ** (gain_db / 20))
