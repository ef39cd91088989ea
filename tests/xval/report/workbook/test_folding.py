"""Columns that are equal for all instances are folded away, and nothing is lost."""

import pytest


def folded(sheet):
    """Return the headers of hidden columns, all of which are in a group."""
    hidden = [letter for letter, dimension in sheet.column_dimensions.items() if dimension.hidden]
    assert all(sheet.column_dimensions[letter].outlineLevel == 1 for letter in hidden)
    return [value for letter in hidden if (value := sheet[f"{letter}1"].value) is not None]


@pytest.fixture
def instances(make_instance):
    return [
        make_instance(number, [{"accuracy": 0.5, "auc": 0.7, "loss": 1.0 * number}] * 2, comment_1=f"c{number}")
        for number in (1, 2)
    ]


def test_equal_columns_are_hidden_with_their_values_and_named_below_but_never_the_main_metrics(workbook_of, instances):
    sheet = workbook_of(instances)["metrics"]
    names = ["test AUC", "validation AUC", "training AUC", "parameters"]
    assert folded(sheet) == names
    notes = [cell.value for cell in sheet["A"] if str(cell.value).startswith("Hidden because equal in all rows")]
    assert len(notes) == 1
    assert all(name in notes[0] for name in names)


def test_both_columns_of_a_metric_fold_together_or_not_at_all(workbook_of, make_instance):
    scores = [[{"auc": 0.4}, {"auc": 0.6}], [{"auc": 0.5}, {"auc": 0.5}]]
    sheet = workbook_of([make_instance(number, folds) for number, folds in enumerate(scores, start=1)])["metrics"]
    assert not [name for name in folded(sheet) if "AUC" in name], "equal means, but other deviations"


def test_tables_of_jobs_keep_instance_fold_status_and_figures(workbook_of, instances):
    sheet = workbook_of(instances)["folds"]
    assert {"repeat", "device", "error"} <= set(folded(sheet))
    assert not {"instance", "name", "fold", "status", "test items", "test accuracy"} & set(folded(sheet))
    assert "repeat" in sheet["A1"].comment.text


def test_of_a_single_instance_nothing_is_folded(workbook_of, instances):
    assert not [name for sheet in workbook_of(instances[:1]) for name in folded(sheet)]
