"""The sheet *summary*: what it shows, and what it marks."""

import pytest
from openpyxl.utils import get_column_letter, range_boundaries

GREEN, BLUE, RED, YELLOW = "A9E29C", "CFE2FF", "FFC7CE", "FFD966"


def columns_of(sheet):
    """Return the column of each header: of a mean under the header itself, of its deviation under ``<header> std``."""
    found = {}
    for cell in sheet[1]:
        if cell.value is not None:
            found[cell.value] = cell.column
            if sheet.cell(3, cell.column).value == "mean":
                found[f"{cell.value} std"] = cell.column + 1
    return found


@pytest.fixture
def read(workbook_of):
    """Return a function that gives the sheet and a function (row, header) -> cell; instances stand from row 4 on."""

    def write(instances):
        sheet = workbook_of(instances)["summary"]
        columns = columns_of(sheet)
        return sheet, lambda row, header: sheet.cell(row, columns[header])

    return write


def test_a_row_says_what_an_instance_is_and_what_it_reaches(read, make_instance):
    instances = [
        make_instance(3, [0.5, 0.7], comment_1="reg", comment_2="small", learning_rate=0.1),
        make_instance(12, [0.5, 0.6], learning_rate=0.2, architecture="crnn"),
    ]
    sheet, cell = read(instances)
    assert [header.value for header in sheet[1]][:6] == [
        "instance", "comment_1", "comment_2", "architecture", "learning_rate", "test accuracy",
    ]  # fmt: skip
    assert list(columns_of(sheet))[5:] == [
        "test accuracy", "test accuracy std", "validation accuracy", "validation accuracy std",
        "training accuracy", "training accuracy std", "time (s)", "parameters", "folds",
    ]  # fmt: skip
    assert [cell(4, name).value for name in ("instance", "comment_1", "comment_2", "architecture", "learning_rate")] == [
        3, "reg", "small", "cnn_small", 0.1,
    ]  # fmt: skip
    assert cell(4, "test accuracy").value == pytest.approx(0.6)
    assert cell(4, "test accuracy std").value == pytest.approx(0.02**0.5)
    assert cell(4, "validation accuracy").value == pytest.approx(0.7)
    assert cell(4, "training accuracy").value == pytest.approx(0.8)
    assert [cell(4, name).value for name in ("time (s)", "parameters", "folds")] == [20, 12345, "2/2"]
    assert [cell(row, "instance").value for row in (4, 5)] == [3, 12]
    assert cell(4, "test accuracy").number_format == "0.000"
    assert cell(4, "parameters").number_format == "#,##0"


def test_the_number_links_to_the_folder_beside_the_workbook(read, make_instance):
    _, cell = read([make_instance(3, [0.5])])
    link = cell(4, "instance").hyperlink
    assert link.target == "instance_3/"


def test_header_and_first_columns_stay_in_sight_and_every_column_has_a_filter(read, make_instance):
    sheet, _ = read([make_instance(1, [0.5]), make_instance(2, [0.5])])
    assert sheet.freeze_panes == "C4"
    last = sheet.cell(1, columns_of(sheet)["folds"]).column_letter
    assert sheet.auto_filter.ref == f"A3:{last}5"


def test_the_best_mean_is_bold_on_green_and_the_smallest_deviation_bold_blue(read, make_instance, colour):
    instances = [
        make_instance(1, [{"accuracy": 0.5, "loss": 1.0}, {"accuracy": 0.9, "loss": 2.0}]),
        make_instance(2, [{"accuracy": 0.6, "loss": 0.5}, {"accuracy": 0.7, "loss": 1.6}]),
    ]
    sheet, cell = read(instances)

    def bold(wanted):
        names = [(row, name) for row in (4, 5) for name in columns_of(sheet)]
        return [(row, name) for row, name in names if colour(cell(row, name)) == wanted and cell(row, name).font.bold]

    green, blue = bold(GREEN), bold(BLUE)
    sides = ("test", "validation", "training")
    assert green == [(4, f"{side} accuracy") for side in sides] + [(5, f"{side} loss") for side in sides]
    assert blue == [(4, f"{side} loss std") for side in sides] + [(5, f"{side} accuracy std") for side in sides]
    assert colour(cell(5, "test accuracy")) == GREEN, "two folds tell no difference: a tie, which is marked alike but not bold"
    assert cell(5, "test accuracy std").font.color.rgb.endswith("1F3FBF")
    assert not cell(4, "test loss").font.bold


