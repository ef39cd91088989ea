"""The sheet *confusion*: one matrix per instance, summed over its folds."""

from dataclasses import replace

from xval.report.workbook import confusion


def rows_of(sheet):
    return [[cell.value for cell in row] for row in sheet.iter_rows()]


def test_matrices_are_summed_over_finished_folds(workbook_of, make_instance, make_record, make_failure):
    second = make_record(2, {"accuracy": 0.5}, confusion_matrix={"test": [[5, 0], [0, 0]]})
    sheet = workbook_of([make_instance(1, [0.7, second, make_failure(3)], comment_1="a"), make_instance(2, [0.7])])["confusion"]
    assert rows_of(sheet)[2:6] == [
        ["a (instance 1) (2 of 3 folds, 15 clips)", None, None, None],
        ["true \\ predicted", "no", "yes", "recall"],
        ["no", 9, 1, 0.9],
        ["yes", 2, 3, 0.6],
    ]
    assert sheet["A8"].value == "cnn_small (instance 2) (1 of 1 fold, 10 clips)"


def test_a_recall_has_its_interval_where_it_is_known(workbook_of, make_instance):
    instance = make_instance(1, [0.7])
    known = {"no": {"n_clips": 5, "n_items": 3, "recall": 0.8, "low": 0.6, "high": 0.9}}
    whole = {"version": 0, "n_items": 3, "folds_lacking_classes": [], "missing": "", "figures": {}, "classes": known}
    rows = rows_of(workbook_of([replace(instance, over_items=whole)])["confusion"])
    assert rows[3:6] == [
        ["true \\ predicted", "no", "yes", "recall", "95 % low", "95 % high"],
        ["no", 4, 1, 0.8, 0.6, 0.9],
        ["yes", 2, 3, 0.6, None, None],
    ]


def test_each_true_class_has_a_scale_from_none_to_all_of_its_clips(workbook_of, make_instance):
    sheet = workbook_of([make_instance(1, [0.7])])["confusion"]
    rules = {str(block.sqref): rules[0].colorScale for block, rules in sheet.conditional_formatting._cf_rules.items()}
    assert list(rules) == ["B5:C5", "B6:C6"]
    assert [float(limit.val) for limit in rules["B6:C6"].cfvo] == [0, 5]


def test_a_class_without_clips_has_no_recall(workbook_of, make_instance, make_record):
    record = make_record(1, {"accuracy": 0.5}, confusion_matrix={"test": [[0, 0], [2, 3]]}, class_names=["=no", "yes"])
    sheet = workbook_of([make_instance(1, [record])])["confusion"]
    assert (sheet["A5"].value, sheet["A5"].data_type, sheet["D5"].value) == ("=no", "s", "NaN")


def test_too_many_matrices_leave_the_best_by_validation_and_say_so(workbook_of, make_instance, monkeypatch):
    monkeypatch.setattr(confusion, "MOST_CELLS", 8)
    sheet = workbook_of([make_instance(number, [accuracy]) for number, accuracy in enumerate((0.9, 0.1, 0.5), start=1)])[
        "confusion"
    ]
    titles = [row[0] for row in rows_of(sheet) if "(instance" in str(row[0])]
    assert titles == [f"cnn_small #{number} (instance {number}) (1 of 1 fold, 10 clips)" for number in (1, 3)]
    assert sheet["A2"].value.startswith("The 2 best of 3 instances by validation")


def test_a_regression_has_none(workbook_of, make_instance):
    instance = make_instance(1, [{"rmse": 0.5}], task_type="regression")
    del instance.folds[1]["confusion_matrix"]
    assert "confusion" not in workbook_of([instance]).sheetnames


def test_a_title_says_what_is_counted_and_that_repeats_are_averaged(workbook_of, make_instance, make_record):
    again = make_record(1, {"accuracy": 0.5}, repeat=2, confusion_matrix={"test": [[5, 0], [2, 3]]})
    sheet = workbook_of([make_instance(1, [make_record(1, {"accuracy": 0.5}, repeat=1), again], folds_total=1, repeats=2)])[
        "confusion"
    ]
    assert sheet["A3"].value == "cnn_small (instance 1) (1 of 1 fold, 10 clips, mean of up to 2 seeds of a fold)"
    frames = make_record(1, {"macro_f1": 0.5})
    sheet = workbook_of([make_instance(1, [frames], task_type="frame_classification")])["confusion"]
    assert sheet["A3"].value == "cnn_small (instance 1) (1 of 1 fold, 10 frames)"
