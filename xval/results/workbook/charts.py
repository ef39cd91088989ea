"""What the charts of all sheets share: titles and axes.

Comes in: a chart of openpyxl. Goes out: the same chart with titles that do not overlap it and axes that every program shows.
"""

from math import ceil, floor, log10

from openpyxl.chart import LineChart
from openpyxl.chart.shapes import GraphicalProperties
from openpyxl.chart.text import RichText, Text
from openpyxl.chart.title import Title
from openpyxl.drawing.line import LineProperties
from openpyxl.drawing.text import CharacterProperties, Paragraph, ParagraphProperties, RegularTextRun

_AXIS_TITLE_POINTS = 9
_MOST_STEPS = 6  # of an axis


def style_axes(chart: LineChart, below: str, beside: str) -> None:
    """Give a chart both axes with titles (empty: none), grey grid lines, and the legend below."""
    for axis, text in ((chart.x_axis, below), (chart.y_axis, beside)):
        axis.delete = False
        axis.title = title(text, _AXIS_TITLE_POINTS) if text else None
    chart.y_axis.number_format = "General"
    chart.y_axis.majorGridlines.spPr = GraphicalProperties(ln=LineProperties(solidFill="D9D9D9"))
    chart.legend.position = "b"


def round_limits(low: float, high: float) -> tuple[float, float, float]:
    """Return the ends of an axis that holds two values, and its step: 1, 2 or 5 times a power of ten."""
    wanted = (high - low or 1.0) / _MOST_STEPS
    power = 10.0 ** floor(log10(wanted))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= wanted)
    lowest = floor(low / step)
    return lowest * step, max(ceil(high / step), lowest + 1) * step, step


def title(text: str, points: int) -> Title:
    """Return a title that does not overlap the chart."""
    looks = CharacterProperties(sz=100 * points, b=True)
    paragraph = Paragraph(pPr=ParagraphProperties(defRPr=looks), r=[RegularTextRun(rPr=looks, t=text)])
    return Title(tx=Text(rich=RichText(p=[paragraph])), overlay=False)
