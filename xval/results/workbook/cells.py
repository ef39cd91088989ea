"""Write values into cells as plain data, and the style that all sheets share.

Comes in: a value from settings, a record or a user. Goes out: a cell that no program takes for a formula, and that shows what
is not a number.
"""

import re
from collections.abc import Sequence
from copy import copy
from itertools import pairwise
from math import isfinite, isnan
from typing import Any
from weakref import WeakKeyDictionary

from openpyxl.cell import Cell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet

from xval.results.summary import MetricDict, settings_of

LONGEST_TEXT = 32_767  # UTF-16 units in a cell
LONGEST_TITLE = 80
MOST_LINKS = 65_530  # on a sheet
CUT = " … [cut]"
_PAGE_WIDTH = 200  # characters on A4 in landscape format at 60 %, in the widest font that stands in for Calibri
_LARGEST_NUMBER = 10**15  # a cell keeps 15 digits
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_FORMULA_BEGINNINGS = ("=", "+", "-", "@")


def _fill(colour: str) -> PatternFill:
    return PatternFill("solid", start_color=colour, end_color=colour)


def _font(**looks: Any) -> Font:
    return Font(name="Calibri", size=11, **looks)


PLAIN = _font()
BOLD = _font(bold=True)
GREY = _font(color="7F7F7F", italic=True)
LINK = _font(color="0563C1", underline="single")
RED, RED_FILL = _font(color="9C0006"), _fill("FFC7CE")
GREEN_FONT, GREEN_FILL = _font(bold=True, color="005000"), _fill("A9E29C")
BLUE_FONT, BLUE_FILL = _font(bold=True, color="1F3FBF"), _fill("CFE2FF")
SELECTED_FONT, SELECTED_FILL = _font(bold=True, color="0563C1", underline="single"), _fill("FFD966")
YELLOW_FILL = _fill("FFF2CC")
HEADER_FONT = _font(bold=True, color="FFFFFF")
HEADER_FILL = _fill("404040")
SIDE_FILLS = {"test": _fill("1F4E79"), "validation": _fill("3A6EA5"), "training": _fill("7A8CA3")}
CENTRE = Alignment(horizontal="center", vertical="center", wrap_text=True)
RIGHT = Alignment(horizontal="right")
LEFT = Alignment(horizontal="left")
WRAPPED = Alignment(wrap_text=True, vertical="top")

_styles: WeakKeyDictionary[Any, dict[Any, Any]] = WeakKeyDictionary()
"""Of each workbook: what a cell refers to after it was given looks, by what it referred to before and the looks."""

SCORE_FORMAT = "0.000"
# Errors have no lower end: small ones would all read 0.000.
ERROR_FORMAT = "[=0]0.000;[<0.001]0.0E+00;0.000"
COUNT_FORMAT = "#,##0"


def put(sheet: Worksheet, row: int, column: int, value: object, number_format: str = "") -> Cell:
    """Write a value into a cell as data, never as a formula, and return the cell; rows and columns count from 1.

    Characters that XML forbids become their Python escapes, and text that is too long is cut and marked. NaN, infinities and
    numbers with more digits than a cell keeps become text. None leaves the cell empty.
    """
    cell = sheet.cell(row, column)
    if isinstance(value, float) and not isfinite(value):
        cell.value = "NaN" if isnan(value) else ("inf" if value > 0 else "-inf")
        cell.alignment = RIGHT
        cell.data_type = "s"
    elif isinstance(value, bool) or value is None or (isinstance(value, int | float) and abs(value) < _LARGEST_NUMBER):
        cell.value = value
        if number_format:
            cell.number_format = number_format
    else:
        text = plain_text(value if isinstance(value, str) else str(value))
        cell.value = text
        cell.data_type = "s"
        if text.startswith(_FORMULA_BEGINNINGS):
            cell.quotePrefix = True  # so that editing the cell does not make a formula of it either
    return cell


def plain_text(text: str) -> str:
    """Return a text as a cell can hold it."""
    if len(text) <= LONGEST_TEXT and text.isascii() and text.isprintable():
        return text
    visible = _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
    units = visible.encode("utf-16-le")
    if len(units) <= 2 * LONGEST_TEXT:
        return visible
    return units[: 2 * (LONGEST_TEXT - len(CUT))].decode("utf-16-le", errors="ignore") + CUT


def metric_value(value: object) -> float:
    """Return a metric of a record as a number; None is NaN."""
    return float(value) if isinstance(value, int | float) else float("nan")


def metric_format(higher_is_better: bool | None) -> str:
    """Return the Excel format of a metric by its direction (None: not known)."""
    return SCORE_FORMAT if higher_is_better else ERROR_FORMAT


def parameter_value(value: object) -> object:
    """Return a parameter for a cell: None and lists as in config.ini."""
    if value is None:
        return "none"
    return ", ".join(str(part) for part in value) if isinstance(value, list | tuple) else value


def style(cell: Cell, **looks: Any) -> None:
    """Give a cell looks (font, fill, alignment) of this module, as its attributes do, which hash a look at every use."""
    known = _styles.setdefault(cell.parent.parent, {})
    key = (tuple(cell._style or ()), *looks, *map(id, looks.values()))
    if key not in known:
        for name, look in looks.items():
            setattr(cell, name, look)
        known[key] = cell._style
    cell._style = copy(known[key])


