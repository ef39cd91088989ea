"""What choosing among instances reaches, as nested selection estimates it.

Comes in: instances and their ranking. Goes out: a few sentences; see `xval.measures.statistics.selection`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xval.answers.ranking import Ranking
from xval.answers.repeats import parameters_of, seed_twins
from xval.answers.summary import direction, test_side
from xval.measures.statistics.selection import select_nested
from xval.results.instance import InstanceResults


def describe_nested(done: Sequence[InstanceResults], ranking: Ranking) -> str:
    """Say what choosing in each fold by that fold's own validation figure yields, with the seeds of a method averaged.

    Empty where there is nothing to choose.
    """
    groups = seed_twins(parameters_of(done))
    twins = {number for group in groups for number in group}
    groups += [(instance.number,) for instance in done if instance.number not in twins]
    if ranking.selected is None or len(groups) < 2:
        return ""
    side, metric = test_side(done), done[0].task.main_metrics[0]
    folds = sorted({record["fold"] for instance in done for record in instance.folds.values()})
    validation = _by_fold(done, groups, folds, ranking.side, ranking.metric)
    test = _by_fold(done, groups, folds, side, metric)
    nested = select_nested(validation, test, higher_is_better=bool(direction(done, ranking.metric)))
    selected = next(instance for instance in done if instance.number == ranking.selected)
    own = selected.over_folds(side, metric)["mean"]
    if len(folds) < 2 or np.isnan(nested.test_mean) or own is None:
        return ""
    chosen, reached = f"{own:.3f}", f"{nested.test_mean:.3f}"
    same = ", which happens to be the same figure here" if chosen == reached else ""
    is_worse = chosen != reached and (own < nested.test_mean) == direction(done, metric)
    bias = "such a figure is too good on average, though here it is the worse one" if is_worse else "is too good on average"
    return (
        f"{reached} is the mean test {metric} if each fold chooses among the {len(groups)} instances by its own "
        "validation items (nested selection): the estimate of choosing and training in this way, on new items. The "
        f"{chosen} of instance {ranking.selected} estimates this one instance, and {bias}: the validation "
        f"items that chose it are test items of other folds. For what your way of choosing reaches, report {reached}{same}. "
        "For this one model, test it on items that no fold has."
    )


def _by_fold(
    done: Sequence[InstanceResults], groups: Sequence[tuple[int, ...]], folds: Sequence[int], side: str, metric: str
) -> NDArray[np.float64]:
    """Return float64 (n_groups, n_folds), the mean of each group in each fold; NaN where one has no value."""
    values = {instance.number: instance.fold_values(side, metric) for instance in done}
    return np.array([[np.mean([values[number].get(fold, np.nan) for number in group]) for fold in folds] for group in groups])
