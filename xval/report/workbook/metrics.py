"""The sheet *metrics*: a row per instance with every metric of every side.

The header has three rows: metric, chance level, and mean and standard deviation, for the main test metrics also the interval.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise

from xval.answers.score_text import format_chance, format_folds, format_interval, interval_clause, rounded
from xval.answers.summary import chance_level, direction, metric_words, score_name
from xval.base.numbers import finite_or_nan
from xval.measures.metrics import describe
from xval.report.workbook import cells
from xval.report.workbook.contents import Contents
from xval.report.workbook.folding import describe_folded, fold_equal
from xval.report.workbook.sheet import Sheet
from xval.results.instance import FoldSummary, InstanceResults

POSITION = 3.5

HEADER_ROWS = 3
LAST_COLUMNS = ("parameters", "folds")
_NOTES = (
    "std: sample standard deviation over folds (n - 1); over the folds of all repeats.",
    "pooled, over items: interval and chance belong to this value (all test examples; mean over items), not to the mean.",
    "balanced accuracy: the unweighted average recall (UAR). recall has no column where it is the same.",
    "The comment on a metric has the name that --metric takes.",
    "test clip: whole clips, with the predictions for their windows combined; test: windows, if clips are cut into windows.",
    "A metric that is undefined in every fold and pooled has no column. The sheet intervals has all values over items.",
    (
        "training: as measured during training in the best epoch; with evaluate_training = true, every metric of the finished "
        "model."
    ),
    "(n=4): only so many folds are in this value; the others are not done, failed, or have no value (NaN).",
    "chance: the score of the best strategy that ignores the audio; the sheet intervals names it.",
)


def fill(sheet: Sheet, contents: Contents) -> None:
    """Write a row per instance, and fold what is equal in all rows."""
    instances = contents.instances
    names = ("instance", "name")
    pairs = contents.columns
    firsts = list(accumulate((_n_columns(*pair, instances) for pair in pairs), initial=len(names) + 1))
    first_last = firsts[-1]
    last_column = first_last + len(LAST_COLUMNS) - 1
    for row, instance in enumerate(instances, start=HEADER_ROWS + 1):
        number = instance.number
        sheet.put(row, 1, number)
        sheet.link(row, 1, f"instance_{number}")
        sheet.put(row, 2, contents.names[number], "", cells.LEFT)
        sheet.put(row, first_last, instance.n_parameters, cells.COUNT_FORMAT)
        sheet.put(row, last_column, format_folds(instance), "", cells.RIGHT)
        if number == contents.ranking.selected:
            sheet.style(row, 1, cells.SELECTED)
            sheet.style(row, 2, cells.SELECTED_FILL)
    for column, name in [*enumerate(names, start=1), *enumerate(LAST_COLUMNS, start=first_last)]:
        _put_tall_header(sheet, column, name, len(instances))
    for first, (side, metric) in zip(firsts, pairs, strict=False):
        _put_metric(sheet, first, side, metric, instances)
    last_row = HEADER_ROWS + len(instances)
    main = instances[0].task.main_metrics
    blocks = [range(first_last, first_last + 1)]
    blocks += [range(*ends) for ends, (_, metric) in zip(pairwise(firsts), pairs, strict=True) if metric not in main]
    folded = describe_folded(fold_equal(sheet, range(HEADER_ROWS + 1, last_row + 1), blocks))
    clause = interval_clause(instances)
    intervals = [f"95 %: confidence interval {clause}."] if clause else []
    sheet.put_notes(last_row + 2, (*folded, *intervals, *_NOTES))
    sheet.made.set_row(0, 32)
    sheet.made.freeze_panes(HEADER_ROWS, 2)
    sheet.add_filter(HEADER_ROWS, last_row, last_column)
    sheet.set_up_page(header_rows=HEADER_ROWS)
    sheet.split_pages(cells.side_blocks(pairs, firsts), last_row, last_column, title_columns=2, breaks=firsts)


def _put_tall_header(sheet: Sheet, column: int, name: str, n_rows: int) -> None:
    """Write a header over all header rows, and set the width of its column."""
    sheet.merge(range(1, HEADER_ROWS + 1), range(column, column + 1))
    sheet.put(1, column, name, "", cells.HEADER)
    texts = sheet.values(range(HEADER_ROWS + 1, HEADER_ROWS + 1 + n_rows), column)
    sheet.set_width(column, cells.text_width([name, *texts], highest=36))


def _put_metric(
    sheet: Sheet,
    column: int,
    side: str,
    metric: str,
    instances: Sequence[InstanceResults],
) -> None:
    """Write the header, the means and standard deviations of a metric of a side."""
    level = format_chance(chance_level(instances, metric, side)) if side.endswith("test") else ""
    n_columns = _n_columns(side, metric, instances)
    last = column + n_columns - 1
    header = cells.side_header(side)
    for row, text in ((1, score_name(side, metric, instances)), (2, level)):
        sheet.merge(range(row, row + 1), range(column, last + 1))
        sheet.put(row, column, text, "", header)
    meaning = describe(instances[0].task.name, metric)
    if meaning or metric_words(metric) != metric:
        sheet.comment(1, column, f"--metric {metric}{meaning and f': {meaning}'}")
    for offset, text in enumerate(("mean", "std", "95 %")[:n_columns]):
        sheet.put(HEADER_ROWS, column + offset, text, "", header)
    number_format = cells.metric_format(direction(instances, metric))
    width = least = max(len(metric_words(metric, instances)) / 2 + 1, 8)
    intervals: list[str] = []
    for row, instance in enumerate(instances, start=HEADER_ROWS + 1):
        over_items, over_folds = instance.item_score(side, metric), instance.over_folds(side, metric)["mean"]
        if over_items is not None and n_columns == 3:
            intervals.append(format_interval(over_items, over_folds).strip(", "))
            sheet.put(row, last, intervals[-1] or "-", "", cells.RIGHT)
        if metric in instance.metrics(side):
            fold_score = instance.over_folds(side, metric)
            partial = f'" (n={fold_score["n"]})"' if 0 < fold_score["n"] < instance.n_folds else ""
            _put_score(sheet, row, column, fold_score, number_format, partial)
            width = max(width, len(f"{''.join(rounded(fold_score['mean'] or 0))}{partial}") + 2)
    sheet.set_width(column, width)
    sheet.set_width(column + 1, least)
    if n_columns == 3:
        sheet.set_width(last, cells.text_width(intervals, lowest=10))


def _put_score(sheet: Sheet, row: int, column: int, fold_score: FoldSummary, number_format: str, partial: str) -> None:
    """Write a mean, with the number of folds if some are missing, and its standard deviation."""
    mean_format = ";".join(f"{part}{partial}" for part in number_format.split(";"))
    sheet.put(row, column, finite_or_nan(fold_score["mean"]), mean_format)
    if fold_score["std"] is None:
        sheet.put(row, column + 1, "-", "", cells.RIGHT)
    else:
        sheet.put(row, column + 1, fold_score["std"], number_format)


def _n_columns(side: str, metric: str, instances: Sequence[InstanceResults]) -> int:
    """Return how many columns a metric of a side has: mean and standard deviation, and an interval.

    The interval is there for the main test scores, and for those that no fold has, with the pooled score. All others are in
    the sheet intervals.
    """
    is_main = metric in instances[0].task.main_metrics
    needed = is_main or not any(instance.over_folds(side, metric)["n"] for instance in instances)
    return 3 if side.endswith("test") and needed else 2
