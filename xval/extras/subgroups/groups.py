"""Test scores by group, such as gender or recorder, with an interval over items each, and the largest gap between groups.

As in fairlearn's MetricFrame (Weerts et al., JMLR 24, 2023), a score is the metric of the examples of a group. The sampling
unit is the item: a metric that is a mean over examples is averaged over the items of the group. Other metrics are pooled over
its examples, as `MetricOverItems` does.
"""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from preprocessing.clips.columns import with_columns
from xval.answers.instance_predictions import InstancePredictions, read_instance_predictions
from xval.answers.metric_over_items import MetricOverItems
from xval.answers.read import choose_instance, read_corpus
from xval.answers.score_text import LEAST_SHOWN, in_column, rounded
from xval.answers.summary import metric_words
from xval.base.errors import CorpusError, SettingsError, counted, plural_of, suggestion
from xval.base.item_word import ITEM
from xval.base.numbers import finite_or_none
from xval.base.user_code import definitions
from xval.base.user_code.modules import looking_in
from xval.extras.subgroups.columns import GroupColumn, find_groups, group_columns
from xval.extras.subgroups.gaps import FindInterval, Gap, StandardisedMetric, find_gap, with_intervals
from xval.measures import metrics
from xval.measures.metrics import Metric
from xval.measures.statistics.intervals import FEWEST_ITEMS, FEWEST_ITEMS_TO_RELY_ON, Interval
from xval.measures.task import Task
from xval.results.added_metrics import load_metric
from xval.results.folder import ExperimentFolder

IN_GAP = "in the gap"
"""The column of tables with the scores that a gap is computed from."""


class GroupScore(NamedTuple):
    """The score of a group.

    Attributes:
        group: The name of the group.
        n_items: The number of items that have test clips in the group.
        n_clips: The number of test clips of the group.
        value: The metric, averaged over repeats; NaN if it is undefined.
        interval: The 95 % interval over the items of the group; None if there are fewer than 3 or the metric is undefined.
    """

    group: str
    n_items: int
    n_clips: int
    value: float
    interval: Interval | None


class Groups(NamedTuple):
    """The scores of an instance in one metric, by the groups of a column.

    Attributes:
        instance: The number of the instance.
        column: The name of the column.
        metric: The name of the metric.
        estimator: ``mean over items``, or ``pooled`` over the examples of a group.
        scores: The score of each group that was tested.
        gap: The largest gap between two groups; None if no two groups have 3 items and a score each and share a class.
        notes: Sentences on skipped clips, bins, and groups with few items.
        item: The word for an item of this dataset, such as speaker.
    """

    instance: int
    column: str
    metric: str
    estimator: str
    scores: tuple[GroupScore, ...]
    gap: Gap | None
    notes: tuple[str, ...]
    item: str = ITEM

    def gap_score(self, group: str) -> float | None:
        """Return the score of a group within the classes of the gap; None if the gap is between other groups."""
        return dict(zip((self.gap.higher, self.gap.lower), self.gap.scores, strict=True)).get(group) if self.gap else None

    @property
    def gap_differs(self) -> bool:
        """Whether the gap is computed from other scores than those of all clips of its groups, because classes differ."""
        pairs = [(score.value, self.gap_score(score.group)) for score in self.scores]
        return any(gap_score is not None and abs(value - gap_score) >= LEAST_SHOWN for value, gap_score in pairs)


def measure_groups(tested: InstancePredictions, columns: Sequence[GroupColumn], metric: str | None = None) -> list[Groups]:
    """Compute a metric for each group of each column, averaged over repeats, and the largest gap of each column.

    Args:
        tested: The test predictions of an instance.
        columns: The groups of each column.
        metric: A metric of the task, or the dotted path of one; None: the first main metric of the task.

    Raises:
        SettingsError: The metric is unknown.
    """
    with looking_in(tested.own_folders):
        name, chosen_metric = _find_metric(tested.task, metric)
    measured = [_measure_column(tested, column, name, chosen_metric) for column in columns]
    gaps = with_intervals([gap for _, gap in measured])
    return [groups._replace(gap=gap) for (groups, _), gap in zip(measured, gaps, strict=True)]


