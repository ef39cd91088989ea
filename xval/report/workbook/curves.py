"""The sheet *curves*: learning curves, two charts per instance, with their numbers to the right.

The charts show the training and validation loss and the monitored metric as means over folds, on common axes. If there are too
many instances, only the best have charts.
"""

from collections.abc import Sequence
from math import ceil
from statistics import fmean, median

from xlsxwriter.chart_line import ChartLine

from xval.answers.summary import metric_words
from xval.base.numbers import finite_or_none
from xval.report.workbook import cells
from xval.report.workbook.charts import make_chart, round_limits
from xval.report.workbook.contents import Contents
from xval.report.workbook.sheet import Sheet
from xval.results.read import Curves

POSITION = 7

MOST_CHARTED = 20  # instances
_FIRST_CHART_ROW = 4
_ROWS_PER_CHART = 17
_PAGE_ROWS = 2 * _ROWS_PER_CHART
_SECOND_CHART_COLUMN = 10
_CHART_COLUMN_WIDTH = 8.7  # nine of them are a little wider than a chart
_FIRST_DATA_COLUMN = 20
_CHART_WIDTH_CM, _CHART_HEIGHT_CM = 14.4, 8.2
_LINE_WIDTH_POINTS = 1.75
_TITLE_POINTS = 11
_MOST_LABELS = 8  # of the epoch axis
_CUT_FROM = 2  # times the middle of the highest values of the instances; curves above would flatten all others
_COLOURS = {"training": "1F4E79", "validation": "ED7D31"}


def is_needed(contents: Contents) -> bool:
    """Return whether anything was trained in epochs: estimators are not."""
    return bool(contents.histories)


def fill(sheet: Sheet, contents: Contents) -> None:
    """Write the numbers of the best instances first, of which the charts are made then."""
    instances, ranking = contents.instances, contents.ranking
    sheet.set_up_page()
    recorded = {key.instance for key in contents.histories}
    by_number = {instance.number: instance for instance in instances if instance.number in recorded}
    shown = ranking.best_of(by_number, MOST_CHARTED)
    notes = [
        "Means over the folds (and seeds) that reached each epoch; the numbers are to the right of the charts.",
    ]
    if len(shown) < len(by_number):
        notes.append(
            f"The {len(shown)} best of {len(by_number)} instances by validation score; for the others see history.csv."
        )
    notes.append("All instances share the same axes; curves far above most others are cut off.")
    sheet.put_notes(1, notes)
    names = ("loss", instances[0].task.training_metric)
    columns = [_FIRST_DATA_COLUMN + position * (3 + 2 * len(names)) for position in range(len(shown))]
    n_epochs = []
    for number, column in zip(shown, columns, strict=True):
        folds = [history for key, history in sorted(contents.histories.items()) if key.instance == number]
        n_epochs.append(_put_data(sheet, column, cells.title_of(number, contents.names[number]), folds, names))
    longest = columns[n_epochs.index(max(n_epochs))]
    limits = [
        _limits([_values(sheet, column + 2 + 2 * place, max(n_epochs)) for column in columns], name)
        for place, name in enumerate(names)
    ]
    for position, (number, column) in enumerate(zip(shown, columns, strict=True)):
        for place, name in enumerate(names):
            title = f"{cells.title_of(number, contents.names[number])}: {metric_words(name)}"
            chart = _make_chart(sheet, title, longest, column + 2 + 2 * place, max(n_epochs), name, limits[place])
            row, first = _FIRST_CHART_ROW + position * _ROWS_PER_CHART, 1 + place * (_SECOND_CHART_COLUMN - 1)
            sheet.made.insert_chart(row - 1, first - 1, chart)
    _set_up_pages(sheet, len(shown))


def _set_up_pages(sheet: Sheet, n_shown: int) -> None:
    """Print the charts without the numbers, and without page breaks inside a chart."""
    rows = [1, *range(_FIRST_CHART_ROW + _PAGE_ROWS, _FIRST_CHART_ROW + n_shown * _ROWS_PER_CHART, _PAGE_ROWS)]
    for column in range(1, _FIRST_DATA_COLUMN):
        sheet.set_width(column, _CHART_COLUMN_WIDTH)
    lasts = [*(row - 2 for row in rows[1:]), _FIRST_CHART_ROW + n_shown * _ROWS_PER_CHART - 1]
    sheet.print_areas([(first, last, 1, _FIRST_DATA_COLUMN - 1) for first, last in zip(rows, lasts, strict=True)])


def _put_data(sheet: Sheet, column: int, title: str, folds: Sequence[Curves], names: Sequence[str]) -> int:
    """Write the mean curves of an instance from a column on; return the number of epochs."""
    sheet.put(2, column, title, "", cells.BOLD)
    header = ["epoch", "folds", *(f"{side} {metric_words(name)}" for name in names for side in _COLOURS)]
    for offset, text in enumerate(header):
        sheet.put(3, column + offset, text, "", cells.HEADER)
        sheet.set_width(column + offset, 11)
    keys = [key for name in names for key in (name, f"val_{name}")]
    n_epochs = max(len(history["epoch"]) for history in folds)
    for epoch in range(n_epochs):
        reached = [history for history in folds if len(history["epoch"]) > epoch]
        sheet.put(4 + epoch, column, epoch + 1)
        sheet.put(4 + epoch, column + 1, len(reached))
        for offset, key in enumerate(keys, start=2):
            values = [finite_or_none(history[key][epoch]) for history in reached if key in history]
            numbers = [value for value in values if value is not None]
            sheet.put(4 + epoch, column + offset, fmean(numbers) if numbers else None, "0.0000")
    return n_epochs


def _make_chart(
    sheet: Sheet,
    title: str,
    epoch_column: int,
    first_column: int,
    n_epochs: int,
    name: str,
    limits: tuple[float, float, float],
) -> ChartLine:
    """Return a chart of two neighbouring columns, training and validation, over the epochs of another."""
    label_interval = ceil(n_epochs / _MOST_LABELS)
    chart = make_chart(
        sheet, title, points=_TITLE_POINTS, size_cm=(_CHART_WIDTH_CM, _CHART_HEIGHT_CM), below="epoch", y_title=name,
        limits=limits, interval_unit=label_interval, interval_tick=label_interval, num_format="0",
    )  # fmt: skip
    for column, colour in enumerate(_COLOURS.values(), start=first_column - 1):
        line = {"color": f"#{colour}", "width": _LINE_WIDTH_POINTS}
        chart.add_series(
            {
                "name": [sheet.name, 2, column],
                "categories": [sheet.name, 3, epoch_column - 1, 2 + n_epochs, epoch_column - 1],
                "values": [sheet.name, 3, column, 2 + n_epochs, column],
                "line": line,
                "marker": {"type": "circle" if n_epochs == 1 else "none"},
            }
        )
    return chart


def _values(sheet: Sheet, first_column: int, n_epochs: int) -> list[float]:
    columns = range(first_column, first_column + len(_COLOURS))
    values = [value for column in columns for value in sheet.values(range(4, 4 + n_epochs), column)]
    return [float(value) for value in values if isinstance(value, int | float)]


def _limits(instances: Sequence[Sequence[float]], name: str) -> tuple[float, float, float]:
    """Return the ends of an axis that all instances share, and its step; accuracies always have 0 to 1."""
    known = [values for values in instances if values]
    if name == "accuracy" or not known:
        return 0, 1, 0.2
    low = min(0.0, *map(min, known))
    highest = [max(values) for values in known]
    middle = median(highest)
    high = min(max(highest), _CUT_FROM * middle) if middle > 0 else max(0.0, *highest)
    return round_limits(low, high)
