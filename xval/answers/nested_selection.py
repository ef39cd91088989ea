"""What choosing among instances reaches, as nested selection estimates it.

Comes in: metric dicts and their ranking. Goes out: a few sentences; see `xval.measures.statistics.selection`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xval.answers.metric_dict import MetricDict
from xval.answers.ranking import Ranking, test_side
from xval.answers.repeats import parameters_of, seed_twins
from xval.answers.summary import direction, done_records, figure, fold_values
from xval.measures.statistics.selection import select_nested
from xval.measures.task import find_task


def describe_nested(done: Sequence[MetricDict], ranking: Ranking) -> str:
    """Say what choosing in each fold by that fold's own validation figure yields, with the seeds of a method averaged.

    Empty where there is nothing to choose.
    """
    groups = seed_twins(parameters_of(done))
    twins = {number for group in groups for number in group}
    groups += [(metric_dict["instance"],) for metric_dict in done if metric_dict["instance"] not in twins]
    if ranking.selected is None or len(groups) < 2:
        return ""
    side, metric = test_side(done), find_task(done[0]["task_type"]).main_metrics[0]
    folds = sorted({record["fold"] for metric_dict in done for record in done_records(metric_dict)})
    validation = _by_fold(done, groups, folds, ranking.side, ranking.metric)
    test = _by_fold(done, groups, folds, side, metric)
    nested = select_nested(validation, test, higher_is_better=bool(direction(done, ranking.metric)))
    own = figure(next(metric_dict for metric_dict in done if metric_dict["instance"] == ranking.selected), side, metric)["mean"]
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
    done: Sequence[MetricDict], groups: Sequence[tuple[int, ...]], folds: Sequence[int], side: str, metric: str
) -> NDArray[np.float64]:
    """Return float64 (n_groups, n_folds), the mean of each group in each fold; NaN where one has no value."""
    values = {metric_dict["instance"]: fold_values(metric_dict, side, metric) for metric_dict in done}
    return np.array([[np.mean([values[number].get(fold, np.nan) for number in group]) for fold in folds] for group in groups])
