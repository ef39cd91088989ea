"""The sheet *summary*: a row per instance, what it is, what it reaches, and who is best in each column.

Comes in: metric dicts and their ranking. Goes out: a header of three rows (what, chance level, mean and std), a row per
instance, and notes on how to read it.
"""

from collections.abc import Sequence

from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from xval.results.ranking import Best, Ranking, describe_selection, find_best, format_chance, format_folds
from xval.results.summary import (
    SIDE_NAMES,
    Figure,
    MetricDict,
    chance_level,
    differing_parameters,
    direction,
    figure,
    metric_columns,
)
from xval.results.workbook import cells

HEADER_ROWS = 3
LAST_COLUMNS = ("time (s)", "parameters", "folds")
_NOTES = (
    "Yellow: the selected instance. Red: a fold failed; the sheet folds has the error.",
    "Green: best mean of the column; blue: smallest standard deviation. Equal ones are all marked.",
    "Only instances with values in the most folds compete. Nothing is marked where only one instance has values.",
    "std: sample standard deviation over folds (n - 1).",
    "A metric that has no value in any fold, because it is undefined there, has no column.",
    "training: as training followed it in the best epoch; with evaluate_training = true, every metric of the finished model.",
    "(n=4): fewer folds than the experiment has are in this figure: they are not done, failed, or have no value (NaN).",
    "chance: the same metric, mean over folds, of always answering the class shares (mean target) of the training examples.",
)


def fill(sheet: Worksheet, metric_dicts: Sequence[MetricDict], ranking: Ranking) -> None:
    """Fill the sheet.

    Args:
        sheet: An empty sheet.
        metric_dicts: By instance number, at least one.
        ranking: Of these instances.
    """
    differing = differing_parameters([metric_dict["parameters"] for metric_dict in metric_dicts])
    names = ("instance", "comment_1", "comment_2", "architecture", *differing)
    pairs = metric_columns(metric_dicts)
    first_last = len(names) + 1 + 2 * len(pairs)
    last_column = first_last + len(LAST_COLUMNS) - 1
    for row, metric_dict in enumerate(metric_dicts, start=HEADER_ROWS + 1):
        _put_identity(sheet, row, metric_dict, names)
        cells.put(sheet, row, first_last, metric_dict["seconds"], cells.COUNT_FORMAT)
        cells.put(sheet, row, first_last + 1, metric_dict["n_parameters"], cells.COUNT_FORMAT)
        cells.put(sheet, row, last_column, format_folds(metric_dict)).alignment = cells.RIGHT
        if metric_dict["folds_failed"]:
            cells.redden(sheet, row, last_column)
        if metric_dict["instance"] == ranking.selected:
            sheet.cell(row, 1).font, sheet.cell(row, 1).fill = cells.SELECTED_FONT, cells.SELECTED_FILL
    for column, name in [*enumerate(names, start=1), *enumerate(LAST_COLUMNS, start=first_last)]:
        _put_tall_header(sheet, column, name, len(metric_dicts))
    for position, (side, metric) in enumerate(pairs):
        _put_metric(sheet, len(names) + 1 + 2 * position, side, metric, metric_dicts)
    last_row = HEADER_ROWS + len(metric_dicts)
    cells.put_notes(sheet, last_row + 2, (describe_selection(metric_dicts), *_NOTES))
    sheet.row_dimensions[1].height = 32
    sheet.freeze_panes = sheet.cell(HEADER_ROWS + 1, 3)
    sheet.auto_filter.ref = f"A{HEADER_ROWS}:{get_column_letter(last_column)}{last_row}"
    cells.set_up_page(sheet, header_rows=HEADER_ROWS)
    cells.split_pages(sheet, cells.side_blocks(pairs, len(names) + 1, 2), last_row, last_column, title_columns=2)


def _put_identity(sheet: Worksheet, row: int, metric_dict: MetricDict, names: Sequence[str]) -> None:
    number = metric_dict["instance"]
    cells.link(cells.put(sheet, row, 1, number), f"instance_{number}")
    for column, name in enumerate(names[1:], start=2):
        if name in metric_dict["parameters"]:
            cells.put(sheet, row, column, cells.parameter_value(metric_dict["parameters"][name]))


def _put_tall_header(sheet: Worksheet, column: int, name: str, n_rows: int) -> None:
    """Write a header over all header rows and fit the column to what stands under it."""
    sheet.merge_cells(start_row=1, end_row=HEADER_ROWS, start_column=column, end_column=column)
    cells.style_header(cells.put(sheet, 1, column, name))
    texts = [sheet.cell(row, column).value for row in range(HEADER_ROWS + 1, HEADER_ROWS + 1 + n_rows)]
    cells.set_width(sheet, column, cells.text_width([name, *texts], highest=36))


def _put_metric(sheet: Worksheet, column: int, side: str, metric: str, metric_dicts: Sequence[MetricDict]) -> None:
    """Write the header, the means and the deviations of a metric of a side, and mark the best."""
    level = format_chance(chance_level(metric_dicts, metric)) if side.endswith("test") else ""
    for row, text in ((1, f"{SIDE_NAMES[side]} {metric}"), (2, level)):
        sheet.merge_cells(start_row=row, end_row=row, start_column=column, end_column=column + 1)
        cells.style_header(cells.put(sheet, row, column, text), side)
    for offset, text in enumerate(("mean", "std")):
        cells.style_header(cells.put(sheet, HEADER_ROWS, column + offset, text), side)
    best = find_best(metric_dicts, side, metric)
    number_format = cells.metric_format(direction(metric_dicts, metric))
    width = max(len(metric) / 2 + 1, 8)
    for row, metric_dict in enumerate(metric_dicts, start=HEADER_ROWS + 1):
        if metric in metric_dict["summary"].get(side, {}):
            found = figure(metric_dict, side, metric)
            partial = f'" (n={found["n"]})"' if 0 < found["n"] < metric_dict["folds_total"] else ""
            _put_figure(sheet, row, column, found, number_format, partial)
            _mark_best(sheet, row, column, metric_dict["instance"], best)
            width = max(width, len(f"{found['mean'] or 0:.3f}{partial}") + 2)
    cells.set_width(sheet, column, width)
    cells.set_width(sheet, column + 1, max(len(metric) / 2 + 1, 8))


def _put_figure(sheet: Worksheet, row: int, column: int, found: Figure, number_format: str, partial: str) -> None:
    """Write a mean, which says of how many folds where some are missing, and its deviation."""
    mean_format = ";".join(f"{part}{partial}" for part in number_format.split(";"))
    cells.put(sheet, row, column, cells.metric_value(found["mean"]), mean_format)
    if found["std"] is None:
        cells.put(sheet, row, column + 1, "-").alignment = cells.RIGHT
    else:
        cells.put(sheet, row, column + 1, found["std"], number_format)


def _mark_best(sheet: Worksheet, row: int, column: int, instance: int, best: Best) -> None:
    if instance in best.mean:
        cell = sheet.cell(row, column)
        cell.font, cell.fill = cells.GREEN_FONT, cells.GREEN_FILL
    if instance in best.std:
        cell = sheet.cell(row, column + 1)
        cell.font, cell.fill = cells.BLUE_FONT, cells.BLUE_FILL
