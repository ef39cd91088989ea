"""The score of predictors that recognise only the item of an example, such as its speaker.

These levels exist for metrics that add up credits, such as accuracy, of examples with one class each. If classes belong to
items, they are above the chance of a prediction that ignores the audio: if two of four classes occur only in one half of the
speakers, and the other two only in the other half, recognising the half gives 0.5.

`group_level` is the score of a predictor that knows which classes an item may have: it gives one prediction for all items with
the same classes. This is the fair level for items on which no model was trained. Predicting the most frequent class of each
tested item would be an oracle: with 10 random labels of 2 classes its accuracy is 0.62. The sets of classes come from the
tested items as well, and with few clips per item random labels produce sets by chance. Therefore they only count if their score
is significantly higher (test at 5 %) than the score of sets from labels that are permuted over all examples (Phipson and Smyth
2010; p never 0).

`permuted_level` is the score of the given predictions over all permutations of the targets within items, which preserve all
that a prediction may know about an item, and nothing else (permutation within blocks of exchangeability: Winkler et al.,
NeuroImage 123, 2015; of classifiers: Ojala and Garriga, JMLR 11, 2010).

Neither level exists if most of the credit is in items with one class (gender, diagnosis), because there recognising the item is
the task.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_N_PERMUTATIONS = 99
_LEVEL = 0.05
_ROUNDING = 1e-9

CreditFunction = Callable[[NDArray[np.intp], NDArray[np.float64]], NDArray[np.float64]]
"""Function from targets and weights of examples to what each adds to a metric if predicted correctly: float64 (n,)."""


def group_level(
    targets: NDArray[np.intp], weights: NDArray[np.float64], items: NDArray[np.intp], credit: CreditFunction
) -> float:
    """Return the score of the best single prediction for each group of items; NaN: not significantly more than by chance.

    A group is two or more items with the same two or more classes. All other items have one common prediction.

    Args:
        targets: intp (n,), class numbers.
        weights: float64 (n,), the weight of each example; their sum is 1.
        items: intp (n,), a number for each item, from 0.
        credit: Of the metric.
    """

    def reached(permuted_targets: NDArray[np.intp]) -> float:
        return _by_groups(_sum_by_item(permuted_targets, items, credit(permuted_targets, weights)))

    credits_by_item = _sum_by_item(targets, items, credit(targets, weights))
    level = _by_groups(credits_by_item)
    if not _vary_within_items(credits_by_item) or level <= credits_by_item.sum(axis=0).max() + _ROUNDING:
        return float("nan")
    rng = np.random.default_rng(0)
    by_luck = [reached(rng.permutation(targets)) for _ in range(_N_PERMUTATIONS)]
    n_as_high = sum(other >= level - _ROUNDING for other in by_luck)
    return level if (1 + n_as_high) / (1 + _N_PERMUTATIONS) <= _LEVEL else float("nan")


class PermutedLevel(NamedTuple):
    """The metric of predictions whose targets are permuted within items; NaN: targets hardly vary within items.

    Attributes:
        mean: Mean over all permutations.
        deviation: Standard deviation over all permutations.
    """

    mean: float
    deviation: float


def permuted_level(
    targets: NDArray[np.intp],
    answers: NDArray[np.intp],
    weights: NDArray[np.float64],
    items: NDArray[np.intp],
    credit: CreditFunction,
) -> PermutedLevel:
    """Return the score of predictions when the targets are permuted within items.

    For an item with n examples the sum of credits is a sum of the entries m[j, permuted j] of a matrix, whose mean and variance
    over all permutations are known exactly: the variance is that of the doubly centred matrix, sum of squares / (n - 1)
    (Hoeffding, Annals of Mathematical Statistics 22, 1951).

    Args:
        targets: As for `group_level`.
        answers: intp (n,), class numbers.
        weights: As for `group_level`, equal for the examples of an item.
        items: A number for each item.
        credit: Of the metric.
    """
    n_classes = 1 + int(max(targets.max(), answers.max()))
    credits_by_item = _sum_by_item(targets, items, credit(targets, weights), n_classes)
    if not _vary_within_items(credits_by_item):
        return PermutedLevel(float("nan"), float("nan"))
    one = np.ones(len(items))
    n_true, n_answered = (_sum_by_item(classes, items, one, n_classes) for classes in (targets, answers))
    n = n_true.sum(axis=1)
    example_credits = np.divide(credits_by_item, n_true, out=np.zeros_like(credits_by_item), where=n_true > 0)
    means = (example_credits * n_true * n_answered).sum(axis=1) / n
    entry_sums = (example_credits**2 * n_true * n_answered).sum(axis=1)
    row_sums = (n_answered * (example_credits * n_true) ** 2).sum(axis=1) / n
    column_sums = (n_true * (example_credits * n_answered) ** 2).sum(axis=1) / n
    variances = (entry_sums - row_sums - column_sums + means**2) / np.maximum(n - 1, 1)
    return PermutedLevel(float(means.sum()), float(np.sqrt(max(0.0, variances.sum()))))


def _sum_by_item(
    classes: NDArray[np.intp], items: NDArray[np.intp], values: NDArray[np.float64], n_classes: int | None = None
) -> NDArray[np.float64]:
    """Return the sum of values by item and class: float64 (n_items, n_classes)."""
    n_items, n_classes = int(items.max()) + 1, n_classes or int(classes.max()) + 1
    sums = np.bincount(items * n_classes + classes, values, n_items * n_classes)
    return np.asarray(sums, np.float64).reshape(n_items, n_classes)


def _vary_within_items(credits_by_item: NDArray[np.float64]) -> bool:
    """Return whether more than half of the credit is in items of several classes."""
    has_several = (credits_by_item > 0).sum(axis=1) > 1
    return bool(credits_by_item[has_several].sum() > credits_by_item.sum() / 2)


def _by_groups(credits_by_item: NDArray[np.float64]) -> float:
    """Return the score of the best single prediction for each group of items."""
    class_sets, group_of_item = np.unique(credits_by_item > 0, axis=0, return_inverse=True)
    group_of_item = group_of_item.reshape(-1)
    is_group = (np.bincount(group_of_item) > 1) & (class_sets.sum(axis=1) > 1)
    others = len(class_sets)
    credits_by_group = np.zeros((others + 1, credits_by_item.shape[1]))
    np.add.at(credits_by_group, np.where(is_group[group_of_item], group_of_item, others), credits_by_item)
    return float(credits_by_group.max(axis=1).sum())
