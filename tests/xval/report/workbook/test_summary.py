"""The sheet *summary*: three lines, a table as wide as a page, and what it marks."""

from dataclasses import replace
from textwrap import wrap

import pytest

GREEN, YELLOW = "A9E29C", "FFD966"
HEADER = 5
PAGE_WIDTH = 150  # characters: A4 in landscape format at 80 %


@pytest.fixture
def read(workbook_of):
    """Return a function that gives the sheet and a function (row of an instance, header) -> cell."""

    def write(instances):
        sheet = workbook_of(instances)["summary"]
        columns = {cell.value: cell.column for cell in sheet[HEADER]}
        return sheet, lambda row, header: sheet.cell(HEADER + row, columns[header])

    return write


def headers(sheet):
    return [cell.value for cell in sheet[HEADER] if cell.value]


def test_a_row_has_the_main_values_with_interval_validation_folds_and_time(read, make_instance, make_failure):
    score = {
        "items": 0.51,
        "pooled": None,
        "of": "items",
        "low": 0.41,
        "high": 0.91,
        "method": "t",
        "chance": 0.25,
        "strategy": "s",
        "covers": None,
    }
    over_items = {
        "version": 1,
        "n_items": 2,
        "folds_lacking_classes": [],
        "missing": "",
        "figures": {"test": {"accuracy": score}},
    }
    instances = [
        replace(make_instance(3, [0.5, 0.7], comment_1="=reg"), over_items=over_items),
        make_instance(12, [0.5, make_failure(2)], architecture="crnn"),
    ]
    sheet, cell = read(instances)
    names = ["name", "instance", "test accuracy", "95 %", "validation accuracy", "folds", "time"]
    assert headers(sheet) == names
    assert [cell(1, name).value for name in names] == ["=reg", 3, 0.51, "[0.410, 0.910]", pytest.approx(0.7), "2/2", "0:00:20"]
    assert cell(1, "name").data_type == "s"
    assert cell(1, "instance").hyperlink.target == "instance_3/"
    assert [cell(2, name).value for name in ("name", "test accuracy", "folds")] == ["crnn", 0.5, "1/2, 1 failed"]
    assert [line for line in (sheet.cell(row, 1).value for row in range(HEADER + 3, sheet.max_row + 1)) if line][1].endswith(
        "Chance: test accuracy 0.250, test accuracy 0.500."
    )


def test_colour_marks_the_selected_row_the_best_and_what_cannot_be_told_from_it_and_nothing_else(read, make_instance, colour):
    worse = [0.1, 0.21, 0.1, 0.2]
    sheet, cell = read([make_instance(1, [0.5, 0.55] * 2), make_instance(2, [0.52, 0.5] * 2), make_instance(3, worse)])
    colours = {(row, name): colour(cell(row, name)) for row in (1, 2, 3) for name in headers(sheet)}
    assert {key: value for key, value in colours.items() if value} == {
        **{(1, name): YELLOW for name in headers(sheet) if name != "test accuracy"},
        (1, "test accuracy"): GREEN,
        (2, "test accuracy"): GREEN,
    }
    assert [cell(row, "test accuracy").font.bold for row in (1, 2)] == [True, False]


def test_a_single_instance_is_best_of_nothing(read, make_instance, colour):
    sheet, cell = read([make_instance(1, [0.5, 0.6])])
    assert {colour(cell(1, name)) for name in headers(sheet)} == {YELLOW}


def test_metrics_that_users_added_have_columns(read, make_instance, make_record):
    records = [make_record(fold, {"accuracy": 0.5, "own": 0.2}, further_metrics={"own": False}) for fold in (1, 2)]
    _, cell = read([make_instance(1, records)])
    assert cell(1, "test own").value == 0.2


def test_twenty_instances_fit_the_width_of_a_page_and_the_legend_has_three_lines(read, make_instance):
    instances = [
        make_instance(
            number,
            [{"accuracy": 0.5 + 0.01 * number, "balanced_accuracy": 0.5}] * 3,
            comment_1=f"a network with a name of some length {number}",
        )
        for number in range(1, 21)
    ]
    sheet, _ = read(instances)
    assert (
        sum(sheet.column_dimensions[sheet.cell(HEADER, n + 1).column_letter].width for n in range(len(headers(sheet))))
        <= PAGE_WIDTH
    )
    legend = [sheet.cell(row, 1).value for row in range(HEADER + 22, sheet.max_row + 1)]
    assert len(legend) == 3
    assert legend[0].startswith("Yellow: ")
    assert legend[2].startswith("Further sheets: ")


def test_findings_have_a_sheet_with_what_to_do(workbook_of, make_instance):
    workbook = workbook_of([make_instance(1, [0.5, 0.6], folds_total=3)])
    header, *rows = workbook["findings"].iter_rows(values_only=True, max_row=2)
    assert header == ("code", "finding", "what to do", "instances")
    assert rows[0][0].startswith("XV")
    assert "XV201 missing-folds" in {cell.value for cell in workbook["findings"]["A"]}


def test_the_rows_of_findings_are_as_high_as_their_texts(workbook_of, make_instance):
    sheet = workbook_of([make_instance(1, [0.5, 0.6], folds_total=3)])["findings"]
    rows = [cells for cells in sheet.iter_rows(min_row=2) if str(cells[0].value).startswith("XV")]
    n_lines = [max(len(wrap(str(cell.value), 70)) for cell in cells) for cells in rows]
    assert max(n_lines) > 1
    assert [sheet.row_dimensions[cells[0].row].height for cells in rows] == [15 * lines for lines in n_lines]
