"""The sheet *items*: a metric of each test item by each instance, the worst items first, with a colour scale.

Where every clip is a separate item and either right or wrong, there is a row for all clips that equally many instances get
right.
"""

from collections.abc import Sequence
from itertools import groupby
from math import ceil

from xval.answers.summary import metric_words
from xval.answers.training_runs import ItemRow, rank_items
from xval.base.errors import capital, first_of
from xval.report.workbook import cells
from xval.report.workbook.contents import Contents
from xval.report.workbook.sheet import Sheet

POSITION = 5

_FIRST = ("item", "fold", "clips", "mean")
_MOST_NAMED = 30  # clips
_WIDTH_OF_NAMES = 120
_SCORE_COLOURS = ("F8696B", "FFEB84", "63BE7B")  # red, yellow, green


def fill(sheet: Sheet, contents: Contents) -> None:
    """Write a row per item; per share of instances that are right, where every clip is an item and right or wrong."""
    instances = contents.instances
    metric, scores, rows = rank_items(instances)
    if rows and metric == "accuracy" and all(row.n_clips == 1 for row in rows):
        _fill_with_clips(sheet, rows)
        return
    titles = [cells.title_of(instance.number, contents.names[instance.number]) for instance in instances]
    sheet.put_header([*_FIRST, *titles], height=max(64, 18 * ceil(max(map(len, titles)) / 12)))
    number_format = cells.metric_format(scores)
    for number, row in enumerate(rows, start=2):
        fold = row.folds[0] if len(row.folds) == 1 else ", ".join(map(str, row.folds))
        for column, value in enumerate((row.item, fold, row.n_clips), start=1):
            sheet.put(number, column, value)
        for column, score in enumerate((row.mean, *row.values), start=len(_FIRST)):
            sheet.put(number, column, score, number_format)
    last_row, last_column = len(rows) + 1, len(_FIRST) + len(instances)
    colours = _SCORE_COLOURS if scores else _SCORE_COLOURS[::-1]
    for first, last in ((len(_FIRST), len(_FIRST)), (len(_FIRST) + 1, last_column)):
        sheet.add_scale(range(2, max(last_row, 2) + 1), range(first, last + 1), _colour_scale(colours))
    sheet.set_width(1, cells.text_width([row.item for row in rows], lowest=12))
    for column in range(len(_FIRST), last_column + 1):
        sheet.set_width(column, 10 if column == len(_FIRST) else 14)
    what = "of the decision for" if instances[0].decides_items else "on the clips of"
    notes = (
        f"{capital(metric_words(metric))} {what} each item in its test fold (mean over repeats and seeds), worst score first.",
        (
            "mean: over the instances that have tested every item, so that items are comparable; over all instances if there "
            "are none."
        ),
    )
    sheet.put_notes(last_row + 2, notes)
    sheet.made.freeze_panes(1, len(_FIRST))
    sheet.add_filter(1, last_row, last_column)
    sheet.set_up_page(header_rows=1)


def _fill_with_clips(sheet: Sheet, rows: Sequence[ItemRow]) -> None:
    """Write a row for all clips of the same mean, the hardest first."""
    sheet.put_header(("mean accuracy", "clips", "share of clips", "which"))
    for column, width in enumerate((12, 10, 10, _WIDTH_OF_NAMES), start=1):
        sheet.set_width(column, width)
    number = 1
    for mean, group in groupby(rows, key=lambda row: row.mean):
        names = [row.item for row in group]
        number += 1
        values = (mean, len(names), len(names) / len(rows), first_of(names, _MOST_NAMED))
        for column, (value, number_format) in enumerate(
            zip(values, (cells.SCORE_FORMAT, "0", "0.0%", ""), strict=True), start=1
        ):
            sheet.put(number, column, value, number_format, cells.WRAPPED)
        sheet.fit_height(number)
    notes = (
        f"Every clip is its own item and is right or wrong: the {len(rows)} clips by their mean over instances.",
        "0: no instance predicts them correctly; 1: all do. If some instances have tested every clip, only these count.",
        (
            "If clips share speakers or recordings, this split does not show performance on unseen ones. All predictions: "
            "predictions.parquet."
        ),
    )
    sheet.put_notes(number + 2, notes)
    sheet.made.freeze_panes("A2")
    sheet.add_filter(1, number, 4)
    sheet.set_up_page(header_rows=1)


def _colour_scale(colours: Sequence[str]) -> dict[str, object]:
    low, middle, high = (f"#{colour}" for colour in colours)
    return {
        "type": "3_color_scale", "min_type": "min", "min_color": low, "mid_type": "percentile", "mid_value": 50,
        "mid_color": middle, "max_type": "max", "max_color": high,
    }  # fmt: skip
