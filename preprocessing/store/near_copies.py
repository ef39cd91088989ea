"""Find arrays of different items that are copies of each other but for some noise, where there is no audio to compare.

An example whose nearest neighbour is far nearer than its tenth is a copy. How much nearer, their density says: where they
fill k dimensions, the ratio of both distances is below r for 9 r^k of them by chance. k is estimated of the fifth to the
tenth neighbours (Levina and Bickel 2004, "Maximum Likelihood Estimation of Intrinsic Dimension", NIPS 17, with the mean over
examples of MacKay and Ghahramani 2005), and r chosen so that 0.01 such pairs are expected among all examples.
"""

from collections.abc import Sequence
from hashlib import shake_256

import numpy as np
from numpy.typing import NDArray

N_VALUES = 512
"""Values of an example that are compared: of longer ones sums with random signs (Count Sketch, Charikar et al. 2002)."""

_N_NEIGHBOURS, _FIRST_OF_SHAPE = 10, 5
_MOST_BY_CHANCE = 0.01
_LARGEST_RATIO, _SMALLEST_RATIO = 0.15, 0.01
_SMALLEST_DEVIATION = 1e-12
_ROWS_AT_ONCE = 512


class Sketches:
    """Makes short vectors of examples, between which distances are about the same, block by block."""

    def __init__(self) -> None:
        self._made: list[NDArray[np.float32]] = []

    def add(self, examples: NDArray[np.float32]) -> None:
        """Take some examples, float32 (n, ...)."""
        flat = examples.reshape(len(examples), -1)
        n_values = flat.shape[1]
        if n_values > N_VALUES:
            bits = np.unpackbits(np.frombuffer(shake_256(b"xval near copies").digest(n_values // 8 + 1), np.uint8))[:n_values]
            signed = flat * (2 * bits.astype(np.float32) - 1)
            # Neighbours are alike in time and frequency: a sum has values from all over the example.
            flat = np.stack([signed[:, first::N_VALUES].sum(axis=1) for first in range(N_VALUES)], axis=1)
        self._made.append(np.array(flat))

    def values(self) -> NDArray[np.float32]:
        """Return the vectors of all examples, float32 (n, up to 512)."""
        return np.concatenate(self._made)


def find_near_copies(values: NDArray[np.float32], items: Sequence[str]) -> list[tuple[int, int, float]] | None:
    """Return the pairs of examples of different items that are copies: both rows, and the likeness, 1 for the same values.

    Args:
        values: float32 (n_examples, n_values), as of `Sketches`.
        items: Of each example.

    Returns:
        None where it cannot be told: there are few examples, or they fill too few dimensions.
    """
    if len(values) <= _N_NEIGHBOURS:
        return None
    exact = values.astype(np.float64)
    deviations = exact.std(axis=0)
    varying = deviations > _SMALLEST_DEVIATION
    distances, places = _nearest((exact[:, varying] - exact[:, varying].mean(axis=0)) / deviations[varying])
    largest = _largest_ratio(distances)
    if largest is None:
        return None
    furthest = np.maximum(distances[:, -1:], _SMALLEST_DEVIATION)
    ratios = distances / furthest
    rows, ranks = np.nonzero(ratios <= largest)
    likenesses = {
        (min(row, other), max(row, other)): 1 - ratio
        for row, other, ratio in zip(rows.tolist(), places[rows, ranks].tolist(), ratios[rows, ranks].tolist(), strict=True)
        if items[row] != items[other]
    }
    return [(first, second, likeness) for (first, second), likeness in sorted(likenesses.items())]


def _nearest(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the distances of the ten nearest other examples of each, rising, and their rows, both (n_examples, 10)."""
    squares = (values**2).sum(axis=1)
    distances, places = [], []
    for first in range(0, len(values), _ROWS_AT_ONCE):
        block = slice(first, first + _ROWS_AT_ONCE)
        squared = squares[block, np.newaxis] + squares - 2 * values[block] @ values.T
        own = np.arange(len(squared))
        squared[own, first + own] = np.inf
        nearest = np.argpartition(squared, _N_NEIGHBOURS - 1, axis=1)[:, :_N_NEIGHBOURS]
        near = np.take_along_axis(squared, nearest, axis=1)
        order = np.argsort(near, axis=1)
        places.append(np.take_along_axis(nearest, order, axis=1))
        distances.append(np.sqrt(np.maximum(np.take_along_axis(near, order, axis=1), 0)))
    return np.concatenate(distances), np.concatenate(places)


def _largest_ratio(distances: NDArray[np.float64]) -> float | None:
    """Return up to which share of the distance of its last neighbour a neighbour is a copy; None: no share tells copies."""
    shape_distances = distances[:, _FIRST_OF_SHAPE - 1 :]
    shape_distances = shape_distances[shape_distances[:, 0] > _SMALLEST_DEVIATION]
    if not len(shape_distances):
        return None
    logs = np.log(shape_distances[:, -1:] / shape_distances[:, :-1]).mean()
    # What the mean would be in one dimension: neighbour j of ten lies sum of 1/i, i from j to 9, below the tenth.
    inverses = 1 / np.arange(_FIRST_OF_SHAPE, _N_NEIGHBOURS)
    in_one_dimension = np.cumsum(inverses[::-1])[::-1].mean()
    if logs <= 0:
        return None
    dimensions = in_one_dimension / logs
    ratio = (_MOST_BY_CHANCE / ((_N_NEIGHBOURS - 1) * len(distances))) ** (1 / dimensions)
    return min(float(ratio), _LARGEST_RATIO) if ratio >= _SMALLEST_RATIO else None
