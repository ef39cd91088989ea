"""The index.html that runs keep: every experiment of a results folder, whoever else writes it or may not."""

import os
import time

import pytest

from xval.base.json_files import read_json, write_json
from xval.report import index_page
from xval.report.index_page import update_index
from xval.report.rebuild import rebuild


@pytest.fixture
def root(tmp_path):
    return tmp_path / "results"


@pytest.fixture
def first(root, make_results):
    """The older of two experiments with summaries."""
    experiments = [make_results(root, dataset=dataset) for dataset in ("demo", "other")]
    for results in experiments:
        results.add_instance(1, comment_1="per bin")
        for fold in (1, 2):
            results.add_fold(1, fold, {"accuracy": 0.5})
        time.sleep(0.02)  # longer than a tick of the clock of file systems
        rebuild(results.folder)
    return experiments[0]


def test_the_index_lists_all_and_links_each_page(root, first, read_page):
    first.folder.page.write_text("a page")

    update_index(first.folder)

    page = read_page(root / "index.html")
    links = [attributes["href"] for attributes in page.of("a")]
    assert links == ["demo/experiment_1/report.html"]
    assert (root / links[0]).read_text() == "a page"
    (table,) = page.tables[""]
    assert [row[0]["text"] for row in table[1:]] == ["other/experiment_1", "demo/experiment_1"]
    loading = [(tag, attributes) for tag, attributes in page.tags if tag == "link" or "src" in attributes]
    assert loading == []


def test_an_index_of_somebody_else_is_left_alone(root, first):
    (root / "index.html").write_text("<h1>Our lab</h1>")

    update_index(first.folder)

    assert (root / "index.html").read_text() == "<h1>Our lab</h1>"


def test_a_folder_that_takes_no_index_is_no_error(root, first):
    (root / "index.html").mkdir()

    update_index(first.folder)

    assert list((root / "index.html").iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_results_folder_that_may_not_be_written_is_no_error(root, first):
    root.chmod(0o500)
    try:
        update_index(first.folder)
    finally:
        root.chmod(0o700)
    assert not (root / "index.html").exists()


def test_of_runs_that_end_at_once_the_last_index_has_them_all(root, first, monkeypatch, read_page):
    first.add_instance(3, comment_1="best of all")
    first.add_fold(3, 1, {"accuracy": 0.9})
    first.add_fold(3, 2, {"accuracy": 0.9})
    list_all, n_lists = index_page.list_experiments, []

    def list_slowly(experiments):
        n_lists.append(listed := list_all(experiments))
        if len(n_lists) == 1:
            rebuild(first.folder)  # another run ends when this one has read what it left so far
        return listed

    monkeypatch.setattr(index_page, "list_experiments", list_slowly)

    update_index(first.folder)

    assert "best of all (3)" in str(read_page(root / "index.html").tables)
    assert len(n_lists) == 2


def test_a_name_of_a_corpus_is_no_markup(root, first):
    summary = first.folder.summary_file
    write_json(summary, read_json(summary) | {"description": "<script>alert(1)</script>"})

    update_index(first.folder)

    assert "<script>alert" not in (root / "index.html").read_text()