def _measure_column(
    tested: InstancePredictions, column: GroupColumn, name: str, metric: Metric
) -> tuple[Groups, tuple[Gap, FindInterval] | None]:
    """Return the scores by the groups of a column, and its gap, whose interval is computed with those of all columns."""
    groups = [column.groups.reindex(examples.clips).to_numpy() for examples in tested.repeats]
    members = {
        group: MetricOverItems(metric, tested.repeats, [own == group for own in groups], has_classes=tested.task.has_classes)
        for group in column.names
    }
    filled = {group: over_items for group, over_items in members.items() if len(over_items.items)}
    clips = tested.repeats[0].clips
    scores = tuple(
        GroupScore(group, len(over_items.items), len(set(clips[groups[0] == group])), over_items.score(), over_items.interval())
        for group, over_items in filled.items()
    )
    items = plural_of(tested.item)
    measured = [score.group for score in scores if score.n_items >= FEWEST_ITEMS and math.isfinite(score.value)]
    has_classes = tested.task.has_classes and tested.repeats[0].targets.ndim == 1
    gap = find_gap(measured, StandardisedMetric(metric, tested.repeats, groups, filled, has_classes=has_classes), items)
    n_without = len(set(clips) - set(column.groups.index))
    few = [f"{score.group} ({score.n_items})" for score in scores if score.n_items < FEWEST_ITEMS_TO_RELY_ON]
    cut = ""
    if column.cut_over:
        over = items if column.cut_over == "items" else "clips"
        cut = f"{column.name} is cut at its quantiles over {over} into {len(column.names)} bins: {'; '.join(column.names)}."
    notes = [tested.origin and f"Instance {tested.instance}: {tested.origin}.", cut]
    notes.append(f"{counted(n_without, 'test clip')} without {column.name} excluded." if n_without else "")
    notes += [f"No clip of {group} was tested." for group in members if group not in filled]
    if few:
        notes.append(
            f"Fewer than {FEWEST_ITEMS_TO_RELY_ON} {items} say little about others: {', '.join(few)}. One more could change "
            "their scores and the gap considerably."
        )
    if gap is None:
        classes = f" and that share a class of {FEWEST_ITEMS} {items} in each" * has_classes
        notes.append(
            f"The gap is unknown, because it needs two groups with at least {FEWEST_ITEMS} {items}, in which {name} is "
            f"defined{classes}."
        )
    estimator = "mean over items" if metric.is_mean else "pooled"
    grouping = Groups(tested.instance, column.name, name, estimator, scores, None, tuple(filter(None, notes)), tested.item)
    return grouping, gap


def describe_gap(groups: Groups) -> str:
    """Return the largest gap of a column in a sentence; empty if it has no gap."""
    gap = groups.gap
    if gap is None:
        return ""
    scores = " minus ".join(map(in_column([gap.value, *gap.scores]), gap.scores))
    start = (
        f"Gap in {metric_words(groups.metric)} by {groups.column}: {gap.higher} minus {gap.lower} {_signed(gap.value)} "
        f"({scores}{gap.within and f', {gap.within}'})"
    )
    if gap.interval is None:
        return f"{start}; its interval cannot be estimated."
    several = [f"{gap.n_pairs} pairs of groups"] * (gap.n_pairs > 1) + [f"{gap.n_columns} columns"] * (gap.n_columns > 1)
    adjusted = several and f", adjusted for {' and '.join(several)}"
    items = plural_of(groups.item)
    how = f"over {items}, paired within {items}" if gap.is_within_items else f"over {items}"
    verdict = "It excludes 0." if gap.is_shown else "It includes 0: no significant gap."
    ends = f"[{_signed(gap.interval.low)}, {_signed(gap.interval.high)}]"
    return f"{start}, {ends} (95 % {how}{adjusted or ''}). {verdict}"


def _signed(number: float) -> str:
    (text,) = rounded(number)
    return text if text.startswith("-") else f"+{text}"