def link(cell: Cell, folder: str) -> None:
    """Link a cell to a folder beside the workbook."""
    cell.hyperlink = f"{folder}/"
    style(cell, font=LINK, alignment=CENTRE)


def put_header(sheet: Worksheet, names: Sequence[str], *, height: float = 32) -> None:
    """Write a header into the first row."""
    for column, name in enumerate(names, start=1):
        style_header(put(sheet, 1, column, name))
    sheet.row_dimensions[1].height = height


def style_header(cell: Cell, side: str = "") -> None:
    """Style a cell as a header, in the colour of its side of the split."""
    fill = next((fill for name, fill in SIDE_FILLS.items() if side.endswith(name)), HEADER_FILL)
    style(cell, font=HEADER_FONT, alignment=CENTRE, fill=fill)


def set_width(sheet: Worksheet, column: int, width: float) -> None:
    """Set the width of a column, in characters."""
    sheet.column_dimensions[get_column_letter(column)].width = width


def text_width(values: Sequence[object], *, lowest: float = 8, highest: float = 40) -> float:
    """Return a column width that shows values, within limits."""
    shown = [f"{value:g}" if isinstance(value, float) else str(value) for value in values]
    longest = max((len(line) for text in shown for line in text.splitlines()), default=0)
    return min(max(longest + 2, lowest), highest)


def put_notes(sheet: Worksheet, row: int, notes: Sequence[str], findings: Sequence[str] = ()) -> None:
    """Write lines below a table: the first note bold, then the findings, then the other notes grey."""
    fonts = [BOLD, *(PLAIN for _ in findings), *(GREY for _ in notes[1:])]
    for offset, (note, font) in enumerate(zip((*notes[:1], *findings, *notes[1:]), fonts, strict=True)):
        put(sheet, row + offset, 1, note).font = font


def redden(sheet: Worksheet, row: int, last_column: int) -> None:
    """Mark a row red; links stay blue."""
    for column in range(1, last_column + 1):
        cell = sheet.cell(row, column)
        style(cell, fill=RED_FILL, **({} if cell.hyperlink else {"font": RED}))


def set_up_page(sheet: Worksheet, *, header_rows: int = 0) -> None:
    """Print in landscape format, as wide as the page, with the header on every page."""
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", sheet.PAPERSIZE_A4
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.page_margins.left = sheet.page_margins.right = 0.4
    sheet.oddFooter.center.text = "&A, page &P of &N"
    if header_rows:
        sheet.print_title_rows = f"1:{header_rows}"


def split_pages(
    sheet: Worksheet, blocks: Sequence[int], last_row: int, last_column: int, title_columns: int, breaks: Sequence[int]
) -> None:
    """Print a wide table in blocks of columns, each as wide as a page, and notes below the first page.

    What a page would show at less than 60 % of its size goes on on the next one, which the following block may share.

    Args:
        sheet: A filled sheet, whose columns have their widths.
        blocks: The first column of each block.
        last_row: Of the table.
        last_column: Of the table.
        title_columns: How many columns are repeated at the left of every page.
        breaks: The columns before which a block may be broken.
    """
    sheet.print_title_cols = f"A:{get_column_letter(title_columns)}"
    titles = _shown_width(sheet, range(1, title_columns + 1))
    firsts = [1]
    for first, end in pairwise([*sorted({*blocks[1:], *breaks}), last_column + 1]):
        used = _shown_width(sheet, range(firsts[-1], end)) + (titles if firsts[-1] > 1 else 0)
        if (first in blocks and firsts[-1] in blocks) or (used > _PAGE_WIDTH and first > title_columns + 1):
            firsts.append(first)
    lasts = [*(first - 1 for first in firsts[1:]), last_column]
    rows = [sheet.max_row, *(last_row for _ in firsts[1:])]
    areas = [
        f"{get_column_letter(first)}1:{get_column_letter(last)}{row}"
        for first, last, row in zip(firsts, lasts, rows, strict=True)
    ]
    sheet.print_area = ",".join(areas)


def _shown_width(sheet: Worksheet, columns: range) -> float:
    """Return the width of columns without hidden ones, in characters."""
    dimensions = [sheet.column_dimensions[get_column_letter(column)] for column in columns]
    return sum(float(dimension.width) for dimension in dimensions if not dimension.hidden)


def side_blocks(pairs: Sequence[tuple[str, str]], columns: Sequence[int]) -> list[int]:
    """Return the first columns of pages with one side each: column 1, and the first column of each further side.

    Args:
        pairs: Side and metric of each block of columns.
        columns: The first column of each.
    """
    return [1, *(columns[place] for place in range(1, len(pairs)) if pairs[place][0] != pairs[place - 1][0])]


def title_of(metric_dict: MetricDict) -> str:
    """Return ``instance 3: reg 0.01, vgg_mini``; long comments are cut."""
    settings = settings_of(metric_dict)
    comments = ", ".join(plain_text(comment) for comment in (settings.comment_1, settings.comment_2) if comment)
    title = f"instance {metric_dict['instance']}{': ' if comments else ''}{comments}"
    return title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 1]}…"
