"""Cells hold any value as plain data, and look as they are told in the end."""

import math

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xval.report.workbook import cells
from xval.report.workbook.sheet import Book


@pytest.fixture
def read_back(tmp_path):
    """Return a function that gives the cell of a value in a workbook that was written and read."""

    def read(value, number_format=""):
        book = Book()
        book.add("t").put(1, 1, value, number_format)
        book.save(tmp_path / "t.xlsx")
        return openpyxl.load_workbook(tmp_path / "t.xlsx").active["A1"]

    return read


@pytest.mark.parametrize("text", ["=1+1", "+49 30", "-x", "@name", '=HYPERLINK("http://x")', "plain"])
def test_text_is_never_a_formula(read_back, text):
    cell = read_back(text)
    assert (cell.value, cell.data_type) == (text, "s")
    assert bool(cell.quotePrefix) == (text != "plain")


@pytest.mark.parametrize(("value", "text"), [(math.nan, "NaN"), (math.inf, "inf"), (-math.inf, "-inf"), (2**60, str(2**60))])
def test_what_a_cell_cannot_count_with_is_text(read_back, value, text):
    cell = read_back(value, "0.000")
    assert (cell.value, cell.data_type) == (text, "s")


@pytest.mark.parametrize("value", [0, 1, -3, 0.25, True, False, 2**32])
def test_numbers_and_truth_values_stay_what_they_are(read_back, value):
    cell = read_back(value, "0.000")
    assert cell.value == value
    assert isinstance(cell.value, bool) == isinstance(value, bool)
    assert cell.number_format == "0.000"


def test_none_leaves_a_cell_empty(read_back):
    assert read_back(None).value is None


@settings(deadline=None)
@given(st.text(max_size=50))
def test_any_text_is_shown_as_plain_text(text):
    sheet = Book().add("t")
    sheet.put(1, 1, text)
    assert sheet.value(1, 1) == cells.plain_text(text)
    sheet.value(1, 1).encode("utf-8")


def test_later_looks_come_on_top_and_links_stay_blue_in_a_red_row(tmp_path):
    book = Book()
    sheet = book.add("t")
    sheet.put(1, 1, 7)
    sheet.link(1, 1, "instance_7/fold_1")
    sheet.put(1, 2, "=a", "", cells.RIGHT, cells.GREY)
    sheet.redden(1, 3)
    book.save(tmp_path / "t.xlsx")
    linked, plain, empty = openpyxl.load_workbook(tmp_path / "t.xlsx")["t"][1]
    assert (linked.value, linked.hyperlink.target, linked.font.color.rgb) == (7, "instance_7/fold_1/", "FF0563C1")
    assert (plain.quotePrefix, plain.alignment.horizontal, plain.font.color.rgb, plain.font.italic) == (
        True, "right", "FF9C0006", True,
    )  # fmt: skip
    assert {cell.fill.start_color.rgb for cell in (linked, plain, empty)} == {"FFFFC7CE"}


def test_the_same_looks_are_stored_once(tmp_path):
    book = Book()
    sheet = book.add("t")
    for row in range(1, 50):
        sheet.put(row, 1, row / 7, "0.000", cells.BOLD)
    book.save(tmp_path / "t.xlsx")
    assert len(openpyxl.load_workbook(tmp_path / "t.xlsx")._cell_styles) <= 2
