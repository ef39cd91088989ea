"""The sheet *ranking*: a chart of all instances, best first by the validation figure, with intervals of the test figure.

Comes in: metric dicts and their ranking. Goes out: a row per instance, and a chart of the rows: points, error bars, chance. If
there are too many instances, only the best are charted.
"""

from openpyxl.chart import LineChart, Reference, Series
from openpyxl.chart.data_source import NumDataSource, NumRef
from openpyxl.chart.error_bar import ErrorBars
from openpyxl.chart.shapes import GraphicalProperties
from openpyxl.chart.text import RichText
from openpyxl.drawing.line import LineProperties
from openpyxl.drawing.text import Paragraph, ParagraphProperties, RichTextProperties
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from xval.results.ranking import test_side
from xval.results.summary import SIDE_NAMES, MetricDict, chance_level, direction, figure, item_figure, settings_of
from xval.results.workbook import cells
from xval.results.workbook.charts import round_limits, style_axes, title
from xval.results.workbook.contents import Contents
from xval.settings.tasks import find_task

POSITION = 2

MOST_CHARTED = 40  # instances
_LONGEST_NAME = 26
_CHART_HEIGHT_CM, _LEAST_WIDTH_CM, _WIDTH_PER_INSTANCE_CM = 14.0, 18.0, 0.85
_CHART_ROW, _HEADER_ROW = 5, 34
_RANKED_BY, _FIGURE, _CHANCE, _LABEL, _BELOW, _ABOVE = 4, 5, 8, 10, 11, 12  # columns
_POINT_COLOUR, _CHANCE_COLOUR = "1F4E79", "C00000"


def fill(sheet: Worksheet, contents: Contents) -> None:
    """Fill an empty sheet."""
    metric_dicts, ranking = contents.metric_dicts, contents.ranking
    by_number = {found["instance"]: found for found in metric_dicts}
    numbers = [*ranking.instances, *(number for number in by_number if number not in ranking.instances)]
    side, metric = test_side(metric_dicts), find_task(metric_dicts[0]["task_type"]).main_metrics[0]
    name, ranked_by = f"{SIDE_NAMES[side]} {metric}", f"{SIDE_NAMES[ranking.side]} {ranking.metric}"
    header = (
        "rank", "instance", "comment_1", ranked_by, name, "95 % low", "95 % high", "chance", "figure", "label", "below",
        "above",
    )  # fmt: skip
    number_format = cells.metric_format(direction(metric_dicts, metric))
    formats = dict.fromkeys((*range(_FIGURE, _CHANCE + 1), _BELOW, _ABOVE), number_format)
    formats[_RANKED_BY] = cells.metric_format(direction(metric_dicts, ranking.metric))
    for place, number in enumerate(numbers, start=1):
        found, row = by_number[number], _HEADER_ROW + place
        settings = settings_of(found)
        label = cells.plain_text(f"{number}  {settings.comment_1 or settings.architecture}")
        identity = (place if number in ranking.instances else None, number, settings.comment_1)
        value, low, high, figure_name = _estimate(found, side, metric)
        chance = chance_level([found], metric, side)
        values = (
            *identity, figure(found, ranking.side, ranking.metric)["mean"], value, low, high, chance and chance.lowest,
            figure_name, label if len(label) <= _LONGEST_NAME else f"{label[: _LONGEST_NAME - 1]}…",
            None if value is None or low is None else value - low, None if value is None or high is None else high - value,
        )  # fmt: skip
        for column, each in enumerate(values, start=1):
            cells.put(sheet, row, column, each, formats.get(column, ""))
        cells.link(sheet.cell(row, 2), f"instance_{number}")
    last_row = _HEADER_ROW + len(numbers)
    for column, text in enumerate(header, start=1):
        cells.style_header(cells.put(sheet, _HEADER_ROW, column, text))
        texts = [sheet.cell(row, column).value for row in range(_HEADER_ROW + 1, last_row + 1)]
        is_text = header[column - 1] in ("comment_1", "figure", "label")
        cells.set_width(
            sheet,
            column,
            cells.text_width(texts, lowest=18, highest=64) if is_text else max(11, *(len(word) + 2 for word in text.split())),
        )
    n_charted = min(len(numbers), MOST_CHARTED)
    notes = (
        f"Best first by the mean {ranked_by}. Points: {name}; bars: its 95 % interval over items; line: chance.",
        "Test figures rank nothing. Bars that overlap do not show that instances are equal: python -m xval compare tests that.",
        *([f"Charted are the {n_charted} best of {len(numbers)} instances."] if n_charted < len(numbers) else []),
    )
    cells.put_notes(sheet, 1, notes)
    sheet.row_dimensions[_HEADER_ROW].height = 48
    sheet.auto_filter.ref = f"A{_HEADER_ROW}:{get_column_letter(len(header))}{last_row}"
    cells.set_up_page(sheet)
    rows = range(_HEADER_ROW + 1, _HEADER_ROW + 1 + n_charted)
    shown = [sheet.cell(row, column).value for row in rows for column in range(_FIGURE, _CHANCE + 1)]
    numbers_shown = [float(value) for value in shown if isinstance(value, int | float)]
    if numbers_shown:
        chart = _make_chart(sheet, rows, name)
        # Programs choose an axis for the points alone, which cuts error bars off.
        limits = round_limits(min(0.0, *numbers_shown), max(0.0, *numbers_shown))
        chart.y_axis.scaling.min, chart.y_axis.scaling.max, chart.y_axis.majorUnit = limits
        sheet.add_chart(chart, f"A{_CHART_ROW}")


