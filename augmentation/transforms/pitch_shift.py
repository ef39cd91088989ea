"""Pitch shift: higher or, where it is negative, lower, at the same speed."""

from augmentation.transforms import Samples
from augmentation.transforms._frame import apply_frozen, draw_between
from augmentation.transforms._options import limited

PROBABILITY = 0.2

draw = draw_between("semitones", limited(ge=-24, le=24), min_semitones=-2.0, max_semitones=2.0)


def apply(samples: Samples, sample_rate_hz: int, *, semitones: float) -> Samples:
    """Return the samples, float32 (n_samples,), shifted by so many semitones."""
    from audiomentations import PitchShift

    return apply_frozen(PitchShift(p=1.0), samples, sample_rate_hz, num_semitones=semitones)
