import pandas as pd
import pytest

import xval
from xval import Results
from xval.base.errors import ResultsError


@pytest.fixture
def results(finished):
    return Results(finished.results)


def test_tables_are_those_of_the_loading_functions(results, finished):
    pd.testing.assert_frame_equal(results.folds, xval.load_results(finished.results))
    pd.testing.assert_frame_equal(results.scores, xval.load_scores(finished.results))
    pd.testing.assert_frame_equal(results.predictions, xval.load_predictions(finished.results))
    assert results.not_done == []
    with pd.option_context("display.width", 80, "display.max_columns", 0):
        assert "pooled" in repr(results.scores).partition("\n")[0]


def test_the_summary_has_numbers_and_marks_the_best_instance_which_validation_selects(results):
    summary = results.summary

    assert summary.index.tolist() == [1, 2, 3]
    assert summary.index[summary["is_selected"]].tolist() == [results.best]
    assert summary[["n_folds", "n_folds_done"]].to_numpy().tolist() == [[2, 2]] * 3
    numbers = summary.drop(columns=["is_selected", "comment_1", "architecture", "n_folds", "n_folds_done", "leakage"])
    assert set(numbers.dtypes.astype(str)) == {"float64"}
    scores = results.scores.query("side == 'test' and metric == 'accuracy'").set_index("instance")
    for name in ("mean", "std", "low", "high", "chance"):
        assert summary[f"test_accuracy_{name}"].tolist() == scores[name].tolist()
    for number, score in scores.iterrows():
        assert summary.loc[number, "test_accuracy_estimate"] == score[score["of"]]
    validated = results.folds.query("side == 'validation' and metric == 'balanced_accuracy'")
    folds = validated.groupby("instance")["value"].agg(["mean", "std"])
    columns = ["validation_balanced_accuracy_mean", "validation_balanced_accuracy_std"]
    assert summary[columns].to_numpy() == pytest.approx(folds.to_numpy())


def test_results_are_shown_as_the_table_of_a_run(results):
    shown = repr(results)

    assert f"\n{results.best} *" in shown
    assert " ± " in shown
    assert shown.count("2/2") == 3
    assert f"<td>{results.summary.loc[1, 'architecture']}</td>" in results._repr_html_()


def test_a_model_of_an_instance_that_is_not_there_is_refused_with_those_that_are(results):
    with pytest.raises(ResultsError, match=r"no instance 7\. Available: 1-3\."):
        results.load_model(7)


def test_instances_are_compared_and_the_page_is_written(results, finished, tmp_path):
    import shutil

    moved = Results(shutil.copytree(finished.results, tmp_path / "moved"))
    moved.folder.joinpath("report.html").unlink()

    compared = moved.compare(1, 3, baseline=1)
    assert len(compared.table)
    assert "verdict" in repr(compared)
    assert "against instance 1 (as chosen)" in repr(compared)
    assert "Pair(" not in repr(compared)
    assert moved.report(audio=False, audit=False).read_text(encoding="utf-8").startswith("<!")
