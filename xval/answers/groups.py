"""Test figures by group, such as gender or recorder: each with its interval over items, and the largest gap between them.

Comes in: the stored predictions of an instance, and the columns of its corpus. Goes out: `Groups` for a column and a metric.

As fairlearn's MetricFrame (Weerts et al., JMLR 24, 2023) a figure is the metric of the examples of a group, but items are the
unit: a metric that is a mean is averaged over the items of the group, others are pooled over its examples, as in over_items.py.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xval.answers.group_columns import GroupColumn
from xval.answers.over_items import whole_repeats
from xval.answers.repeats import done_jobs
from xval.answers.summary import MetricDict, done_records, has_windows, settings_of
from xval.base import user_code
from xval.base.errors import ResultsError, SettingsError, suggestion
from xval.base.numbers import finite_or_none
from xval.measures import metrics
from xval.measures.metrics import Metric
from xval.measures.statistics.differences import cut_difference, independent_difference
from xval.measures.statistics.intervals import (
    FEWEST_ITEMS,
    FEWEST_ITEMS_TO_RELY_ON,
    MOST_VALUES_OF_INTERVAL,
    Interval,
    figure_interval,
    mean_interval,
)
from xval.measures.task import Task
from xval.results.added_metrics import load_metric
from xval.results.folder import ExperimentFolder
from xval.results.tested_examples import TestedExamples, read_examples

_LEVEL = 0.05
_MOST_VALUES = 20_000_000  # probabilities that are read for the groups; more would take minutes


class Answers(NamedTuple):
    """The test examples of an instance: clips where clips are cut into windows, else what was tested.

    Attributes:
        instance: Its number.
        task: Its task.
        repeats: Of each repeat of a deal that has all its finished folds.
    """

    instance: int
    task: Task
    repeats: tuple[TestedExamples, ...]


class GroupFigure(NamedTuple):
    """The figure of a group.

    Attributes:
        group: Its name.
        n_items: Items that have clips in it.
        n_clips: Its test clips.
        value: The figure; NaN: undefined.
        interval: 95 %, over the items of the group; None: fewer than 3 items, or undefined.
    """

    group: str
    n_items: int
    n_clips: int
    value: float
    interval: Interval | None


class Gap(NamedTuple):
    """The largest difference between two groups that have 3 items or more.

    Attributes:
        higher: The group with the higher figure.
        lower: The other one.
        value: The difference.
        interval: Over items, 95 % for all pairs of groups together (Bonferroni).
        n_pairs: Number of these pairs.
        is_within_items: Whether some items have clips in both, so that their differences within items count.
    """

    higher: str
    lower: str
    value: float
    interval: Interval | None
    n_pairs: int
    is_within_items: bool


class Groups(NamedTuple):
    """A metric by the groups of a column.

    Attributes:
        instance: Number of the instance.
        column: Name of the column.
        metric: Name of the metric.
        of: ``mean over items``, or ``pooled`` over the examples of a group.
        figures: Of each group.
        gap: None: fewer than two groups have 3 items and a figure.
        notes: What to know of the groups, in sentences.
    """

    instance: int
    column: str
    metric: str
    of: str
    figures: tuple[GroupFigure, ...]
    gap: Gap | None
    notes: tuple[str, ...]


def read_answers_of(folder: ExperimentFolder, metric_dict: MetricDict) -> Answers:
    """Read the stored predictions of an instance.

    Raises:
        ResultsError: No fold is finished, predictions are missing or damaged, or there are too many.
    """
    records, settings, number = done_records(metric_dict), settings_of(metric_dict), metric_dict["instance"]
    where = folder.instance_folder(number)
    if not records:
        raise ResultsError(f"{where}: no fold is finished, so there are no predictions.")
    repeats = whole_repeats(metric_dict, {key: folder.fold_folder(*key) for key in done_jobs(metric_dict)})
    class_names = records[0].get("class_names", [])
    n_values = len(repeats) * sum(record["n_examples"]["test"] for record in records) * max(1, len(class_names))
    if n_values > _MOST_VALUES:
        raise ResultsError(f"{where}: the predictions are {n_values} probabilities, more than are read ({_MOST_VALUES}).")
    clip_average = settings.clip_average if has_windows([metric_dict]) else None
    try:
        read = [read_examples(settings.task, paths, class_names, clip_average) for paths in repeats]
    except FileNotFoundError as error:
        raise ResultsError(f"{error.filename}: missing. Move its folder away to run that part again.") from error
    if not read:
        raise ResultsError(f"{where}: no repeat has all the folds that are finished; run the rest first.")
    return Answers(number, settings.task, tuple(read))


def measure_groups(tested: Answers, column: GroupColumn, metric: str | None = None) -> Groups:
    """Compute a metric of each group, averaged over repeats, and the largest gap.

    Args:
        tested: The test examples.
        column: Its groups.
        metric: A metric of the task, or the dotted path of one; None: the first main metric of the task.

    Raises:
        SettingsError: The metric is unknown.
    """
    name, found = _find_metric(tested.task, metric)
    members = {each: _Members(tested, column, each, found) for each in column.names}
    filled = {group: of for group, of in members.items() if len(of.items)}
    figures = tuple(GroupFigure(group, len(of.items), of.n_clips, of.all(), of.interval()) for group, of in filled.items())
    gap = _find_gap(figures, filled)
    n_without = len(set(tested.repeats[0].clips) - set(column.groups.index))
    few = [f"{each.group} ({each.n_items})" for each in figures if each.n_items < FEWEST_ITEMS_TO_RELY_ON]
    notes = [column.note]
    notes.append(f"{n_without} test clips have no {column.name} and are left out." if n_without else "")
    notes += [f"No clip of {group} was tested." for group in members if group not in filled]
    if few:
        notes.append(
            f"Fewer than {FEWEST_ITEMS_TO_RELY_ON} items tell little about others: {', '.join(few)}; a further item may change "
            "their figures and the gap a lot."
        )
    notes.append("" if gap else f"No gap: it takes two groups with {FEWEST_ITEMS} items or more, in which {name} is defined.")
    of = "mean over items" if found.is_mean else "pooled"
    return Groups(tested.instance, column.name, name, of, figures, gap, tuple(filter(None, notes)))


def describe_gap(groups: Groups) -> str:
    """Return the gap in a sentence; empty where there is none."""
    gap = groups.gap
    if gap is None:
        return ""
    start = f"Gap in {groups.metric} by {groups.column}: {gap.higher} less {gap.lower} {gap.value:+.3f}"
    if gap.interval is None:
        return f"{start}; its interval cannot be estimated."
    pairs = f", for all {gap.n_pairs} pairs of groups together" if gap.n_pairs > 1 else ""
    how = "over items, within those that have both" if gap.is_within_items else "over items"
    verdict = "It contains 0: no gap is shown." if gap.interval.low <= 0 <= gap.interval.high else "It does not contain 0."
    return f"{start} [{gap.interval.low:+.3f}, {gap.interval.high:+.3f}] (95 % {how}{pairs}). {verdict}"


def groups_table(several: Iterable[Groups]) -> pd.DataFrame:
    """Return a row per group, and one per gap: instance, column, metric, of, group, figure, low, high, method, items, clips."""
    rows: list[tuple[object, ...]] = []
    for each in several:
        of_all = (each.instance, each.column, each.metric, each.of)
        rows += [
            (*of_all, found.group, finite_or_none(found.value), *_ends(found.interval), found.n_items, found.n_clips)
            for found in each.figures
        ]
        if each.gap is not None:
            name = f"gap: {each.gap.higher} less {each.gap.lower}"
            rows.append((*of_all, name, each.gap.value, *_ends(each.gap.interval), None, None))
    names = ["instance", "column", "metric", "of", "group", "figure", "low", "high", "method", "items", "clips"]
    return pd.DataFrame(rows, columns=names).astype({"low": float, "high": float, "items": "Int64", "clips": "Int64"})


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


class _Members:
    """The test examples of a group, by item.

    Attributes:
        items: intp (n_items,), the numbers of the items that have examples in the group.
        n_clips: How many clips of it were tested.
        bounds: Of the metric.
        is_too_large: Whether an interval, for which each item is left out once, would take minutes.
    """

    def __init__(self, tested: Answers, column: GroupColumn, group: str, metric: Metric) -> None:
        self._repeats, self._metric, self.bounds = tested.repeats, metric, metric.bounds
        clips = set(column.groups.index[column.groups == group])
        self._rows: list[dict[int, NDArray[np.intp]]] = []
        for each in tested.repeats:
            rows = np.flatnonzero(pd.Series(each.clips).isin(clips))
            order = rows[np.argsort(each.items[rows], kind="stable")]
            items, first = np.unique(each.items[order], return_index=True)
            self._rows.append(dict(zip(items.tolist(), np.split(order, first[1:]), strict=True)) if len(rows) else {})
        self.items = np.array(sorted(self._rows[0]), np.intp)
        self.n_clips = len(clips & set(tested.repeats[0].clips))
        n_values = sum(each.predictions[0].size for each in tested.repeats) * sum(map(len, self._rows[0].values()))
        self.is_too_large = not metric.is_mean and n_values * len(self.items) > MOST_VALUES_OF_INTERVAL
        self._values = np.array([self._pooled([item]) for item in self.items.tolist()]) if metric.is_mean else None

    def figure(self, places: NDArray[np.intp]) -> float:
        """Return the figure of some of the items, by their places in `items`; NaN of none."""
        if not len(places):
            return math.nan
        return self._pooled(self.items[places].tolist()) if self._values is None else float(self._values[places].mean())

    def all(self) -> float:
        """Return the figure of all items."""
        return self.figure(np.arange(len(self.items)))

    def interval(self) -> Interval | None:
        """Return the 95 % interval over the items."""
        if self._values is not None:
            return mean_interval(self._values, bounds=self._metric.bounds) if np.isfinite(self._values).all() else None
        if self.is_too_large:
            return None
        return figure_interval(len(self.items), self.figure, bounds=self._metric.bounds, bootstrap=False)

    def _pooled(self, items: Sequence[int]) -> float:
        figures = []
        for each, rows in zip(self._repeats, self._rows, strict=True):
            chosen = np.concatenate([rows[item] for item in items])
            figures.append(self._metric.function(each.targets[chosen], each.predictions[chosen]))
        return float(np.mean(figures))


def _find_gap(figures: Sequence[GroupFigure], members: dict[str, _Members]) -> Gap | None:
    """Return the largest difference between groups."""
    compared = sorted((each for each in figures if each.n_items >= FEWEST_ITEMS and math.isfinite(each.value)), key=_value)
    if len(compared) < 2:
        return None
    low, high = compared[0], compared[-1]
    first, second = members[high.group], members[low.group]
    n_pairs = len(compared) * (len(compared) - 1) // 2
    confidence = 1 - _LEVEL / n_pairs
    is_within = bool(np.isin(first.items, second.items).any())
    if first.is_too_large or second.is_too_large:
        return Gap(high.group, low.group, high.value - low.value, None, n_pairs, is_within)
    if is_within:
        everyone = np.union1d(first.items, second.items)

        def difference(drawn: NDArray[np.intp]) -> float:
            return math.fsum(
                sign * each.figure(np.flatnonzero(np.isin(each.items, everyone[drawn])))
                for sign, each in ((1, first), (-1, second))
            )

        interval = figure_interval(len(everyone), difference, bounds=None, confidence=confidence, bootstrap=False)
    else:
        interval = independent_difference(
            len(first.items), first.figure, len(second.items), second.figure, confidence=confidence
        )
    if interval is not None:
        ends = cut_difference(interval.low, interval.high, first.bounds)
        interval = interval._replace(low=ends[0], high=ends[1])
    return Gap(high.group, low.group, high.value - low.value, interval, n_pairs, is_within)


def _value(figure: GroupFigure) -> float:
    return figure.value
