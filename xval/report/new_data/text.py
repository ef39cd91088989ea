"""The text of an evaluation, warnings before scores, for the terminal and report.txt."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pandas as pd

from xval.answers.score_text import rounded
from xval.answers.summary import metric_words
from xval.base.errors import counted
from xval.base.item_word import call_items
from xval.measures.statistics.intervals import FEWEST_ITEMS, Interval
from xval.measures.task import find_task
from xval.reuse.new_data.evaluation import Outcome
from xval.reuse.new_data.scores import NewDataScores

_MOST_CLASSES, _MOST_ITEMS, _MOST_CONFUSIONS = 20, 5, 5
_LABEL_WIDTH = 13
_MOST_COUNTED = 1e9


class Subject(NamedTuple):
    """The model and the data of an evaluation.

    Attributes:
        model: A description of the model.
        data: The path or name that the user gave.
    """

    model: str
    data: str
    task_type: str
    class_names: tuple[str, ...]


def describe(subject: Subject, outcome: Outcome) -> list[str]:
    """Return the lines of the report."""
    scores = outcome.scores
    n_clips, n_items, word = len(outcome.clips), outcome.clips.table["item"].nunique(), outcome.clips.item_word
    lines = [
        _labelled("Model", subject.model),
        _labelled("Data", f"{subject.data}: {counted(n_clips, _noun(subject))} of {counted(n_items, word)}"),
    ]
    if len(outcome.left_out):
        lines.append(_labelled("Left out", f"{counted(len(outcome.left_out), _noun(subject))}, listed in left_out.csv"))
    lines += [_labelled("Warning", warning) for warning in outcome.warnings]
    lines += ["", *_score_lines(scores, word)]
    if caution := Interval(0, 1, n_items, "").caution:
        fewest = f"; intervals need {FEWEST_ITEMS} items" if n_items < FEWEST_ITEMS else ""
        lines.append(call_items(f"({caution}{fewest})", word))
    if scores.class_metrics is not None:
        lines += ["", *_class_lines(scores.class_metrics)]
    if scores.confusion_matrix is not None:
        lines += _confusion_lines(scores.confusion_matrix, subject.class_names)
    if len(scores.item_metrics) > 1:
        lines += ["", *_item_lines(scores, subject.task_type, word)]
    if scores.calibration is not None:
        calibration = scores.calibration
        lines += [
            "",
            f"Calibration: largest error in {len(calibration.counts)} bins (MCE) {calibration.mce:.3f}",
        ]
    return lines


def item_metric(scores: NewDataScores, task_type: str) -> str:
    """Return the metric that compares items: the first main metric that they have."""
    known = {name for metrics in scores.item_metrics.values() for name in metrics}
    return next(name for name in find_task(task_type).main_metrics if name in known)


def worst_items(scores: NewDataScores, task_type: str) -> list[tuple[str, dict[str, float]]]:
    """Return the items, the worst first, items without a value last."""
    metric = item_metric(scores, task_type)
    sign = 1 if find_task(task_type).higher_is_better(metric) else -1

    def key(entry: tuple[str, dict[str, float]]) -> tuple[bool, float]:
        value = entry[1].get(metric, math.nan)
        return math.isnan(value), 0.0 if math.isnan(value) else sign * value

    return sorted(scores.item_metrics.items(), key=key)


def number(value: float) -> str:
    """Return a score with three decimals, or ``NaN``."""
    return "NaN" if math.isnan(value) else rounded(value)[0]


def _score_lines(scores: NewDataScores, word: str) -> Iterator[str]:
    width = max(len(metric_words(name)) for name in scores.metrics)
    for name, value in scores.metrics.items():
        interval = scores.intervals.get(name)
        between = f"   (no interval: {call_items(scores.too_few[name], word)})" if name in scores.too_few else ""
        if interval:
            how = f"95 %, {interval.method}, over {counted(interval.n_items, word)}"
            between = f"   {' to '.join(rounded(interval.low, interval.high))} ({how})"
        yield f"{metric_words(name):{width}}  {number(value):>8}{between}"


def _class_lines(table: pd.DataFrame) -> list[str]:
    shown = table
    if len(table) > _MOST_CLASSES:
        by = "f1" if "f1" in table else "event_f1"
        shown = table.sort_values(by, kind="stable", na_position="last").head(_MOST_CLASSES)
    lines = align(
        ["class", *(metric_words(name.removeprefix("n_")) for name in shown.columns)],
        [[str(name), *map(_cell, row)] for name, *row in shown.itertuples()],
    )
    if len(shown) < len(table):
        lines.append(f"({len(shown)} of {len(table)} classes, those with the lowest F1; all are in classes.csv)")
    return lines


def _confusion_lines(matrix: Sequence[Sequence[int]], class_names: Sequence[str]) -> list[str]:
    pairs = [
        (count, count / sum(row), class_names[true], class_names[predicted])
        for true, row in enumerate(matrix)
        for predicted, count in enumerate(row)
        if count and true != predicted
    ]
    most = sorted(pairs, key=lambda pair: (-pair[0], -pair[1]))[:_MOST_CONFUSIONS]
    if not most:
        return []
    rows = [[f"{true} -> {predicted}", str(count), f"{100 * share:.0f} %"] for count, share, true, predicted in most]
    return ["", *align(["true -> predicted", "count", "of the class"], rows)]


def _item_lines(scores: NewDataScores, task_type: str, word: str) -> list[str]:
    metric = item_metric(scores, task_type)
    listed = worst_items(scores, task_type)
    shown = listed[:_MOST_ITEMS]
    rows = [[name, number(metrics.get(metric, math.nan)), f"{metrics['n_clips']:.0f}"] for name, metrics in shown]
    rest = f"({len(shown)} of {counted(len(listed), word)}, the worst first; all are in items.csv)"
    return [*align([word, metric_words(metric), "clips"], rows), *([rest] if len(shown) < len(listed) else [])]


def align(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table as lines, with the first column left-aligned and the others right-aligned."""
    all_rows = [header, *rows]
    widths = [max(len(row[column]) for row in all_rows) for column in range(len(header))]
    return [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))])
        for row in all_rows
    ]


def _cell(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    is_count = 1 < value < _MOST_COUNTED and value == int(value)
    return f"{value:.0f}" if is_count else number(value)


def _labelled(label: str, text: str) -> str:
    return f"{label:{_LABEL_WIDTH}}{text}"


def _noun(subject: Subject) -> str:
    return find_task(subject.task_type).clip_word
