"""The page and a run: it is written beside the results, and never stops them."""

import shutil
import sys

import pytest

from preprocessing.corpus import open_corpus
from xval.base.errors import ResultsError, SettingsError
from xval.report.request import PageRequest
from xval.report.write import write_page


@pytest.mark.usefixtures("in_process")
def test_a_page_that_cannot_be_written_does_not_fail_the_run_and_the_next_one_writes_it(
    project, monkeypatch, read_page, count_reads
):
    def refuse(*_):
        raise OSError("the disk is full")

    def interrupt(*_):  # Ctrl-C after the last job
        raise KeyboardInterrupt

    project.write_script({"architecture": "logistic"}, num_folds=2, page="complete")
    with monkeypatch.context() as patched:
        patched.setattr("xval.experiment.derived_files.write_page", refuse)
        ended = project.run()
    assert ended.returncode == 0, ended.stderr
    assert "the page is not up to date: OSError: the disk is full" in ended.stdout
    assert not (project.results / "report.html").exists()
    n_read = sum(count_reads("record.json").values())

    ended = project.run()

    assert ended.returncode == 0, ended.stderr
    assert "Nothing to do: all 2 jobs are done." in ended.stdout
    assert sum(count_reads("record.json").values()) - n_read == 2, "the table and the page read each record once"
    page = read_page(project.results / "report.html")
    assert "given as arrays" in page.text["errors"]
    assert "1 instance to compare" in page.text["comparison"]
    assert "were audited for leakage with" in page.text["protocol"]
    written_ns = (project.results / "report.html").stat().st_mtime_ns
    project.run()
    assert (project.results / "report.html").stat().st_mtime_ns == written_ns
    with monkeypatch.context() as patched:
        patched.setattr("xval.experiment.derived_files.write_page", interrupt)
        assert project.run("--overwrite").returncode == 130
    project.run()
    assert (project.results / "report.html").stat().st_mtime_ns > written_ns


def test_an_instance_without_a_finished_fold_has_no_errors_to_show(copy):
    with pytest.raises(ResultsError, match=r"instance 9 has no finished fold. Instances that have one: 1, 2, 3"):
        write_page(copy, PageRequest(instance=9))


def test_a_page_before_any_fold_is_done_says_so(copy, read_page):
    for folder in copy.path.glob("instance_*/fold_*"):
        shutil.rmtree(folder)

    write_page(copy, PageRequest())

    page = read_page(copy.page)
    assert "0 of 6 folds done" in " ".join(page.text["header"].split())
    assert "0 instances to compare" in page.text["comparison"]


def test_gradients_of_an_estimator_are_refused_before_the_page_is_written(copy, monkeypatch):
    before = copy.page.read_bytes()
    monkeypatch.setattr("xval.report.contents.trains_network", lambda _: False)
    with pytest.raises(SettingsError, match=r"instance 1 is 'mlp', which has no gradients\. Use --explain occlusion"):
        write_page(copy, PageRequest(1, explain="integrated_gradients"))
    assert copy.page.read_bytes() == before


def test_a_model_is_loaded_before_keras_so_that_its_backend_and_its_silence_are_chosen(copy, monkeypatch):
    explanations = pytest.importorskip("xval.extras.explanations.worst_predictions")
    monkeypatch.setitem(sys.modules, "xval.extras.explanations.clips", None)  # importing it fails
    corpus = open_corpus("tones", "data")
    found = explanations.Explanations(copy, 1, corpus, "occlusion").get(corpus.index["clip"].iloc[0], "fold_9")
    assert found == ("", f"{copy.path}: no fold_9 of instance 1.")


def test_a_damaged_file_is_named(copy):
    (copy.fold_folder(1, 1) / "predictions.parquet").write_text("no table")

    with pytest.raises(ResultsError, match=r"fold_1/predictions.parquet: damaged"):
        write_page(copy, PageRequest(instance=1))


@pytest.mark.parametrize("content", ["", "round,loss\n1,0.5\n"])
def test_a_history_without_epochs_is_left_out_of_the_curves(copy, content):
    path = copy.fold_folder(1, 1) / "history.csv"
    assert path.exists()
    path.write_text(content)

    assert write_page(copy, PageRequest(instance=1)).exists()
