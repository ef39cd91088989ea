"""Cells hold any value as plain data."""

import math

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xval.results.workbook.cells import metric_format, parameter_value, plain_text, put, text_width, title_of


@pytest.fixture
def sheet():
    return openpyxl.Workbook().active


def read_back(tmp_path, sheet):
    sheet.parent.save(tmp_path / "cells.xlsx")
    return openpyxl.load_workbook(tmp_path / "cells.xlsx").active["A1"]


@pytest.mark.parametrize("text", ["=1+1", "+49 30", "-x", "@name", '=HYPERLINK("http://x")', "plain"])
def test_text_is_never_a_formula(tmp_path, sheet, text):
    put(sheet, 1, 1, text)
    cell = read_back(tmp_path, sheet)
    assert (cell.value, cell.data_type) == (text, "s")
    assert bool(cell.quotePrefix) == (text != "plain")


@pytest.mark.parametrize(("value", "text"), [(math.nan, "NaN"), (math.inf, "inf"), (-math.inf, "-inf"), (2**60, str(2**60))])
def test_what_a_cell_cannot_count_with_is_text(tmp_path, sheet, value, text):
    put(sheet, 1, 1, value, "0.000")
    cell = read_back(tmp_path, sheet)
    assert (cell.value, cell.data_type) == (text, "s")


@pytest.mark.parametrize("value", [0, 1, -3, 0.25, True, False, 2**32])
def test_numbers_and_truth_values_stay_what_they_are(tmp_path, sheet, value):
    put(sheet, 1, 1, value, "0.000")
    cell = read_back(tmp_path, sheet)
    assert cell.value == value
    assert isinstance(cell.value, bool) == isinstance(value, bool)
    assert cell.number_format == "0.000"


def test_none_leaves_a_cell_empty(tmp_path, sheet):
    put(sheet, 1, 1, None)
    put(sheet, 2, 1, 1)
    assert read_back(tmp_path, sheet).value is None


def test_forbidden_characters_are_shown_as_escapes():
    assert plain_text("a\x00b\x07\x1f\ud800\ufffe\tc\nd") == "a\\x00b\\x07\\x1f\\ud800\\ufffe\tc\nd"


def test_long_text_is_cut_and_says_so():
    assert plain_text("x" * 32_767) == "x" * 32_767
    cut = plain_text("x" * 32_768)
    assert len(cut) == 32_767
    assert cut.endswith("x … [cut]")


def test_long_text_is_counted_as_excel_counts_and_no_character_is_halved():
    cut = plain_text("x" + "🎧" * 20_000)
    assert len(cut.encode("utf-16-le")) // 2 <= 32_767
    assert cut.endswith("🎧 … [cut]")


@settings(deadline=None)
@given(st.text(max_size=50))
def test_any_text_comes_out_of_a_workbook_as_it_was_shown(text):
    sheet = openpyxl.Workbook().active
    cell = put(sheet, 1, 1, text)
    assert cell.value == plain_text(text)
    assert cell.data_type == "s"
    cell.value.encode("utf-8")


def test_parameters_look_as_in_the_config_file():
    assert [parameter_value(value) for value in (None, [8, 16], (), 0.5, "auto", False)] == [
        "none",
        "8, 16",
        "",
        0.5,
        "auto",
        False,
    ]


def test_errors_show_their_digits_when_they_are_small_and_scores_do_not():
    assert metric_format(True) == "0.000"
    assert metric_format(False) == metric_format(None) == "[=0]0.000;[<0.001]0.0E+00;0.000"


def test_titles_name_the_instance_and_stay_short():
    assert title_of({"instance": 3, "parameters": {"comment_1": "reg 0.01", "comment_2": ""}}) == "instance 3: reg 0.01"
    assert title_of({"instance": 3, "parameters": {}}) == "instance 3"
    long = title_of({"instance": 3, "parameters": {"comment_1": "x\x00" * 400}})
    assert len(long) == 80
    assert "\x00" not in long


def test_widths_show_the_longest_line_within_limits():
    assert text_width(["a", "twelve chars"]) == 14
    assert text_width(["x" * 99, 0.1 + 0.2]) == 40
    assert text_width([0.1 + 0.2, None]) == 8