def _estimate(metric_dict: MetricDict, side: str, metric: str) -> tuple[float | None, float | None, float | None, str]:
    """Return the figure that has an interval, or else the mean over folds; the interval; and which figure it is."""
    found = item_figure(metric_dict, side, metric)
    if found is None or found[found["of"]] is None:
        return figure(metric_dict, side, metric)["mean"], None, None, "mean over folds"
    return found[found["of"]], found["low"], found["high"], "mean over items" if found["of"] == "items" else "pooled"


def _make_chart(sheet: Worksheet, rows: range, name: str) -> LineChart:
    """Return points with error bars, and a line at chance."""
    chart = LineChart()
    chart.title = title(f"{name}, best by validation first", 12)
    chart.height, chart.width = _CHART_HEIGHT_CM, max(_LEAST_WIDTH_CM, 4 + _WIDTH_PER_INSTANCE_CM * len(rows))
    points, chance = (
        Series(_column(sheet, column, rows), title=text) for column, text in ((_FIGURE, name), (_CHANCE, "chance"))
    )
    points.graphicalProperties.line.noFill = True
    points.marker.symbol, points.marker.size = "circle", 8
    points.marker.graphicalProperties = GraphicalProperties(solidFill=_POINT_COLOUR)
    above, below = (NumDataSource(numRef=NumRef(f=str(_column(sheet, column, rows)))) for column in (_ABOVE, _BELOW))
    looks = GraphicalProperties(ln=LineProperties(solidFill=_POINT_COLOUR, w=19_000))
    points.errBars = ErrorBars(errDir="y", errBarType="both", errValType="cust", plus=above, minus=below, spPr=looks)
    chance.graphicalProperties.line.solidFill, chance.graphicalProperties.line.dashStyle = _CHANCE_COLOUR, "dash"
    chance.marker.symbol = "none"
    points.smooth = chance.smooth = False
    chart.series += [points, chance]
    chart.set_categories(_column(sheet, _LABEL, rows))
    style_axes(chart, "", name)
    upright = RichTextProperties(rot=-5_400_000, vert="horz")
    chart.x_axis.txPr = RichText(bodyPr=upright, p=[Paragraph(pPr=ParagraphProperties())])
    chart.x_axis.tickLblPos = "low"
    return chart


def _column(sheet: Worksheet, column: int, rows: range) -> Reference:
    return Reference(sheet, min_col=column, min_row=rows[0], max_row=rows[-1])
