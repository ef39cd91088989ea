"""A workbook whose sheets are filled in any order, and written at the end.

No spreadsheet program takes a cell for a formula, and cells show what is not a number.

Source of the file format: XlsxWriter, https://xlsxwriter.readthedocs.io
"""

from collections.abc import Sequence
from io import BytesIO
from itertools import chain, pairwise
from math import isfinite, isnan
from pathlib import Path
from textwrap import wrap
from typing import Any

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.url import Url
from xlsxwriter.utility import xl_range_abs

from xval.base.item_word import call_items
from xval.report.workbook import cells
from xval.report.workbook.cells import Look, plain_text

MOST_LINKS = 65_530  # on a sheet
_LARGEST_NUMBER = 10**15  # a cell keeps 15 digits
_DEFAULT_WIDTH = 13.0
_PIXELS_PER_CHARACTER = 7  # of Calibri 11
_ROW_HEIGHT = 15  # points
_HIGHEST_ROW = 409  # points
_PAGE_WIDTH = 200  # characters on A4 in landscape format at 60 %, in the widest font that stands in for Calibri

_Value = str | float | None
_Cell = tuple[_Value, str, tuple[Look, ...]]  # a value, its number format, and looks
_EMPTY: _Cell = (None, "", ())


class Sheet:
    """A sheet of a workbook; rows and columns count from 1.

    Attributes:
        made: The sheet of XlsxWriter, for all but cells and columns.
    """

    def __init__(self, book: "Book", name: str) -> None:
        self.made = book.made.add_worksheet(name)
        self.name = name
        self.book = book
        self._cells: dict[int, dict[int, _Cell]] = {}
        self._links: dict[tuple[int, int], str] = {}
        self._merged: list[tuple[range, range]] = []
        self._widths: dict[int, float] = {}
        self._folded: set[int] = set()

    def put(self, row: int, column: int, value: object, number_format: str = "", *looks: Look) -> None:
        """Write a value into a cell as data, never as a formula.

        Characters that XML forbids become their Python escapes, and text that is too long is cut and marked. NaN, infinities
        and whole numbers with more digits than a cell keeps become text. None leaves it empty. Looks that it has stay.
        """
        in_row = self._cells.get(row)
        if in_row is None:
            in_row = self._cells[row] = {}
        if column in in_row:
            looks = (*in_row[column][2], *looks)
        if (
            value is None
            or (isinstance(value, int) and abs(value) < _LARGEST_NUMBER)
            or (isinstance(value, float) and isfinite(value))
        ):
            in_row[column] = (value, cells.format_of(value, number_format), looks)
            return
        if isinstance(value, float) and not isfinite(value):
            value, looks = "NaN" if isnan(value) else ("inf" if value > 0 else "-inf"), (cells.RIGHT, *looks)
        text = plain_text(str(value))
        # So that editing the cell does not make a formula of it either.
        in_row[column] = (text, "", (cells.QUOTED, *looks) if text.startswith(cells.FORMULA_BEGINNINGS) else looks)

    def value(self, row: int, column: int) -> _Value:
        """Return what a cell shows; None if it is empty."""
        return self._cells.get(row, {}).get(column, _EMPTY)[0]

    def values(self, rows: range, column: int) -> list[_Value]:
        """Return what a column shows in some rows."""
        return [self.value(row, column) for row in rows]

    def style(self, row: int, column: int, *looks: Look) -> None:
        """Give a cell further looks, over those that it has."""
        in_row = self._cells.setdefault(row, {})
        value, number_format, known = in_row.get(column, _EMPTY)
        in_row[column] = (value, number_format, (*known, *looks))

    def link(self, row: int, column: int, folder: str) -> None:
        """Link a cell to a folder next to the workbook."""
        self._links[row, column] = folder
        self.style(row, column, cells.LINK, cells.CENTRE)

    def put_header(self, names: Sequence[str], *, height: float = 32) -> None:
        """Write a header into the first row."""
        for column, name in enumerate(names, start=1):
            self.put(1, column, call_items(name, self.book.item_word), "", cells.HEADER)
        self.made.set_row(0, height)

    def redden(self, row: int, last_column: int) -> None:
        """Mark a row red; links stay blue."""
        for column in range(1, last_column + 1):
            self.style(row, column, cells.RED_FILL, *(() if (row, column) in self._links else (cells.RED,)))

    def put_notes(self, row: int, notes: Sequence[str]) -> None:
        """Write lines below a table: the first note bold, the others grey."""
        for offset, note in enumerate(notes):
            self.put(row + offset, 1, call_items(note, self.book.item_word), "", cells.GREY if offset else cells.BOLD)

    def merge(self, rows: range, columns: range) -> None:
        """Show one cell, the first, in place of several."""
        self._merged.append((rows, columns))

    def comment(self, row: int, column: int, text: str) -> None:
        """Add a comment to a cell."""
        self.made.write_comment(row - 1, column - 1, text, {"author": "xval", "width": 360, "height": 90})

    def set_width(self, column: int, width: float) -> None:
        """Set the width of a column, in characters."""
        self._widths[column] = width

    def fit_height(self, row: int, width: float | None = None) -> None:
        """Make a row as high as its wrapped texts need, in columns that have their widths.

        `width` is that of a merged cell (characters). Programs fit no row that has one, and without Calibri their letters are
        wider.
        """
        n_lines = max(
            len(wrap(str(value), int(width or self._widths.get(column, _DEFAULT_WIDTH))))
            for column, (value, _, _) in self._cells[row].items()
        )
        self.made.set_row(row - 1, min(_ROW_HEIGHT * max(n_lines, 1), _HIGHEST_ROW))

    def fold(self, columns: range) -> None:
        """Hide neighbouring columns in a group, which the sign + above them opens."""
        self._folded |= set(columns)

    def add_filter(self, row: int, last_row: int, last_column: int) -> None:
        """Let the columns below a row be filtered."""
        self.made.autofilter(row - 1, 0, last_row - 1, last_column - 1)

    def add_scale(self, rows: range, columns: range, scale: dict[str, Any]) -> None:
        """Colour cells by their values, by a conditional format of XlsxWriter."""
        self.made.conditional_format(rows[0] - 1, columns[0] - 1, rows[-1] - 1, columns[-1] - 1, scale)

    def set_up_page(self, *, header_rows: int = 0) -> None:
        """Print in landscape format, as wide as the page, with the header on every page."""
        self.made.set_landscape()
        self.made.set_paper(9)  # A4
        self.made.fit_to_pages(1, 0)
        self.made.set_margins(left=0.4, right=0.4, top=1, bottom=1)
        self.made.set_footer("&C&A, page &P of &N", {"margin": 0.5})
        if header_rows:
            self.made.repeat_rows(0, header_rows - 1)

    def split_pages(
        self, blocks: Sequence[int], last_row: int, last_column: int, title_columns: int, breaks: Sequence[int]
    ) -> None:
        """Print a wide table in blocks of columns, each as wide as a page, and notes below the first page.

        What a page would show at less than 60 % of its size continues on the next one, which the following block may share.
        `blocks` are the first column of each, `breaks` the columns before which one may be broken; all columns have their
        widths. The first `title_columns` are repeated on every page.
        """
        self.made.repeat_columns(0, title_columns - 1)
        titles = self._shown_width(range(1, title_columns + 1))
        firsts = [1]
        for first, end in pairwise([*sorted({*blocks[1:], *breaks}), last_column + 1]):
            used = self._shown_width(range(firsts[-1], end)) + (titles if firsts[-1] > 1 else 0)
            if (first in blocks and firsts[-1] in blocks) or (used > _PAGE_WIDTH and first > title_columns + 1):
                firsts.append(first)
        lasts = [*(first - 1 for first in firsts[1:]), last_column]
        rows = [max(self._cells), *(last_row for _ in firsts[1:])]
        self.print_areas([(1, row, first, last) for row, first, last in zip(rows, firsts, lasts, strict=True)])

    def print_areas(self, areas: Sequence[tuple[int, int, int, int]]) -> None:
        """Print each area (first row, last row, first column, last column) from a new page."""
        parts = (f"{self.name}!{xl_range_abs(top - 1, left - 1, bottom - 1, right - 1)}" for top, bottom, left, right in areas)
        # Worksheet.print_area takes one area alone.
        self.book.made.define_name(f"{self.name}!_xlnm.Print_Area", f"={','.join(parts)}")

    def _shown_width(self, columns: range) -> float:
        """Return the width of columns without hidden ones, in characters."""
        return sum(self._widths.get(column, _DEFAULT_WIDTH) for column in columns if column not in self._folded)

    def write(self) -> None:
        """Hand all cells and columns to XlsxWriter."""
        for rows, columns in self._merged:
            cell_format = self.book.find_format(*self._cells[rows[0]][columns[0]][1:])
            self.made.merge_range(rows[0] - 1, columns[0] - 1, rows[-1] - 1, columns[-1] - 1, "", cell_format)
        targets = {folder: _link_to(folder) for folder in set(self._links.values())}
        for (row, column), folder in self._links.items():
            self.made.write_url(row - 1, column - 1, targets[folder])
        number, string, find_format = self.made.write_number, self.made.write_string, self.book.find_format
        for row, in_row in self._cells.items():
            for column, (value, number_format, looks) in in_row.items():
                cell_format = find_format(number_format, looks)
                if isinstance(value, str) and value:
                    string(row - 1, column - 1, value, cell_format)
                elif not isinstance(value, int | float):
                    self.made.write_blank(row - 1, column - 1, None, cell_format)
                elif isinstance(value, bool):
                    self.made.write_boolean(row - 1, column - 1, value, cell_format)
                else:
                    number(row - 1, column - 1, value, cell_format)
        for column in {**self._widths, **dict.fromkeys(self._folded)}:
            pixels = _PIXELS_PER_CHARACTER * self._widths.get(column, _DEFAULT_WIDTH)
            options = {"level": 1, "hidden": True} if column in self._folded else {}
            self.made.set_column_pixels(column - 1, column - 1, pixels, None, options)
        self._cells.clear()


