"""Attribute a prediction to the values of an example: integrated gradients, and occlusion over time and frequency.

Integrated gradients: Sundararajan et al. 2017, "Axiomatic attribution for deep networks"; their sum is the difference between
the predictions for the example and for the baseline (completeness). Occlusion: Zeiler and Fergus 2014.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Gradients = Callable[[Floats], tuple[Floats, Floats]]
"""From examples, float32 (n, ...), to one prediction of each, float32 (n,), and its gradients, float32 (n, ...)."""
Predict = Callable[[Floats], Floats]
"""From examples, float32 (n, ...), to one prediction of each, float32 (n,)."""

_BATCH_SIZE = 16
_N_PATCHES = 8  # along each axis


@dataclass(frozen=True)
class Attribution:
    """The contribution of each value of an example to a prediction.

    Attributes:
        values: Contributions, float32, in the shape of the example and the unit of the prediction; for occlusion the decrease
            of the prediction without the value.
        prediction: The prediction for the example.
        baseline_prediction: The prediction for the baseline.
    """

    values: Floats
    prediction: float
    baseline_prediction: float

    @property
    def total(self) -> float:
        """The sum of the contributions; for integrated gradients it approximates the difference of the two predictions."""
        return float(self.values.sum(dtype=np.float64))

    @property
    def incompleteness(self) -> float:
        """The absolute error of the sum of integrated gradients, in the unit of the prediction; 0 if they are complete."""
        return abs(self.total - (self.prediction - self.baseline_prediction))


def integrate_gradients(gradients: Gradients, example: Floats, baseline: Floats, steps: int) -> Attribution:
    """Return integrated gradients along the straight line from a baseline to an example.

    Args:
        gradients: Returns the explained prediction and its gradients for a batch of examples.
        example: float32, of any shape; NaN where it is padded.
        baseline: An example without information, such as silence; float32, of the same shape.
        steps: The number of equal parts of the line; the gradient of each is taken in its middle.
    """
    difference = example - baseline
    total = np.zeros(example.shape, np.float64)
    places = (np.arange(steps) + 0.5) / steps
    for first in range(0, steps, _BATCH_SIZE):
        shares = places[first : first + _BATCH_SIZE].astype(np.float32).reshape(-1, *[1] * example.ndim)
        total += gradients(baseline + shares * difference)[1].sum(axis=0, dtype=np.float64)
    prediction, baseline_prediction = gradients(np.stack([example, baseline]))[0].tolist()
    contributions = np.nan_to_num(total / steps * difference)  # NaN marks masked padding, which contributes nothing
    return Attribution(contributions.astype(np.float32), prediction, baseline_prediction)


def occlude(predict: Predict, example: Floats, baseline: Floats) -> Attribution:
    """Return the decrease of a prediction if a patch of the example is replaced by the baseline.

    A patch has an eighth of the length of each axis, and patches overlap by half. A value gets the mean of its patches.

    Args:
        predict: Returns the explained prediction for a batch of examples.
        example: float32 (n_samples,) or (n_frames, n_bins).
        baseline: An example without information, such as silence; float32, of the same shape.
    """
    axes = []
    for length in example.shape:
        size = max(1, -(-length // _N_PATCHES))
        starts = range(0, max(1, length - size // 2), max(1, size // 2))
        axes.append([slice(start, min(start + size, length)) for start in starts])
    prediction, baseline_prediction = predict(np.stack([example, baseline])).tolist()
    patches = list(product(*axes))
    total, count = np.zeros(example.shape), np.zeros(example.shape)
    for first in range(0, len(patches), _BATCH_SIZE):
        patch_batch = patches[first : first + _BATCH_SIZE]
        batch = np.repeat(example[np.newaxis], len(patch_batch), axis=0)
        for row, patch in enumerate(patch_batch):
            batch[row][patch] = baseline[patch]
        for patch, occluded_prediction in zip(patch_batch, predict(batch).tolist(), strict=True):
            total[patch] += prediction - occluded_prediction
            count[patch] += 1
    return Attribution((total / np.maximum(count, 1)).astype(np.float32), prediction, baseline_prediction)
