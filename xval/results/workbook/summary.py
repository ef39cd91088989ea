"""The sheet *summary*: a row per instance with its parameters and figures; the best of each column are marked.

Comes in: metric dicts, their ranking and the findings. Goes out: a header of three rows (metric, chance level, mean and std, of
test figures also the interval), a row per instance, the findings and notes.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from textwrap import wrap

from openpyxl.comments import Comment
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from xval.metrics.registry import describe
from xval.results.ranking import Best, describe_selection, find_best, format_chance, format_folds, format_interval
from xval.results.repeats import parameters_of, seed_twins
from xval.results.summary import (
    SIDE_NAMES,
    Figure,
    MetricDict,
    chance_level,
    differing_parameters,
    direction,
    figure,
    item_figure,
    metric_columns,
    shown_parameter,
)
from xval.results.workbook import cells
from xval.results.workbook.contents import Contents
from xval.results.workbook.folding import describe_folded, fold_equal
from xval.settings.tasks import find_task

POSITION = 1

HEADER_ROWS = 3
_LONGEST_LINE = 160
LAST_COLUMNS = ("time (s)", "parameters", "folds")
_NOTES = (
    "Yellow: the selected instance. Red: a fold failed; the sheet folds has the error.",
    "Green: best mean of the column (bold), and every mean whose difference to it lies within its 95 % interval (corrected t).",
    "Blue: smallest standard deviation (bold), and every one that an F test at 5 % does not tell from it.",
    "Only instances with values in the most folds compete. Nothing is marked where only one instance has values.",
    "std: sample standard deviation over folds (n - 1), with several deals over the folds of all of them.",
    "95 % over items: what other items may change; t below 20 items and for pooled figures, BCa bootstrap from 20 items on.",
    "pooled: of all test examples of all folds together; it is there where a fold cannot have the figure of the whole corpus.",
    "A metric that is undefined in every fold and pooled has no column. The sheet figures has all figures over items.",
    "training: as training followed it in the best epoch; with evaluate_training = true, every metric of the finished model.",
    "(n=4): fewer folds than the experiment has are in this figure: they are not done, failed, or have no value (NaN).",
    "chance: what the best strategy reaches that does not listen, in the unit of the figure; the sheet figures names it.",
)


def fill(sheet: Worksheet, contents: Contents) -> None:
    """Fill an empty sheet."""
    metric_dicts, ranking = contents.metric_dicts, contents.ranking
    differing = differing_parameters([metric_dict["parameters"] for metric_dict in metric_dicts])
    names = ("instance", "comment_1", "comment_2", "architecture", *differing)
    pairs = metric_columns(metric_dicts)
    twins = seed_twins(parameters_of(metric_dicts))
    firsts = list(accumulate((_n_columns(*pair, metric_dicts) for pair in pairs), initial=len(names) + 1))
    first_last = firsts[-1]
    last_column = first_last + len(LAST_COLUMNS) - 1
    for row, metric_dict in enumerate(metric_dicts, start=HEADER_ROWS + 1):
        _put_identity(sheet, row, metric_dict, names)
        cells.put(sheet, row, first_last, metric_dict["seconds"], cells.COUNT_FORMAT)
        cells.put(sheet, row, first_last + 1, metric_dict["n_parameters"], cells.COUNT_FORMAT)
        cells.style(cells.put(sheet, row, last_column, format_folds(metric_dict)), alignment=cells.RIGHT)
        if metric_dict["folds_failed"]:
            cells.redden(sheet, row, last_column)
        if metric_dict["instance"] == ranking.selected:
            sheet.cell(row, 1).font, sheet.cell(row, 1).fill = cells.SELECTED_FONT, cells.SELECTED_FILL
    for column, name in [*enumerate(names, start=1), *enumerate(LAST_COLUMNS, start=first_last)]:
        _put_tall_header(sheet, column, name, len(metric_dicts))
    for first, (side, metric) in zip(firsts, pairs, strict=False):
        _put_metric(sheet, first, side, metric, metric_dicts, twins)
    last_row = HEADER_ROWS + len(metric_dicts)
    said = [line for finding in contents.findings for line in wrap(finding.text, _LONGEST_LINE, subsequent_indent=" " * 8)]
    main = find_task(metric_dicts[0]["task_type"]).main_metrics
    blocks = [range(column, column + 1) for column in (*range(2, len(names) + 1), first_last + 1)]
    blocks += [range(*ends) for ends, (_, metric) in zip(pairwise(firsts), pairs, strict=True) if metric not in main]
    folded = describe_folded(fold_equal(sheet, range(HEADER_ROWS + 1, last_row + 1), blocks))
    notes = (describe_selection(metric_dicts), *_deviation_note(metric_dicts), *folded, *_NOTES)
    cells.put_notes(sheet, last_row + 2, notes, said)
    sheet.row_dimensions[1].height = 32
    sheet.freeze_panes = sheet.cell(HEADER_ROWS + 1, 3)
    sheet.auto_filter.ref = f"A{HEADER_ROWS}:{get_column_letter(last_column)}{last_row}"
    cells.set_up_page(sheet, header_rows=HEADER_ROWS)
    breaks = [*range(4, firsts[0]), *firsts]
    cells.split_pages(sheet, cells.side_blocks(pairs, firsts), last_row, last_column, title_columns=2, breaks=breaks)


def _put_identity(sheet: Worksheet, row: int, metric_dict: MetricDict, names: Sequence[str]) -> None:
    number = metric_dict["instance"]
    cells.link(cells.put(sheet, row, 1, number), f"instance_{number}")
    for column, name in enumerate(names[1:], start=2):
        if name in metric_dict["parameters"]:
            cells.put(sheet, row, column, cells.parameter_value(shown_parameter(metric_dict, name)))


def _put_tall_header(sheet: Worksheet, column: int, name: str, n_rows: int) -> None:
    """Write a header over all header rows, and set the width of its column."""
    sheet.merge_cells(start_row=1, end_row=HEADER_ROWS, start_column=column, end_column=column)
    cells.style_header(cells.put(sheet, 1, column, name))
    texts = [sheet.cell(row, column).value for row in range(HEADER_ROWS + 1, HEADER_ROWS + 1 + n_rows)]
    cells.set_width(sheet, column, cells.text_width([name, *texts], highest=36))


def _put_metric(
    sheet: Worksheet,
    column: int,
    side: str,
    metric: str,
    metric_dicts: Sequence[MetricDict],
    twins: Sequence[tuple[int, ...]],
) -> None:
    """Write the header, the means and the deviations of a metric of a side, and mark the best."""
    level = format_chance(chance_level(metric_dicts, metric, side)) if side.endswith("test") else ""
    n_columns = _n_columns(side, metric, metric_dicts)
    last = column + n_columns - 1
    for row, text in ((1, f"{SIDE_NAMES[side]} {metric}"), (2, level)):
        sheet.merge_cells(start_row=row, end_row=row, start_column=column, end_column=last)
        cells.style_header(cells.put(sheet, row, column, text), side)
    if meaning := describe(metric_dicts[0]["task_type"], metric):
        sheet.cell(1, column).comment = Comment(meaning, "xval", width=360, height=90)
    for offset, text in enumerate(("mean", "std", "95 % over items")[:n_columns]):
        cells.style_header(cells.put(sheet, HEADER_ROWS, column + offset, text), side)
    best = find_best(metric_dicts, side, metric, twins)
    number_format = cells.metric_format(direction(metric_dicts, metric))
    width = max(len(metric) / 2 + 1, 8)
    intervals: list[str] = []
    for row, metric_dict in enumerate(metric_dicts, start=HEADER_ROWS + 1):
        over_items = item_figure(metric_dict, side, metric)
        if over_items is not None and n_columns == 3:
            intervals.append(format_interval(over_items).strip(", "))
            cells.style(cells.put(sheet, row, last, intervals[-1] or "-"), alignment=cells.RIGHT)
        if metric in metric_dict["summary"].get(side, {}):
            found = figure(metric_dict, side, metric)
            partial = f'" (n={found["n"]})"' if 0 < found["n"] < metric_dict["folds_total"] else ""
            _put_figure(sheet, row, column, found, number_format, partial)
            _mark_best(sheet, row, column, metric_dict["instance"], best)
            width = max(width, len(f"{found['mean'] or 0:.3f}{partial}") + 2)
    cells.set_width(sheet, column, width)
    cells.set_width(sheet, column + 1, max(len(metric) / 2 + 1, 8))
    if n_columns == 3:
        cells.set_width(sheet, last, cells.text_width(intervals, lowest=10))


def _put_figure(sheet: Worksheet, row: int, column: int, found: Figure, number_format: str, partial: str) -> None:
    """Write a mean, with the number of folds if some are missing, and its deviation."""
    mean_format = ";".join(f"{part}{partial}" for part in number_format.split(";"))
    cells.put(sheet, row, column, cells.metric_value(found["mean"]), mean_format)
    if found["std"] is None:
        cells.put(sheet, row, column + 1, "-").alignment = cells.RIGHT
    else:
        cells.put(sheet, row, column + 1, found["std"], number_format)


def _mark_best(sheet: Worksheet, row: int, column: int, instance: int, best: Best) -> None:
    """Fill the best and those that tie with it; the best alone are bold."""
    mean, deviation = sheet.cell(row, column), sheet.cell(row, column + 1)
    if instance in best.mean | best.mean_ties:
        cells.style(mean, fill=cells.GREEN_FILL)
    if instance in best.mean:
        mean.font = cells.GREEN_FONT
    if instance in best.std | best.std_ties:
        cells.style(deviation, fill=cells.BLUE_FILL)
    if instance in best.std:
        deviation.font = cells.BLUE_FONT


def _n_columns(side: str, metric: str, metric_dicts: Sequence[MetricDict]) -> int:
    """Return how many columns a metric of a side has: mean and deviation, and an interval.

    The interval is there for the main test figures, and for those that no fold has, with the pooled figure. All others are in
    the sheet figures.
    """
    is_main = metric in find_task(metric_dicts[0]["task_type"]).main_metrics
    needed = is_main or not any(figure(metric_dict, side, metric)["n"] for metric_dict in metric_dicts)
    return 3 if side.endswith("test") and needed else 2


def _deviation_note(metric_dicts: Sequence[MetricDict]) -> Iterator[str]:
    """Yield what the number of folds makes of a smallest deviation."""
    n_folds = max(metric_dict["folds_done"] for metric_dict in metric_dicts)
    if n_folds < 2:
        return
    from scipy.special import chdtri

    low, high = (((n_folds - 1) / float(chdtri(n_folds - 1, tail))) ** 0.5 for tail in (0.025, 0.975))
    yield (
        f"Smallest deviation: over {n_folds} folds the true one is {low:.2f} to {high:.2f} times that shown (95 %, if folds "
        "were independent), so that a small one is mostly luck: no reason to choose an instance."
    )
