"""The sheet *metrics*: every metric of every side."""

import pytest


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
        sheet = workbook_of(instances)["metrics"]
        columns = columns_of(sheet)
        return sheet, lambda row, header: sheet.cell(row, columns[header])

    return write


def test_a_row_says_what_an_instance_is_and_what_it_reaches(read, make_instance):
    instances = [
        make_instance(3, [0.5, 0.7], comment_1="reg", comment_2="small", learning_rate=0.1),
        make_instance(12, [0.5, 0.6], learning_rate=0.2, architecture="crnn"),
    ]
    sheet, cell = read(instances)
    assert list(columns_of(sheet)) == [
        "instance", "name", "test accuracy", "test accuracy std", "validation accuracy", "validation accuracy std",
        "training accuracy", "training accuracy std", "parameters", "folds",
    ]  # fmt: skip
    assert [cell(4, name).value for name in ("instance", "name")] == [3, "reg, small"]
    assert cell(4, "test accuracy").value == pytest.approx(0.6)
    assert cell(4, "test accuracy std").value == pytest.approx(0.02**0.5)
    assert cell(4, "validation accuracy").value == pytest.approx(0.7)
    assert cell(4, "training accuracy").value == pytest.approx(0.8)
    assert [cell(4, name).value for name in ("parameters", "folds")] == [12345, "2/2"]
    assert [cell(row, "instance").value for row in (4, 5)] == [3, 12]
    assert cell(4, "test accuracy").number_format == "0.000"
    assert cell(4, "parameters").number_format == "#,##0"


def test_header_and_first_columns_stay_in_sight_and_every_column_has_a_filter(read, make_instance):
    sheet, _ = read([make_instance(1, [0.5]), make_instance(2, [0.5])])
    assert sheet.freeze_panes == "C4"
    last = sheet.cell(1, columns_of(sheet)["folds"]).column_letter
    assert sheet.auto_filter.ref == f"A3:{last}5"


def test_the_selected_instance_is_marked_and_nothing_else(read, make_instance, make_failure, colour):
    sheet, cell = read([make_instance(1, [0.5, 0.6]), make_instance(2, [0.9, make_failure(2)])])
    marked = {(row, name) for row in (4, 5) for name in columns_of(sheet) if colour(cell(row, name))}
    assert marked == {(4, "instance"), (4, "name")}
    assert cell(5, "folds").value == "1/2, 1 failed"


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
    assert (cell(4, "test AUC").value, cell(4, "test AUC").data_type) == ("NaN", "s")
    assert cell(4, "test AUC std").value == "-"
    assert (cell(5, "test AUC").value, cell(5, "test AUC").number_format) == (0.7, '0.000" (n=1)"')


def test_a_metric_that_was_never_computed_is_empty(read, make_instance):
    _, cell = read([make_instance(1, [{"accuracy": 0.5}]), make_instance(2, [{"macro_f1": 0.5}])])
    assert cell(4, "test macro F1").value is None


def test_the_chance_level_stands_in_the_header_of_test_metrics_only(read, make_instance, make_record):
    record = make_record(1, {"accuracy": 0.5, "auc": 0.5}, chance={"test": {"accuracy": 0.1, "auc": None}})
    sheet, _ = read([make_instance(1, [record])])
    levels = {name: sheet.cell(2, column).value for name, column in columns_of(sheet).items() if not name.endswith("std")}
    assert levels["test accuracy"] == "chance 0.100"
    assert levels["test AUC"] == "chance NaN"
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


def test_columns_are_wide_enough_for_their_figures(read, make_instance):
    instances = [
        make_instance(1, [{"mse": 123456.789}] * 2, task_type="regression"),
        make_instance(2, [], folds_total=2, task_type="regression"),
    ]
    sheet, cell = read(instances)
    assert sheet.column_dimensions[cell(4, "test mean squared error (MSE)").column_letter].width >= len("123456.789")


def test_the_header_of_a_metric_says_what_it_is(read, make_instance):
    sheet, _ = read([make_instance(1, [{"eer": 0.1, "old": 1.0}])])
    comments = {name: sheet.cell(1, column).comment for name, column in columns_of(sheet).items()}
    assert "each class against the rest (one-vs-rest)" in comments["test equal error rate (EER)"].text
    assert "closed set" in comments["test equal error rate (EER)"].text
    assert comments["test old"] is None
