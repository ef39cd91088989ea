"""The sheet *folds*: a row per job."""

RED = "FFC7CE"


def rows_of(sheet):
    header = [cell.value for cell in sheet[1]]
    return [dict(zip(header, row, strict=True)) for row in sheet.iter_rows(min_row=2)]


def test_every_record_has_a_row_that_links_to_its_folder(workbook_of, make_instance):
    rows = rows_of(workbook_of([make_instance(2, [0.5, 0.6], comment_1="=reg"), make_instance(1, [0.7])])["folds"])
    assert [(row["instance"].value, row["fold"].value) for row in rows] == [(1, 1), (2, 1), (2, 2)]
    assert rows[2]["instance"].hyperlink.target == "instance_2/"
    assert rows[2]["fold"].hyperlink.target == "instance_2/fold_2/"
    found = {name: cell.value for name, cell in rows[2].items()}
    assert found["name"] == "=reg"
    assert (found["status"], found["test items"], found["validation items"]) == ("done", "speaker 2", "y")
    assert (found["n test"], found["n validation"], found["n training"]) == (10, 20, 100)
    assert (found["test accuracy"], found["validation accuracy"], found["training accuracy"]) == (0.6, 0.7, 0.8)
    assert (found["best_epoch"], found["epochs"], found["seconds"], found["seed"], found["error"]) == (2, 3, 10, 7, None)
    assert rows[2]["test accuracy"].number_format == "0.000"


def test_a_failed_fold_is_red_and_has_its_error(workbook_of, make_instance, make_failure, colour):
    done, failed = rows_of(workbook_of([make_instance(1, [0.5, make_failure(2, "=out of memory")])])["folds"])
    assert {colour(cell) for cell in failed.values()} == {RED}
    assert {colour(cell) for cell in done.values()} == {None}
    assert (failed["status"].value, failed["error"].value, failed["error"].data_type) == ("failed", "=out of memory", "s")
    assert failed["test accuracy"].value is None


def test_an_undefined_metric_is_nan_and_one_that_was_not_computed_is_empty(workbook_of, make_instance):
    instances = [make_instance(1, [{"auc": None}, {"accuracy": 0.5}]), make_instance(2, [{"auc": 0.5}])]
    first, second, _ = rows_of(workbook_of(instances)["folds"])
    assert (first["test AUC"].value, first["test AUC"].data_type) == ("NaN", "s")
    assert second["test AUC"].value is None


def test_clips_have_columns_where_they_are_cut_into_windows(workbook_of, make_instance, make_record):
    record = make_record(1, {"accuracy": 0.5}, n_examples={"training": 500, "validation": 100, "test": 50})
    record["clip_metrics"]["test"]["accuracy"] = 0.9
    (row,) = rows_of(workbook_of([make_instance(1, [record])])["folds"])
    assert (row["test clip accuracy"].value, row["test accuracy"].value) == (0.9, 0.5)


def test_what_earlier_models_have_heard_has_a_column_where_there_are_such(workbook_of, make_instance, make_record):
    def record(**facts):
        return make_record(1, {"accuracy": 0.5}) | facts

    known = {"initial_model_items": "unseen", "layers_copied": ["a", "b"], "layers_new": ["dense"]}
    unknown = {"initial_model_items": "unknown", "initial_model_reason": "no hashes", "layers_copied": ["a"], "layers_new": []}
    models = [{"leakage": "clean"}, {"path": "a.keras", "leakage": "unknown", "leakage_reason": "nobody knows"}]
    records = [record(), record(**known), record(**unknown), record(models=models)]
    rows = rows_of(workbook_of([make_instance(number, [each]) for number, each in enumerate(records, start=1)])["folds"])
    taken = "unseen; 2 of 3 layers copied, new: dense"
    unknown = "pretrained part of unknown origin: "
    said = [None, taken, f"{unknown}initial_model (no hashes)", f"{unknown}a.keras (nobody knows)"]
    assert [row["earlier models"].value for row in rows] == said
    assert "earlier models" not in rows_of(workbook_of([make_instance(1, [record()])])["folds"])[0]


def test_a_header_is_broken_between_its_words_alone(workbook_of, make_instance):
    sheet = workbook_of([make_instance(1, [{"loss": 0.5, "balanced_accuracy": 0.5}])])["folds"]
    widths = {cell.value: sheet.column_dimensions[cell.column_letter].width for cell in sheet[1]}
    assert "validation loss" in widths
    assert not {name: width for name, width in widths.items() if width < max(map(len, name.split())) + 1}
