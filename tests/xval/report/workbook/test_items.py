"""The sheet *items*: who fails."""

import pytest


def read(sheet):
    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    return rows[0], rows[1 : rows.index([None] * len(rows[0]))]


def scales(sheet):
    return {str(block.sqref): rules[0].colorScale for block, rules in sheet.conditional_formatting._cf_rules.items()}


def test_the_hardest_item_stands_first_with_a_column_per_instance(workbook_of, make_instance):
    instances = [make_instance(1, [0.5, 0.2, 0.9], comment_1="a", comment_2="b"), make_instance(2, [0.7, 0.4, 0.9])]
    header, rows = read(workbook_of(instances)["items"])
    assert header == ["item", "fold", "clips", "mean", "a, b (instance 1)", "cnn_small (instance 2)"]
    assert rows == [
        ["speaker 2", 2, 10, pytest.approx(0.3), 0.2, 0.4],
        ["speaker 1", 1, 10, pytest.approx(0.6), 0.5, 0.7],
        ["speaker 3", 3, 10, pytest.approx(0.9), 0.9, 0.9],
    ]


def test_the_mean_leaves_out_instances_that_have_not_tested_every_item(workbook_of, make_instance, make_failure):
    _, rows = read(workbook_of([make_instance(1, [0.5, 0.6]), make_instance(2, [make_failure(1), 0.1])])["items"])
    assert rows == [["speaker 1", 1, 10, 0.5, 0.5, None], ["speaker 2", 2, 10, 0.6, 0.6, 0.1]]


def test_while_no_instance_has_tested_every_item_all_count(workbook_of, make_instance, make_failure):
    _, rows = read(workbook_of([make_instance(1, [0.5, make_failure(2)]), make_instance(2, [make_failure(1), 0.1])])["items"])
    assert rows == [["speaker 2", 2, 10, 0.1, None, 0.1], ["speaker 1", 1, 10, 0.5, 0.5, None]]


def test_an_undefined_figure_is_nan(workbook_of, make_instance):
    _, rows = read(workbook_of([make_instance(1, [{"accuracy": None}, {"accuracy": 0.5}])])["items"])
    assert rows == [["speaker 2", 2, 10, 0.5, 0.5], ["speaker 1", 1, 10, None, "NaN"]]


def test_colours_go_from_red_for_low_scores_to_green_and_the_other_way_for_errors(workbook_of, make_instance):
    found = scales(workbook_of([make_instance(1, [0.5, 0.2]), make_instance(2, [0.5, 0.2])])["items"])
    assert list(found) == ["D2:D3", "E2:F3"]
    assert [colour.rgb[2:] for colour in found["E2:F3"].color] == ["F8696B", "FFEB84", "63BE7B"]
    instance = make_instance(1, [{"rmse": 0.5}, {"rmse": 0.9}], task_type="regression")
    sheet = workbook_of([instance])["items"]
    assert [colour.rgb[2:] for colour in scales(sheet)["E2:E3"].color] == ["63BE7B", "FFEB84", "F8696B"]
    assert [row[0] for row in read(sheet)[1]] == ["speaker 2", "speaker 1"]


def test_clips_that_are_items_of_their_own_have_a_row_for_each_mean(workbook_of, make_instance, make_record):
    def record(*right):
        items = {f"clip {number}": {"n_clips": 1, "accuracy": value} for number, value in enumerate(right)}
        return make_record(1, {"accuracy": 0.5}, item_metrics={"test": items})

    header, rows = read(
        workbook_of([make_instance(1, [record(1.0, 0.0, 1.0, 0.0)]), make_instance(2, [record(1.0, 1.0, 0.0, 0.0)])])["items"]
    )
    assert header == ["mean accuracy", "clips", "share of clips", "which"]
    assert rows == [[0, 1, 0.25, "clip 3"], [0.5, 2, 0.5, "clip 1, clip 2"], [1, 1, 0.25, "clip 0"]]
