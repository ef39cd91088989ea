"""Test figures by group, such as gender or recorder: each with its interval over items, and the largest gap between them.

Comes in: the stored predictions of an instance, and the columns of its corpus. Goes out: `Groups` for a column and a metric.

As fairlearn's MetricFrame (Weerts et al., JMLR 24, 2023) a figure is the metric of the examples of a group, but items are the
unit: a metric that is a mean is averaged over the items of the group, others are pooled over its examples, as in over_items.py.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pandas as pd

from xval.answers.figure_text import LEAST_SHOWN, in_column, rounded
from xval.answers.instance_predictions import InstancePredictions
from xval.answers.metric_over_items import MetricOverItems
from xval.answers.summary import metric_words
from xval.base import user_code
from xval.base.errors import SettingsError, counted, plural_of, suggestion
from xval.base.item_word import ITEM
from xval.base.module_places import looking_in
from xval.base.numbers import finite_or_none
from xval.extras.subgroups.columns import GroupColumn
from xval.extras.subgroups.gaps import FindInterval, Gap, Standardised, find_gap, with_intervals
from xval.measures import metrics
from xval.measures.metrics import Metric
from xval.measures.statistics.intervals import FEWEST_ITEMS, FEWEST_ITEMS_TO_RELY_ON, Interval
from xval.measures.task import Task
from xval.results.added_metrics import load_metric

IN_GAP = "in the gap"
"""The column of the figures that a gap is of."""


class GroupFigure(NamedTuple):
    """The figure of a group.

    Attributes:
        n_items: Items that have clips in the group.
        n_clips: Its test clips.
        value: NaN: undefined.
        interval: 95 %, over the items of the group; None: fewer than 3 items, or undefined.
    """

    group: str
    n_items: int
    n_clips: int
    value: float
    interval: Interval | None


class Groups(NamedTuple):
    """A metric by the groups of a column.

    Attributes:
        of: ``mean over items``, or ``pooled`` over the examples of a group.
        gap: None: no two groups have 3 items, a figure and a class in common.
        notes: What to know of the groups, in sentences.
        item: What an item is called.
    """

    instance: int
    column: str
    metric: str
    of: str
    figures: tuple[GroupFigure, ...]
    gap: Gap | None
    notes: tuple[str, ...]
    item: str = ITEM

    def of_gap(self, group: str) -> float | None:
        """Return the figure of a group within the classes of the gap; None: it is not in the gap."""
        return dict(zip((self.gap.higher, self.gap.lower), self.gap.figures, strict=True)).get(group) if self.gap else None

    @property
    def gap_is_of_others(self) -> bool:
        """Whether the figures that the gap is of are not those of all clips of its two groups."""
        pairs = [(figure.value, self.of_gap(figure.group)) for figure in self.figures]
        return any(own is not None and abs(value - own) >= LEAST_SHOWN for value, own in pairs)


def measure_groups(tested: InstancePredictions, columns: Sequence[GroupColumn], metric: str | None = None) -> list[Groups]:
    """Compute a metric of each group of each column, averaged over repeats, and the largest gap of each column.

    The metric is one of the task, or the dotted path of one; None: the first main metric of the task.
    """
    with looking_in(tested.own_folders):
        name, chosen_metric = _find_metric(tested.task, metric)
    measured = [_measure_column(tested, column, name, chosen_metric) for column in columns]
    gaps = with_intervals([found for _, found in measured])
    return [groups._replace(gap=gap) for (groups, _), gap in zip(measured, gaps, strict=True)]


def _measure_column(
    tested: InstancePredictions, column: GroupColumn, name: str, metric: Metric
) -> tuple[Groups, tuple[Gap, FindInterval] | None]:
    """Return the metric by the groups of a column, and the gap whose interval is that of all columns together."""
    groups = [column.groups.reindex(examples.clips).to_numpy() for examples in tested.repeats]
    members = {
        group: MetricOverItems(metric, tested.repeats, [own == group for own in groups], has_classes=tested.task.has_classes)
        for group in column.names
    }
    filled = {group: over_items for group, over_items in members.items() if len(over_items.items)}
    clips = tested.repeats[0].clips
    figures = tuple(
        GroupFigure(group, len(of.items), len(set(clips[groups[0] == group])), of.figure(), of.interval())
        for group, of in filled.items()
    )
    items = plural_of(tested.item)
    measured = [figure.group for figure in figures if figure.n_items >= FEWEST_ITEMS and math.isfinite(figure.value)]
    has_classes = tested.task.has_classes and tested.repeats[0].targets.ndim == 1
    gap = find_gap(measured, Standardised(metric, tested.repeats, groups, filled, has_classes=has_classes))
    n_without = len(set(clips) - set(column.groups.index))
    few = [f"{figure.group} ({figure.n_items})" for figure in figures if figure.n_items < FEWEST_ITEMS_TO_RELY_ON]
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
    of = "mean over items" if metric.is_mean else "pooled"
    found = Groups(tested.instance, column.name, name, of, figures, None, tuple(filter(None, notes)), tested.item)
    return found, gap


def describe_gap(groups: Groups) -> str:
    """Return the gap in a sentence; empty where there is none."""
    gap = groups.gap
    if gap is None:
        return ""
    figures = " minus ".join(map(in_column([gap.value, *gap.figures]), gap.figures))
    start = (
        f"Gap in {metric_words(groups.metric)} by {groups.column}: {gap.higher} minus {gap.lower} {_signed(gap.value)} "
        f"({figures}{gap.within and f', {gap.within}'})"
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
    """Return a number with its sign: ``+0.120``."""
    (text,) = rounded(number)
    return text if text.startswith("-") else f"+{text}"


def describe_weakness(groups: Groups, *, higher_is_better: bool) -> str:
    """Return which group of a column is answered worse than another, in a sentence; empty where no gap is shown."""
    gap = groups.gap
    if gap is None or gap.interval is None or not gap.is_shown:
        return ""
    worse, better = (gap.lower, gap.higher) if higher_is_better else (gap.higher, gap.lower)
    size = "{} [{}, {}]".format(*rounded(gap.value, gap.interval.low, gap.interval.high))
    within = gap.within and f" ({gap.within})"
    metric, lower = metric_words(groups.metric), "lower" if higher_is_better else "higher"
    return f"{groups.column} {worse}: the {metric} is {lower} by {size} than for {groups.column} {better}{within}."


def groups_table(several: Iterable[Groups]) -> pd.DataFrame:
    """Return a row per group, and one per gap: instance, column, metric, of, group, figure, low, high, method, items, clips.

    The column ``in the gap`` has the figures of the two groups that the gap is of, within the classes that both have.
    """
    rows: list[tuple[object, ...]] = []
    for groups in several:
        of_all = (groups.instance, groups.column, groups.metric, groups.of)
        rows += [
            (
                *(*of_all, figure.group, finite_or_none(figure.value)),
                *(*_ends(figure.interval), figure.n_items, figure.n_clips, groups.of_gap(figure.group)),
            )
            for figure in groups.figures
        ]
        if groups.gap is not None:
            name = f"gap: {groups.gap.higher} minus {groups.gap.lower}"
            rows.append((*of_all, name, groups.gap.value, *_ends(groups.gap.interval), None, None, None))
    names = ["instance", "column", "metric", "of", "group", "value", "low", "high", "method", "items", "clips", IN_GAP]
    table = pd.DataFrame(rows, columns=names)
    return table.astype({"low": float, "high": float, IN_GAP: float, "items": "Int64", "clips": "Int64"})


def _ends(interval: Interval | None) -> tuple[float | None, float | None, str]:
    return (interval.low, interval.high, interval.method) if interval else (None, None, "")


def _find_metric(task: Task, name: str | None) -> tuple[str, Metric]:
    wanted = metrics.canonical_name(task.name, name or task.main_metrics[0])
    if user_code.is_dotted(wanted):
        return wanted.rpartition(".")[2], load_metric(task.name, wanted).metric
    known = metrics.metric_names(task.name)
    if wanted not in known:
        raise SettingsError(f"--metric {wanted}: unknown. {suggestion(wanted, known)}")
    return wanted, metrics.find(task.name, wanted)
