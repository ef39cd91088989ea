"""Figures that were changed: a record that its predictions do not give; a fold that is gone."""

import pandas as pd
import pytest


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"value": 0.99, "metric": "balanced_accuracy"}, "scores.parquet has the test balanced_accuracy 0.99; its predictions"),
        ({"value": float("nan"), "metric": "accuracy", "side": "validation"}, "the validation accuracy nan; its predictions"),
        ({"value": 0.99, "metric": "accuracy", "side": "clip_test"}, "the test clip accuracy 0.99; its predictions give "),
        ({"value": 2, "metric": "accuracy", "of_items": True}, "' the accuracy 2; its predictions give "),
    ],
)
def test_a_score_that_is_not_that_of_the_predictions_is_named(copy, change, fault):
    copy.edit_score(**change)

    assert fault in copy.faults_of_only("scores")


def test_confusions_that_are_not_those_of_the_predictions_are_named(copy):
    copy.edit(copy.fold() / "record.json", lambda record: record["confusion_matrix"]["test"][0].reverse())

    assert "instance 1, fold 1: record.json has the confusion matrix [[" in copy.faults_of_only("scores")


def test_predictions_of_another_model_are_not_those_of_the_record(copy):
    (copy.fold(1) / "predictions.parquet").write_bytes((copy.fold(2) / "predictions.parquet").read_bytes())

    (fault,) = copy.audit()["scores"].faults
    assert "scores differ" in fault


def test_a_fold_that_was_moved_away_is_missed_whatever_was_written_since(copy):
    copy.fold(1, 2).rename(copy.results.parent / "elsewhere")
    (copy.fold(1, 1) / "explanations").mkdir()

    assert "instance 1, fold 2: metrics.json has its scores, but " in copy.faults_of_only("scores")


def test_predictions_that_give_no_figures_leave_the_fold_unchecked(copy):
    path = copy.fold() / "predictions.parquet"
    table = pd.read_parquet(path)
    table[table["side"] == "test"].to_parquet(path)

    verdict = copy.audit()["scores"]

    assert verdict.state == "not checkable"
    assert "instance 1, fold 1: no scores can be computed from its predictions.parquet (" in verdict.not_checkable[0]
    assert "it has no validation examples" in verdict.not_checkable[0]
