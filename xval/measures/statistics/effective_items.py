"""The effective number of items of a score when items have unequal numbers of examples, or the score depends on classes.

Intervals and comparisons use it for the variance of the score over items and its degrees of freedom.

A speaker with 200 clips and a speaker with one clip count less than two: a score pooled over their clips is nearly that of the
first. Kish's effective number, (sum of weights)^2 / sum of squared weights (Survey Sampling, 1965), is the number of items of
equal size with the same information. A score of classes, such as AUC or balanced accuracy, varies with the items of each class:
the fewer items a class has, the more each of them counts. Each class has a part of the variance, with the degrees of freedom of
its own items; the sum has those of Satterthwaite (Biometrics Bulletin 2, 1946), which are nearly those of the smallest class.
The parts assume that all items vary equally; they are not estimated, because three speakers who happen to be alike would make
the score look certain.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xval.measures.statistics.crossed import Component

FEWEST_ITEMS = 3  # for an interval or a test at all; of each class, where the score is one of classes
_Numbers = NDArray[np.float64]


def effective_number(weights: NDArray[Any]) -> _Numbers:
    """Return Kish's effective number of items, float64 (n_classes,); `weights` is float (n_classes, n_items)."""
    table = np.asarray(weights, dtype=np.float64)
    return np.asarray(table.sum(axis=-1) ** 2 / (table**2).sum(axis=-1))


def fewest_items(weights: NDArray[Any]) -> tuple[int, int]:
    """Return the number of items of the class with the fewest items, and the place of this class."""
    n_items = (np.asarray(weights) > 0).sum(axis=-1)
    return int(n_items.min()), int(n_items.argmin())


def item_component(squares: NDArray[Any], weights: NDArray[Any] | None = None) -> Component:
    """Return the variance of a score over items.

    Args:
        squares: float (n_items,), the contribution of each item to the variance.
        weights: As for `item_freedom`; None: equal weights.
    """
    return Component(float(np.sum(squares)), len(squares) - 1 if weights is None else item_freedom(weights))


def item_freedom(weights: NDArray[Any]) -> float:
    """Return the degrees of freedom of the variance of a score over items, at least 1.

    For one class they are its effective number of items minus 1. If items have examples of several classes, the part of an item
    is divided among the classes by its share of their examples; the result is at most the value for all items together.

    Args:
        weights: float (n_classes, n_items), number of examples of each item in each class of the score; one row if the score
            ignores classes.
    """
    table = np.asarray(weights, dtype=np.float64)
    shares = table / table.sum(axis=1, keepdims=True)
    squares = shares.mean(axis=0) ** 2
    class_variances = shares / np.where(shares.any(axis=0), shares.sum(axis=0), 1) @ squares
    class_freedom = np.maximum(effective_number(table) - 1, 1)
    return float(max(1.0, min(1 / squares.sum() - 1, class_variances.sum() ** 2 / (class_variances**2 / class_freedom).sum())))
