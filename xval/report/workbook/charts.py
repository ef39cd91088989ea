"""What the line charts of all sheets share: titles, and axes that every spreadsheet program shows."""

from math import ceil, floor, log10
from typing import Any

from xlsxwriter.chart_line import ChartLine

from xval.report.workbook.sheet import Sheet

_AXIS_TITLE_POINTS = 9
_MOST_STEPS = 6  # of an axis
_PIXELS_PER_CM = 96 / 2.54


def make_chart(
    sheet: Sheet,
    title: str,
    *,
    points: int,
    size_cm: tuple[float, float],
    below: str,
    y_title: str,
    limits: tuple[float, float, float],
    **category_options: Any,
) -> ChartLine:
    """Return a line chart without lines, which has titles (empty: none), grey grid lines, and the legend below.

    `points` is the size of the title; `below` and `y_title` are titles of axes; `limits` are the ends and the step
    of the vertical axis. Further options are those of the horizontal axis.
    """
    font = {"bold": True, "size": _AXIS_TITLE_POINTS}
    lowest, highest, step = limits
    chart = sheet.book.made.add_chart({"type": "line"})
    chart.set_title({"name": title, "name_font": {"bold": True, "size": points}})
    chart.set_size(dict(zip(("width", "height"), (round(cm * _PIXELS_PER_CM) for cm in size_cm), strict=True)))
    chart.set_x_axis({"name": below or None, "name_font": font, **category_options})
    grid = {"visible": True, "line": {"color": "#D9D9D9"}}
    ends = {"min": lowest, "max": highest, "major_unit": step}
    chart.set_y_axis({"name": y_title, "name_font": font, "num_format": "General", "major_gridlines": grid, **ends})
    chart.set_legend({"position": "bottom"})
    return chart


def round_limits(low: float, high: float) -> tuple[float, float, float]:
    """Return the ends of an axis that holds two values, and its step: 1, 2 or 5 times a power of ten."""
    wanted = (high - low or 1.0) / _MOST_STEPS
    power = 10.0 ** floor(log10(wanted))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= wanted)
    lowest = floor(low / step)
    return lowest * step, max(ceil(high / step), lowest + 1) * step, step