def _link_to(folder: str) -> Url:
    """Return a link to a folder next to the workbook, with a slash, as every system takes it; XlsxWriter writes a backslash."""
    url = Url(f"external:{folder}")
    url.text = ""
    url._relationship_link = f"{folder}/"
    return url


class Book:
    """A workbook that is made in memory.

    Attributes:
        made: The workbook of XlsxWriter.
        item_word: What headers and notes call an item.
    """

    def __init__(self, item_word: str = "") -> None:
        self.item_word = item_word
        self._content = BytesIO()
        self.made = Workbook(self._content, {"in_memory": True})
        self.made.set_properties({"author": "xval"})
        self._sheet: Sheet | None = None
        self._formats: dict[tuple[str, tuple[Look, ...]], Format | None] = {("", ()): None}

    def add(self, name: str) -> Sheet:
        """Add an empty sheet; the one before is not changed any more."""
        self._write_last()
        self._sheet = Sheet(self, name)
        return self._sheet

    def find_format(self, number_format: str, looks: tuple[Look, ...]) -> Format | None:
        """Return the format of cells, which is made once; None if they look like any others."""
        key = (number_format, looks)
        if key not in self._formats:
            properties = dict(chain.from_iterable(looks))
            self._formats[key] = self.made.add_format(properties | ({"num_format": number_format} if number_format else {}))
        return self._formats[key]

    def save(self, path: Path) -> None:
        """Write all sheets into a file; nothing can be added after that."""
        self._write_last()
        self.made.close()
        path.write_bytes(self._content.getbuffer())

    def _write_last(self) -> None:
        if self._sheet is not None:
            self._sheet.write()