def test_all_equal_bests_are_marked(read, make_instance, colour):
    worse = [0.1, 0.21, 0.1, 0.2]
    _, cell = read([make_instance(number, [0.5, 0.51] * 2) for number in (1, 2)] + [make_instance(3, worse)])
    assert [colour(cell(row, "test accuracy")) for row in (4, 5, 6)] == [GREEN, GREEN, None]
    assert [colour(cell(row, "test accuracy std")) for row in (4, 5, 6)] == [BLUE, BLUE, None]


def test_a_single_instance_is_selected_but_best_of_nothing(read, make_instance, colour):
    sheet, cell = read([make_instance(1, [0.5, 0.6])])
    names = ("instance", "comment_1", "comment_2", "architecture")
    assert {colour(cell(4, name)) for name in names} == {YELLOW}
    assert {colour(cell(4, name)) for name in columns_of(sheet) if name not in names} == {None}


def test_an_instance_with_a_failed_fold_is_red_and_does_not_compete(read, make_instance, make_failure, colour):
    instances = [make_instance(1, [0.5, 0.6]), make_instance(2, [0.9, make_failure(2)]), make_instance(3, [0.1, 0.2])]
    sheet, cell = read(instances)
    assert {colour(cell(5, name)) for name in columns_of(sheet)} == {RED}
    assert cell(5, "folds").value == "1/2, 1 failed"
    assert colour(cell(4, "test accuracy")) == GREEN
    assert RED not in {colour(cell(row, name)) for row in (4, 6) for name in columns_of(sheet)}


def test_an_instance_that_has_only_failed_is_a_red_row_without_figures(read, make_instance, make_failure, colour):
    _, cell = read([make_instance(1, [0.5, 0.6]), make_instance(2, [make_failure(1), make_failure(2)])])
    assert colour(cell(5, "test accuracy")) == RED
    assert cell(5, "test accuracy").value is None
    assert cell(5, "folds").value == "0/2, 2 failed"


def test_a_mean_of_fewer_folds_says_of_how_many(read, make_instance):
    _, cell = read([make_instance(1, [0.5, 0.6, 0.7]), make_instance(2, [0.5], folds_total=3)])
    assert cell(4, "test accuracy").number_format == "0.000"
    assert cell(5, "test accuracy").number_format == '0.000" (n=1)"'
    assert cell(5, "test accuracy").value == 0.5
    assert cell(5, "test accuracy std").value == "-"
    assert cell(5, "folds").value == "1/3"


def test_a_metric_that_is_undefined_is_shown_as_nan_and_one_that_is_in_some_folds_is_marked(read, make_instance):
    instances = [
        make_instance(1, [{"auc": None, "accuracy": 0.5}, {"auc": None, "accuracy": 0.5}]),
        make_instance(2, [{"auc": 0.7, "accuracy": 0.5}, {"auc": None, "accuracy": 0.5}]),
    ]
    _, cell = read(instances)
    assert (cell(4, "test auc").value, cell(4, "test auc").data_type) == ("NaN", "s")
    assert cell(4, "test auc std").value == "-"
    assert (cell(5, "test auc").value, cell(5, "test auc").number_format) == (0.7, '0.000" (n=1)"')


def test_a_metric_that_was_never_computed_is_empty(read, make_instance):
    _, cell = read([make_instance(1, [{"accuracy": 0.5}]), make_instance(2, [{"macro_f1": 0.5}])])
    assert cell(4, "test macro_f1").value is None


def test_the_chance_level_stands_in_the_header_of_test_metrics_only(read, make_instance, make_record):
    record = make_record(1, {"accuracy": 0.5, "auc": 0.5}, chance={"test": {"accuracy": 0.1, "auc": None}})
    sheet, _ = read([make_instance(1, [record])])
    levels = {name: sheet.cell(2, column).value for name, column in columns_of(sheet).items() if not name.endswith("std")}
    assert levels["test accuracy"] == "chance 0.100"
    assert levels["test auc"] == "chance NaN"
    assert not levels["validation accuracy"]
    assert not levels["training accuracy"]


