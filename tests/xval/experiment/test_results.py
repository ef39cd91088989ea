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
    pd.testing.assert_frame_equal(results.figures, xval.load_figures(finished.results))
    pd.testing.assert_frame_equal(results.predictions, xval.load_predictions(finished.results))
    assert results.not_done == []
    with pd.option_context("display.width", 80, "display.max_columns", 0):
        assert "pooled" in repr(results.figures).partition("\n")[0]


def test_the_summary_marks_the_best_instance_which_validation_selects(results):
    (marked,) = [name for name in results.summary.index if name.endswith("*")]

    assert marked == f"{results.best} *"
    assert list(results.summary["folds"]) == ["2/2"] * 3
    assert marked in repr(results)
    assert f"<td>{results.summary.loc[marked, 'architecture']}</td>" in results._repr_html_()


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


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(ResultsError, match="holds no results of an experiment"):
        Results(tmp_path)
