"""Draw the transforms of one augmented copy, with order and parameters, from a seed and the file's name, and apply them."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from augmentation.offline_settings import AugmentationSettings
from augmentation.seeding import make_generator
from augmentation.transforms import Parameters, Samples, find_transform

PEAK = 0.99
"""Peak to which files are normalised; full scale is 1."""


@dataclass(frozen=True)
class Step:
    """One transform of a copy, with its parameters."""

    name: str
    parameters: Parameters


def draw_steps(settings: AugmentationSettings, *, seed: int, path: str, copy: int, sample_rate_hz: int) -> tuple[Step, ...]:
    """Draw the transforms of one copy: a random subset in random order.

    Every transform draws from its own generator, so that a change of the range or probability of one transform does not affect
    the others. If fewer than min_transforms are drawn, the transforms that came closest to being drawn are used as well.

    Args:
        settings: Probabilities and ranges.
        seed: Seed of the run.
        path: Path of the source, relative to the input folder, posix.
        copy: Number of the copy, from 1.
        sample_rate_hz: Sample rate of the source (Hz).

    Returns:
        The steps, in the order of their use.
    """
    drawn: list[tuple[float, float, Step]] = []
    for name, probability in settings.probabilities.items():
        if not probability:
            continue
        rng = make_generator(seed, path, copy, name)
        # Used where it is below 1, which happens with this probability.
        chance, place = rng.random() / probability, rng.random()
        drawn.append((chance, place, Step(name, find_transform(name).draw(rng, sample_rate_hz, **settings.options[name]))))
    drawn.sort(key=lambda chosen: chosen[0])
    n_drawn = sum(chance < 1 for chance, _, _ in drawn)
    used = drawn[: max(n_drawn, settings.min_transforms)]
    return tuple(step for _, _, step in sorted(used, key=lambda chosen: chosen[1]))


def apply_steps(samples: Samples, sample_rate_hz: int, steps: Iterable[Step]) -> Samples:
    """Return samples after all steps.

    Args:
        samples: float32 (n_samples,), mono, full scale is -1 to 1.
        sample_rate_hz: Sample rate (Hz).
        steps: The steps from `draw_steps`.

    Returns:
        float32 (n_samples,), with another number of samples after a time stretch. The peak stays the same, except after a
        transform that changes the level.
    """
    for step in steps:
        transform = find_transform(step.name)
        changed = transform.apply(samples, sample_rate_hz, **step.parameters)
        samples = changed if transform.changes_level else scale_to_peak(changed, peak_of(samples))
    return samples


def peak_of(samples: Samples) -> float:
    """Return the largest absolute value of samples; 0 for no samples."""
    return float(np.abs(samples).max(initial=0.0))


def scale_to_peak(samples: Samples, peak: float) -> Samples:
    """Return samples scaled to this peak; silence stays silence."""
    own_peak = peak_of(samples)
    return samples * np.float32(peak / own_peak) if own_peak else samples
