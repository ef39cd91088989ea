"""How much each value of an example adds to an answer: integrated gradients, and occlusion over time and frequency.

Comes in: a function of the network, an example and a baseline. Goes out: an `Attribution`.

Integrated gradients: Sundararajan et al. 2017, "Axiomatic attribution for deep networks"; their sum is the difference between
the answers for the example and for the baseline (completeness). Occlusion: Zeiler and Fergus 2014.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Gradients = Callable[[Floats], tuple[Floats, Floats]]
"""From float32 (n, ...) to the answers (n,) and their gradients (n, ...)."""
Answer = Callable[[Floats], Floats]
"""From float32 (n, ...) to the answers (n,)."""

_AT_ONCE = 16
_PATCHES = 8  # along each axis that is occluded


@dataclass(frozen=True)
class Attribution:
    """What each value of an example adds to an answer.

    Attributes:
        values: float32, in the shape of the example, in the unit of the answer; of occlusion what the answer loses.
        answer: For the example.
        baseline_answer: For the baseline.
    """

    values: Floats
    answer: float
    baseline_answer: float

    @property
    def total(self) -> float:
        """The sum of the values; of integrated gradients the difference of the answers, but for the steps of the sum."""
        return float(self.values.sum(dtype=np.float64))

    @property
    def incompleteness(self) -> float:
        """How far the sum is from the difference of the answers, of integrated gradients (in the unit of the answer)."""
        return abs(self.total - (self.answer - self.baseline_answer))


def integrate_gradients(gradients: Gradients, example: Floats, baseline: Floats, steps: int) -> Attribution:
    """Return integrated gradients along the straight line from a baseline to an example.

    Args:
        gradients: Of the answer that is explained.
        example: float32, of any shape.
        baseline: float32, of the same shape: what would say nothing.
        steps: Points of the line, in the middle of as many equal parts.
    """
    difference = example - baseline
    total = np.zeros(example.shape, np.float64)
    places = (np.arange(steps) + 0.5) / steps
    for first in range(0, steps, _AT_ONCE):
        shares = places[first : first + _AT_ONCE].astype(np.float32).reshape(-1, *[1] * example.ndim)
        total += gradients(baseline + shares * difference)[1].sum(axis=0, dtype=np.float64)
    answer, of_baseline = gradients(np.stack([example, baseline]))[0].tolist()
    parts = np.nan_to_num(total / steps * difference)  # behind the end of a clip, where padding is masked, nothing counts
    return Attribution(parts.astype(np.float32), answer, of_baseline)


def occlude(answer: Answer, example: Floats, baseline: Floats) -> Attribution:
    """Return what an answer loses where a patch of the example is replaced by the baseline.

    Patches are an eighth of each axis long and half overlap; a value has the mean of its patches. Example and baseline are
    float32 (n_samples,) or (n_frames, n_bins).
    """
    axes = []
    for length in example.shape:
        size = max(1, -(-length // _PATCHES))
        starts = range(0, max(1, length - size // 2), max(1, size // 2))
        axes.append([slice(start, min(start + size, length)) for start in starts])
    whole, of_baseline = answer(np.stack([example, baseline])).tolist()
    patches = list(product(*axes))
    total, count = np.zeros(example.shape), np.zeros(example.shape)
    for first in range(0, len(patches), _AT_ONCE):
        patches_at_once = patches[first : first + _AT_ONCE]
        batch = np.repeat(example[np.newaxis], len(patches_at_once), axis=0)
        for row, patch in enumerate(patches_at_once):
            batch[row][patch] = baseline[patch]
        for patch, occluded_answer in zip(patches_at_once, answer(batch).tolist(), strict=True):
            total[patch] += whole - occluded_answer
            count[patch] += 1
    return Attribution((total / np.maximum(count, 1)).astype(np.float32), whole, of_baseline)
