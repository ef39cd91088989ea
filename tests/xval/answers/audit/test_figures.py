"""Figures that were changed: a record that its predictions do not give; a fold that is gone."""

import pandas as pd
import pytest


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            lambda record: record["metrics"]["test"].update(balanced_accuracy=0.99),
            "the test balanced_accuracy 0.99; its predictions give ",
        ),
        (lambda record: record["metrics"]["validation"].update(accuracy=None), "the validation accuracy None; its "),
        (lambda record: record["clip_metrics"]["test"].update(accuracy=0.99), "the test clip accuracy 0.99; its predictions"),
        (lambda record: record["confusion_matrix"]["test"][0].reverse(), "the confusion matrix [["),
        (
            lambda record: next(iter(record["item_metrics"]["test"].values())).update(accuracy=2),
            "the accuracy 2; its predictions give ",
        ),
    ],
)
def test_a_figure_that_is_not_that_of_the_predictions_is_named(copy, change, fault):
    copy.edit(copy.fold() / "record.json", change)

    faults = copy.faults_of_only("figures")

    assert "instance 1, fold 1: record.json has " in faults
    assert fault in faults


def test_predictions_of_another_model_are_not_those_of_the_record(copy):
    (copy.fold(1) / "predictions.parquet").write_bytes((copy.fold(2) / "predictions.parquet").read_bytes())

    (fault,) = copy.audit()["figures"].faults
    assert "figures differ" in fault


def test_a_fold_that_was_moved_away_is_missed_whatever_was_written_since(copy):
    copy.fold(1, 2).rename(copy.results.parent / "elsewhere")
    (copy.fold(1, 1) / "explanations").mkdir()

    assert "instance 1, fold 2: metrics.json has its scores, but " in copy.faults_of_only("figures")


def test_predictions_that_give_no_figures_leave_the_fold_unchecked(copy):
    path = copy.fold() / "predictions.parquet"
    table = pd.read_parquet(path)
    table[table["side"] == "test"].to_parquet(path)

    verdict = copy.audit()["figures"]

    assert verdict.state == "not checkable"
    assert "instance 1, fold 1: no scores can be computed from its predictions.parquet (" in verdict.not_checkable[0]
    assert "it has no validation examples" in verdict.not_checkable[0]