def describe_weakness(groups: Groups, *, higher_is_better: bool) -> str:
    """Return which group of a column has significantly worse scores than another, in a sentence; empty if none has."""
    gap = groups.gap
    if gap is None or gap.interval is None or not gap.is_shown:
        return ""
    worse, better = (gap.lower, gap.higher) if higher_is_better else (gap.higher, gap.lower)
    size = "{} [{}, {}]".format(*rounded(gap.value, gap.interval.low, gap.interval.high))
    within = gap.within and f" ({gap.within})"
    metric, lower = metric_words(groups.metric), "lower" if higher_is_better else "higher"
    return f"{groups.column} {worse}: the {metric} is {lower} by {size} than for {groups.column} {better}{within}."


def groups_table(several: Iterable[Groups]) -> pd.DataFrame:
    """Return a row per group, and one per gap: instance, column, metric, of, group, value, low, high, method, items, clips.

    The column ``in the gap`` has the scores of the two groups of the gap, within the classes that both groups have.
    """
    rows: list[tuple[object, ...]] = []
    for groups in several:
        column_cells = (groups.instance, groups.column, groups.metric, groups.estimator)
        rows += [
            (
                *(*column_cells, score.group, finite_or_none(score.value)),
                *(*_ends(score.interval), score.n_items, score.n_clips, groups.gap_score(score.group)),
            )
            for score in groups.scores
        ]
        if groups.gap is not None:
            name = f"gap: {groups.gap.higher} minus {groups.gap.lower}"
            rows.append((*column_cells, name, groups.gap.value, *_ends(groups.gap.interval), None, None, None))
    names = ["instance", "column", "metric", "of", "group", "value", "low", "high", "method", "items", "clips", IN_GAP]
    table = pd.DataFrame(rows, columns=names)
    return table.astype({"low": float, "high": float, IN_GAP: float, "items": "Int64", "clips": "Int64"})


def _ends(interval: Interval | None) -> tuple[float | None, float | None, str]:
    return (interval.low, interval.high, interval.method) if interval else (None, None, "")


def _find_metric(task: Task, name: str | None) -> tuple[str, Metric]:
    """Return a metric of a task, or one by its dotted path, with its name; None: the first main metric of the task."""
    metric_name = metrics.canonical_name(task.name, name or task.main_metrics[0])
    if definitions.is_dotted(metric_name):
        return metric_name.rpartition(".")[2], load_metric(task.name, metric_name).metric
    names = metrics.metric_names(task.name)
    if metric_name not in names:
        raise SettingsError(f"--metric {metric_name}: unknown. {suggestion(metric_name, names)}")
    return metric_name, metrics.find(task.name, metric_name)


def read_groups(
    folder: ExperimentFolder,
    instance: int | None = None,
    by: Sequence[str] | None = None,
    *,
    metric: str | None = None,
    data_folder: Path | None = None,
) -> list[Groups]:
    """Return the test scores of an instance by the groups of each column.

    Args:
        folder: The folder of the experiment.
        instance: The number of the instance; None: the instance that the validation scores select.
        by: The names of the columns; None: all additional columns that divide the clips into 2 to 20 groups.
        metric: A test metric; None: the first main metric of the task.
        data_folder: The folder of all datasets; None: the folder in the experiment's settings.

    Raises:
        CorpusError: No column divides the clips into 2 to 20 groups.
        SettingsError: There is no such column or metric.
        ResultsError: The instance has no finished fold, or its predictions are missing or damaged.
    """
    chosen = choose_instance(folder, instance)
    corpus = read_corpus(folder, chosen.settings, data_folder)
    table = with_columns(corpus.index, corpus.folder)
    columns = by or group_columns(table)
    if not columns:
        raise CorpusError(
            f"{corpus.folder}: no extra column divides its clips into 2 to 20 groups. Add one (gender, age, recorder ...) to "
            "the table and prepare the dataset again, which keeps folds and results; or give a column with --by."
        )
    tested = read_instance_predictions(chosen)
    return measure_groups(tested, [find_groups(table, name) for name in columns], metric)