def test_clips_have_columns_only_where_they_are_cut_into_windows(read, make_instance, make_record):
    whole = make_instance(1, [{"accuracy": 0.5, "loss": 1.0}])
    record = make_record(1, {"accuracy": 0.5, "loss": 1.0}, n_examples={"training": 500, "validation": 100, "test": 50})
    record["clip_metrics"]["test"]["accuracy"] = 0.9
    sheet, _ = read([whole])
    assert "test clip accuracy" not in columns_of(sheet)
    sheet, cell = read([whole, make_instance(2, [record])])
    assert cell(5, "test clip accuracy").value == 0.9
    assert cell(5, "test accuracy").value == 0.5
    assert "validation clip accuracy" in columns_of(sheet)
    assert "test clip loss" not in columns_of(sheet)


def test_the_selected_instance_is_named_with_its_reason(read, make_instance, colour):
    sheet, cell = read([make_instance(1, [0.5, 0.6]), make_instance(2, [0.7, 0.8])])
    assert colour(cell(5, "instance")) == YELLOW
    assert colour(cell(4, "instance")) is None
    assert sheet["A7"].value.startswith("cnn_small (instance 2) is selected: best mean validation accuracy (0.850 ± 0.071).")


def test_columns_are_wide_enough_for_their_figures(read, make_instance):
    instances = [
        make_instance(1, [{"mse": 123456.789}] * 2, task_type="regression"),
        make_instance(2, [], folds_total=2, task_type="regression"),
    ]
    sheet, cell = read(instances)
    assert sheet.column_dimensions[cell(4, "test mse").column_letter].width >= len("123456.789")


def test_comments_and_options_stay_text(read, make_instance):
    _, cell = read([make_instance(1, [0.5], comment_1="=1+1", n_filters=[8, 16]), make_instance(2, [0.5], comment_1="@x")])
    assert [(cell(row, "comment_1").value, cell(row, "comment_1").data_type) for row in (4, 5)] == [("=1+1", "s"), ("@x", "s")]
    assert [cell(row, "n_filters").value for row in (4, 5)] == ["8, 16", None]


def test_the_header_of_a_metric_says_what_it_is(read, make_instance):
    sheet, _ = read([make_instance(1, [{"eer": 0.1, "old": 1.0}])])
    comments = {name: sheet.cell(1, column).comment for name, column in columns_of(sheet).items()}
    assert "each class against the rest (one-vs-rest)" in comments["test eer"].text
    assert "closed set" in comments["test eer"].text
    assert comments["test old"] is None


def test_a_printed_page_has_no_more_columns_than_can_be_read_and_repeats_the_instance(read, make_instance):
    def pages(n_parameters):
        parameters = {f"a_parameter_of_the_network_{n}": n for n in range(n_parameters)}
        instances = [
            make_instance(number, [0.5, 0.6], **{name: value * number for name, value in parameters.items()})
            for number in (1, 2)
        ]
        sheet, _ = read(instances)
        assert (sheet.print_title_cols, sheet.print_title_rows) == ("$A:$B", "$1:$3")
        areas = [range_boundaries(area.split("!")[1]) for area in sheet.print_area.split(",")]
        assert [first for first, *_ in areas[1:]] == [last + 1 for _, _, last, _ in areas[:-1]], "no column is lost"
        assert areas[-1][2] == columns_of(sheet)["folds"]
        merged = {span.min_col: span.max_col for span in sheet.merged_cells.ranges if span.min_row == 1}
        assert all(merged.get(last, last) == last for _, _, last, _ in areas), "no metric is broken"
        return [
            sum(
                sheet.column_dimensions[get_column_letter(column)].width
                for column in {1, 2, *range(first, last + 1)}
                if not sheet.column_dimensions[get_column_letter(column)].hidden
            )
            for first, _, last, _ in areas
        ]

    assert max(pages(20)) <= 200
    assert len(pages(20)) > len(pages(0))
