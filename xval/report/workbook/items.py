"""The sheet *items*: a metric of each test item by each instance, the worst items first.

Comes in: metric dicts. Goes out: a row per item, a column per instance, and a colour scale. Where every clip is an item of its
own and either right or wrong, there is a row for all clips that equally many instances get right.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from math import ceil
from statistics import fmean
from typing import Any, NamedTuple

from xval.answers.deals import item_means
from xval.answers.summary import MetricDict, done_records
from xval.base.errors import first_of
from xval.base.numbers import finite_or_none
from xval.measures.task import find_task
from xval.report.workbook import cells
from xval.report.workbook.contents import Contents
from xval.report.workbook.sheet import Sheet

POSITION = 5

_FIRST = ("item", "fold", "clips", "mean")
_MOST_NAMED = 30  # clips
_WIDTH_OF_NAMES = 120
_SCORE_COLOURS = ("F8696B", "FFEB84", "63BE7B")  # red, yellow, green


class _Row(NamedTuple):
    """One item, the folds that test it, and its metric by each instance (None: that fold is not done, NaN: undefined)."""

    item: str
    fold: int | str
    n_clips: int
    mean: float | None
    values: list[float | None]


def fill(sheet: Sheet, contents: Contents) -> None:
    """Fill an empty sheet."""
    metric_dicts = contents.metric_dicts
    task = find_task(metric_dicts[0]["task_type"])
    metric = task.item_metric
    scores = task.higher_is_better(metric)
    rows = _rows(metric_dicts, metric)
    rows.sort(key=lambda row: (row.mean is None, (row.mean or 0.0) * (1 if scores else -1), row.item))
    if rows and metric == "accuracy" and all(row.n_clips == 1 for row in rows):
        _fill_with_clips(sheet, rows)
        return
    titles = [cells.title_of(metric_dict) for metric_dict in metric_dicts]
    sheet.put_header([*_FIRST, *titles], height=max(64, 18 * ceil(max(map(len, titles)) / 12)))
    number_format = cells.metric_format(scores)
    for number, row in enumerate(rows, start=2):
        for column, value in enumerate((row.item, row.fold, row.n_clips), start=1):
            sheet.put(number, column, value)
        for column, figure in enumerate((row.mean, *row.values), start=len(_FIRST)):
            sheet.put(number, column, figure, number_format)
    last_row, last_column = len(rows) + 1, len(_FIRST) + len(metric_dicts)
    colours = _SCORE_COLOURS if scores else _SCORE_COLOURS[::-1]
    for first, last in ((len(_FIRST), len(_FIRST)), (len(_FIRST) + 1, last_column)):
        sheet.add_scale(range(2, max(last_row, 2) + 1), range(first, last + 1), _colour_scale(colours))
    sheet.set_width(1, cells.text_width([row.item for row in rows], lowest=12))
    for column in range(len(_FIRST), last_column + 1):
        sheet.set_width(column, 10 if column == len(_FIRST) else 14)
    notes = (
        f"{metric} on the clips of each item, from the fold that tests it (fold_repeats: their mean); the worst item first.",
        "mean: over the instances that have tested every item, so that items compare; over all instances while there are none.",
    )
    sheet.put_notes(last_row + 2, notes)
    sheet.made.freeze_panes(1, len(_FIRST))
    sheet.add_filter(1, last_row, last_column)
    sheet.set_up_page(header_rows=1)


def _fill_with_clips(sheet: Sheet, rows: Sequence[_Row]) -> None:
    """Write a row for all clips of the same mean, the hardest first."""
    sheet.put_header(("mean accuracy", "clips", "share of clips", "which"))
    number = 1
    for mean, group in groupby(rows, key=lambda row: row.mean):
        names = [row.item for row in group]
        number += 1
        values = (mean, len(names), len(names) / len(rows), first_of(names, _MOST_NAMED))
        for column, (value, number_format) in enumerate(
            zip(values, (cells.SCORE_FORMAT, "0", "0.0%", ""), strict=True), start=1
        ):
            sheet.put(number, column, value, number_format, cells.WRAPPED)
        sheet.made.set_row(number - 1, 15 * ceil(len(str(values[-1])) / (_WIDTH_OF_NAMES - 10)))
    for column, width in enumerate((12, 10, 10, _WIDTH_OF_NAMES), start=1):
        sheet.set_width(column, width)
    notes = (
        f"Every clip is an item of its own, and right or wrong: here are the {len(rows)} clips by their mean over instances.",
        "0: no instance gets them right; 1: all do. Only instances that have tested every clip count, while there are such.",
        "If clips share speakers or recordings, this split tells nothing of unseen ones. Every answer: predictions.parquet.",
    )
    sheet.put_notes(number + 2, notes)
    sheet.made.freeze_panes("A2")
    sheet.add_filter(1, number, 4)
    sheet.set_up_page(header_rows=1)


def _rows(metric_dicts: Sequence[MetricDict], metric: str) -> list[_Row]:
    by_instance = [_by_item(metric_dict) for metric_dict in metric_dicts]
    items = list(dict.fromkeys(item for found in by_instance for item in found))
    complete = [len(found) == len(items) for found in by_instance]
    rows = []
    for item in items:
        fold, facts = next(found[item] for found in by_instance if item in found)
        values = [cells.metric_value(found[item][1].get(metric)) if item in found else None for found in by_instance]
        counted = [finite_or_none(value) for value, whole in zip(values, complete, strict=True) if whole or not any(complete)]
        numbers = [number for number in counted if number is not None]
        rows.append(_Row(item, fold, facts["n_clips"], fmean(numbers) if numbers else None, values))
    return rows


def _by_item(metric_dict: MetricDict) -> dict[str, tuple[int | str, Mapping[str, Any]]]:
    """Return the fold that tests each item, or those of several deals as text, and its figures, averaged over these."""
    folds: dict[str, list[int]] = {}
    for record in done_records(metric_dict):
        for item in record["item_metrics"]["test"]:
            folds.setdefault(item, []).append(record["fold"])
    return {
        item: (folds[item][0] if len(folds[item]) == 1 else ", ".join(map(str, folds[item])), figures)
        for item, figures in item_means(metric_dict).items()
    }


def _colour_scale(colours: Sequence[str]) -> dict[str, object]:
    low, middle, high = (f"#{colour}" for colour in colours)
    return {
        "type": "3_color_scale", "min_type": "min", "min_color": low, "mid_type": "percentile", "mid_value": 50,
        "mid_color": middle, "max_type": "max", "max_color": high,
    }  # fmt: skip
