"""The texts and XlsxWriter formats of cells that all sheets share."""

import re
from collections.abc import Sequence

from xval.answers.score_text import MOST_SHOWN
from xval.base.errors import shortened

LONGEST_TEXT = 32_767  # UTF-16 units in a cell
LONGEST_TITLE = 80
CUT = " … [cut]"
FORMULA_BEGINNINGS = ("=", "+", "-", "@")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")

Look = tuple[tuple[str, object], ...]


def _look(**properties: object) -> Look:
    return tuple(properties.items())


def _fill(colour: str) -> Look:
    return _look(bg_color=f"#{colour}")


BOLD = _look(bold=True)
GREY = _look(font_color="#7F7F7F", italic=True)
LINK = _look(font_color="#0563C1", underline=1)
RED, RED_FILL = _look(font_color="#9C0006"), _fill("FFC7CE")
GREEN_FONT, GREEN_FILL = _look(bold=True, font_color="#005000"), _fill("A9E29C")
SELECTED_FILL = _fill("FFD966")
SELECTED = (*LINK, *BOLD, *SELECTED_FILL)
YELLOW_FILL = _fill("FFF2CC")
CENTRE = _look(align="center", valign="vcenter", text_wrap=True)
RIGHT, LEFT = _look(align="right"), _look(align="left")
INDENTED = _look(align="left", indent=1)  # text next to numbers
WRAPPED = _look(text_wrap=True, valign="top")
QUOTED = _look(quote_prefix=True)
DARK = _look(bold=True, font_color="#FFFFFF", bg_color="#404040")
HEADER = (*DARK, *CENTRE)
_SIDE_FILLS = {"test": _fill("1F4E79"), "validation": _fill("3A6EA5"), "training": _fill("7A8CA3")}

SCORE_FORMAT = "0.000"
# Errors have no lower end: small ones would all read 0.000.
ERROR_FORMAT = "[=0]0.000;[<0.001]0.0E+00;0.000"
LARGE_FORMAT = "0.00E+00"
COUNT_FORMAT = "#,##0"


def side_header(side: str) -> Look:
    """Return the looks of a header in the colour of its side of the split."""
    return (*HEADER, *next(fill for name, fill in _SIDE_FILLS.items() if side.endswith(name)))


def scale_to(highest: float) -> dict[str, object]:
    """Return a scale of colours, a conditional format of XlsxWriter: white for 0 to blue for a number."""
    return {
        "type": "2_color_scale", "min_type": "num", "min_value": 0, "min_color": "#FFFFFF", "max_type": "num",
        "max_value": highest, "max_color": "#5B9BD5",
    }  # fmt: skip


def plain_text(text: str) -> str:
    """Return a text as a cell can hold it."""
    if len(text) <= LONGEST_TEXT and text.isascii() and text.isprintable():
        return text
    visible = _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)
    units = visible.encode("utf-16-le")
    if len(units) <= 2 * LONGEST_TEXT:
        return visible
    return units[: 2 * (LONGEST_TEXT - len(CUT))].decode("utf-16-le", errors="ignore") + CUT


def metric_format(higher_is_better: bool | None) -> str:
    """Return the Excel format of a metric by its direction (None: not known)."""
    return SCORE_FORMAT if higher_is_better else ERROR_FORMAT


def format_of(value: object, number_format: str) -> str:
    """Return the Excel format of a value: that of its column, or powers of ten for very large ones.

    Also for a number that would read 0.0000 where the column has four decimals.
    """
    if not isinstance(value, float) or "0.000" not in number_format:
        return number_format
    least = 5e-5 if number_format.startswith("0.0000") else 0
    return LARGE_FORMAT if abs(value) >= MOST_SHOWN or 0 < abs(value) < least else number_format


def text_width(values: Sequence[object], *, lowest: float = 8, highest: float = 40) -> float:
    """Return a column width that shows values, within limits."""
    shown = [f"{value:g}" if isinstance(value, float) else str(value) for value in values]
    longest = max((len(line) for text in shown for line in text.splitlines()), default=0)
    return min(max(longest + 2, lowest), highest)


def header_width(name: str, *, lowest: float) -> float:
    """Return a column width at which a header is broken only between its words."""
    return max(lowest, *(len(word) + 2 for word in name.split()))


def side_blocks(pairs: Sequence[tuple[str, str]], columns: Sequence[int]) -> list[int]:
    """Return the first columns of pages with one side each: column 1, and the first column of each further side.

    `pairs` are side and metric of each block of columns, `columns` the first column of each.
    """
    return [1, *(columns[place] for place in range(1, len(pairs)) if pairs[place][0] != pairs[place - 1][0])]


def title_of(number: int, name: str) -> str:
    """Return ``reg 0.01, vgg_mini (instance 3)``; long names are cut."""
    whose = f" (instance {number})"
    shown, room = plain_text(name), LONGEST_TITLE - len(whose)
    return shortened(shown, room) + whose
