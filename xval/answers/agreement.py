"""How predicted numbers agree with true ones: bias, limits of agreement, and the bias of each item.

The page draws each target as a Bland-Altman plot.

A difference is predicted minus true. 95 % of the differences of new clips are to be within the limits of agreement, 1.96
standard deviations below and above the bias (Bland and Altman, Lancet 327, 1986). Clips of an item are alike, so the standard
deviation is computed from the sum of the variances between and within items (Bland and Altman, Journal of Biopharmaceutical
Statistics 17, 2007).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xval.answers.instance_predictions import InstancePredictions
from xval.answers.operating_points import Value
from xval.answers.training_runs import group_runs
from xval.measures.statistics.components import variance_components
from xval.measures.statistics.intervals import MOST_LEFT_OUT, score_interval
from xval.measures.tasks import regression
from xval.results.tested_examples import TestedExamples

_WIDTH = 1.96  # deviations of a normal distribution on each side of 95 %
_MOST_ITEMS_LEFT_OUT = 100_000  # times items left out; more would take minutes


class ItemBias(NamedTuple):
    """The mean difference of an item and the standard deviation of its differences; NaN for a single clip."""

    item: str
    n_clips: int
    bias: float
    deviation: float


class Agreement(NamedTuple):
    """Differences of one target, predicted minus true, over all trainings.

    Attributes:
        name: Name of the target; ``target 1`` without a name; empty: the only one, without a name.
        bias: Mean difference over clips.
        low: Lower limit of agreement.
        high: Upper limit of agreement.
        rmse: Root of the mean squared error over clips, averaged over trainings, in the unit of the target.
        ccc: Concordance correlation coefficient over clips, averaged over trainings.
        by_item: The items, the one with the largest bias first.
        means: float64 (n_clips,), the mean of true and predicted number; the clips of all trainings, one training after the
            other.
        differences: float64 (n_clips,), predicted minus true, in the same order.
    """

    name: str
    bias: Value
    low: Value
    high: Value
    rmse: float
    ccc: float
    by_item: tuple[ItemBias, ...]
    means: NDArray[np.float64]
    differences: NDArray[np.float64]


def agreements(tested: InstancePredictions, names: Sequence[str]) -> list[Agreement]:
    """Return the agreement of each target, whose names are given; empty if the task predicts no numbers for clips."""
    if not tested.task.draws_numbers:
        return []
    if list(names) == [str(number) for number in range(len(names))]:
        names = [f"target {number}" for number in names] if len(names) > 1 else [""]
    return [_agreement(tested.repeats, number, name) for number, name in enumerate(names)]


def _agreement(repeats: Sequence[TestedExamples], number: int, name: str) -> Agreement:
    true = [examples.targets[:, number].astype(np.float64) for examples in repeats]
    predicted = [examples.predictions[:, number].astype(np.float64) for examples in repeats]
    differences = [own - other for own, other in zip(predicted, true, strict=True)]
    by_item = [[of[rows] for rows in examples.rows] for of, examples in zip(differences, repeats, strict=True)]
    n_items, known = len(repeats[0].names), dict[bytes, NDArray[np.float64]]()

    def item_limits(items: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return bias, lower and upper limit of each training: float64 (n_repeats, 3)."""
        if (key := items.tobytes()) not in known:
            known[key] = np.array(
                [_limits([repeat_differences[item] for item in items.tolist()]) for repeat_differences in by_item]
            )
        return known[key]

    everyone = item_limits(np.arange(n_items))
    n_clips = np.array([[len(rows) for rows in repeats[0].rows]])
    runs = group_runs([one.run for one in repeats])
    values = []
    for place in range(3):

        def score(items: NDArray[np.intp], place: int = place) -> float:
            return float(item_limits(items)[:, place].mean())

        is_quick = len(repeats) * n_items * min(n_items, MOST_LEFT_OUT) <= _MOST_ITEMS_LEFT_OUT
        by_run = [everyone[run, place].mean() for run in runs]
        values.append(
            Value(
                score(np.arange(n_items)),
                score_interval(n_items, score, bounds=None, runs=by_run, weights=n_clips) if is_quick else None,
            )
        )
    biases = [
        _bias_of_item(repeats[0].names[item], [repeat_differences[item] for repeat_differences in by_item])
        for item in range(n_items)
    ]
    means = np.concatenate([(own + other) / 2 for own, other in zip(predicted, true, strict=True)])
    by_size = sorted(biases, key=lambda item_bias: -abs(item_bias.bias))
    bias, low, high = values
    columns = [(examples.targets[:, [number]], examples.predictions[:, [number]]) for examples in repeats]
    rmse, ccc = (float(np.mean([metric(*column) for column in columns])) for metric in (regression.rmse, regression.ccc))
    return Agreement(name, bias, low, high, rmse, ccc, tuple(by_size), means, np.concatenate(differences))


def _limits(item_differences: Sequence[NDArray[np.float64]]) -> tuple[float, float, float]:
    """Return the mean difference of some items and the limits of agreement; NaN for a single difference."""
    table = np.full((len(item_differences), max(map(len, item_differences))), np.nan)
    for row, differences in zip(table, item_differences, strict=True):
        row[: len(differences)] = differences
    components = variance_components(table)
    variances = [variance for variance in (components.fold, components.seed) if math.isfinite(variance)]
    bias = float(np.concatenate(item_differences).mean())
    deviation = math.sqrt(math.fsum(variances)) if variances else math.nan
    return bias, bias - _WIDTH * deviation, bias + _WIDTH * deviation


def _bias_of_item(item: str, repeat_differences: Sequence[NDArray[np.float64]]) -> ItemBias:
    deviations = [differences.std(ddof=1) if len(differences) > 1 else math.nan for differences in repeat_differences]
    bias = float(np.mean([differences.mean() for differences in repeat_differences]))
    return ItemBias(item, len(repeat_differences[0]), bias, float(np.mean(deviations)))
