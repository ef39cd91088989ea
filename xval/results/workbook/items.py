"""The sheet *items*: a metric of each test item by each instance, the worst items first.

Comes in: metric dicts. Goes out: a row per item, a column per instance, and a colour scale.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from openpyxl.formatting.rule import ColorScaleRule
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from xval.results.summary import MetricDict, done_records, value_of
from xval.results.workbook import cells
from xval.results.workbook.contents import Contents
from xval.settings.tasks import find_task

POSITION = 4

_FIRST = ("item", "fold", "clips", "mean")
_SCORE_COLOURS = ("F8696B", "FFEB84", "63BE7B")  # red, yellow, green


class _Row(NamedTuple):
    """One item, and its metric by each instance (None: that fold is not done, NaN: undefined)."""

    item: str
    fold: int
    n_clips: int
    mean: float | None
    values: list[float | None]


def fill(sheet: Worksheet, contents: Contents) -> None:
    """Fill an empty sheet."""
    metric_dicts = contents.metric_dicts
    task = find_task(metric_dicts[0]["task_type"])
    metric = task.item_metric
    scores = task.higher_is_better(metric)
    rows = _rows(metric_dicts, metric)
    rows.sort(key=lambda row: (row.mean is None, (row.mean or 0.0) * (1 if scores else -1), row.item))
    cells.put_header(sheet, [*_FIRST, *(cells.title_of(metric_dict) for metric_dict in metric_dicts)], height=64)
    number_format = cells.metric_format(scores)
    for number, row in enumerate(rows, start=2):
        for column, value in enumerate((row.item, row.fold, row.n_clips), start=1):
            cells.put(sheet, number, column, value)
        for column, figure in enumerate((row.mean, *row.values), start=len(_FIRST)):
            cells.put(sheet, number, column, figure, number_format)
    last_row, last_column = len(rows) + 1, len(_FIRST) + len(metric_dicts)
    colours = _SCORE_COLOURS if scores else _SCORE_COLOURS[::-1]
    for first, last in ((len(_FIRST), len(_FIRST)), (len(_FIRST) + 1, last_column)):
        block = f"{get_column_letter(first)}2:{get_column_letter(last)}{max(last_row, 2)}"
        sheet.conditional_formatting.add(block, _colour_scale(colours))
    cells.set_width(sheet, 1, cells.text_width([row.item for row in rows], lowest=12))
    for column in range(len(_FIRST), last_column + 1):
        cells.set_width(sheet, column, 10 if column == len(_FIRST) else 14)
    notes = (
        f"{metric} on the clips of each item, from the fold that tests it; the item with the worst mean first.",
        "mean: over the instances that have tested every item, so that items compare; over all instances while there are none.",
    )
    cells.put_notes(sheet, last_row + 2, notes)
    sheet.freeze_panes = sheet.cell(2, len(_FIRST) + 1)
    sheet.auto_filter.ref = f"A1:{get_column_letter(last_column)}{last_row}"
    cells.set_up_page(sheet, header_rows=1)


def _rows(metric_dicts: Sequence[MetricDict], metric: str) -> list[_Row]:
    by_instance = [_by_item(metric_dict) for metric_dict in metric_dicts]
    items = list(dict.fromkeys(item for found in by_instance for item in found))
    complete = [len(found) == len(items) for found in by_instance]
    rows = []
    for item in items:
        fold, facts = next(found[item] for found in by_instance if item in found)
        values = [cells.metric_value(found[item][1].get(metric)) if item in found else None for found in by_instance]
        counted = [value_of(value) for value, whole in zip(values, complete, strict=True) if whole or not any(complete)]
        numbers = [number for number in counted if number is not None]
        rows.append(_Row(item, fold, facts["n_clips"], fmean(numbers) if numbers else None, values))
    return rows


def _by_item(metric_dict: MetricDict) -> dict[str, tuple[int, Mapping[str, Any]]]:
    """Return the fold that tests each item, and its figures there."""
    return {
        item: (record["fold"], figures)
        for record in done_records(metric_dict)
        for item, figures in record["item_metrics"]["test"].items()
    }


def _colour_scale(colours: Sequence[str]) -> ColorScaleRule:
    low, middle, high = colours
    return ColorScaleRule(
        start_type="min", start_color=low, mid_type="percentile", mid_value=50, mid_color=middle, end_type="max", end_color=high
    )
