"""Folds of a splitter of one's own: what they depend on, and that they are made anew when that changes."""

import json

import pandas as pd
import pytest

from preprocessing import corpus, store
from xval.jobs.folds_file import load_folds, write_folds
from xval.results.folder import ExperimentFolder
from xval.results.read import read_folds
from xval.settings.resolve import Declaration, resolve

SPLIT = """
def split(items):
    return [part["item"] for _, part in items.groupby("room")]
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Return a function that makes or reads the folds of six speakers, who sit in two rooms, by a source of my_folds."""
    monkeypatch.syspath_prepend(tmp_path)
    data = {f"s{number}": [[1.0, number], [2.0, number]] for number in range(6)}
    store.write("toy", data, {item: ["a", "b"] for item in data}, data_folder=tmp_path / "data")
    folder = ExperimentFolder(tmp_path / "results")
    folder.prepare("a test")

    def make(source=SPLIT, rooms="aaabbb", strategy="my_folds.split"):
        (tmp_path / "my_folds.py").write_text(source)
        index = pd.read_parquet(tmp_path / "data" / "toy" / "corpus.parquet")
        room = [rooms[int(item[1])] for item in index["item"]]
        pd.DataFrame({"clip": index["clip"], "room": room}).to_parquet(tmp_path / "data" / "toy" / "columns.parquet")
        given = {"dataset": "toy", "data_folder": str(tmp_path / "data"), "architecture": "mlp", "fold_strategy": strategy}
        (instance,) = resolve(Declaration("exp.py", "exp.py", "a test", given, {1: {}}))
        folds = load_folds(folder, instance.settings)
        write_folds(folder, folds, "toy", tmp_path / "data")
        return folds

    make.folder = folder
    return make


def test_folds_follow_the_further_columns_and_are_written_with_what_they_depend_on(load):
    folds = load()

    assert [fold.test for fold in folds.folds] == [("s0", "s1", "s2"), ("s3", "s4", "s5")]
    written = json.loads(load.folder.folds_file.read_text())["settings"]
    assert written["fold_strategy"] == "my_folds.split"
    assert {"splitter_source", "splitter_columns"} <= written.keys() == folds.settings.keys()


def test_folds_are_read_while_source_and_columns_are_the_same_and_made_anew_else(load):
    first = load()
    before = load.folder.folds_file.stat().st_mtime_ns

    assert (load(), load.folder.folds_file.stat().st_mtime_ns) == (first, before)
    assert [fold.test for fold in load(rooms="ababab").folds] == [("s0", "s2", "s4"), ("s1", "s3", "s5")]
    assert [fold.test for fold in load(SPLIT.replace("return", "return [['s1']] or")).folds] == [("s1",)]


def test_a_comment_more_in_the_source_leaves_the_hash_of_the_folds(load):
    assert load().hash == load(SPLIT + "# rooms\n").hash


def test_built_in_strategies_depend_on_neither(load):
    assert load(strategy="leave_one_out").settings.keys() == load("", "bbbbbb", "LeaveOneGroupOut").settings.keys()
    assert "splitter_source" not in load(strategy="leave_one_out").settings


def test_folds_of_a_corrected_corpus_say_so_and_a_run_with_nothing_to_do_opens_no_corpus_for_it(load, tmp_path, monkeypatch):
    folder, facts = tmp_path / "data" / "toy", {"of_index": "reviewed", "n_changed": 1}
    made = corpus.open_corpus("toy", tmp_path / "data")
    index = made.index.assign(label=["b", *made.index["label"][1:]])
    kept = {"corpus": made.corpus, "audio_folder": tmp_path, "task_type": made.task_type, "class_names": made.class_names}
    corpus.write_index(index, folder=folder, corrections=facts, **kept)

    folds = load(strategy="leave_one_out")

    assert read_folds(load.folder).corrections == facts
    assert read_folds(load.folder).reviewed_hash == "reviewed"
    monkeypatch.delattr(corpus, "open_corpus")
    write_folds(load.folder, folds, "toy", tmp_path / "data")
    assert read_folds(load.folder).corrections == facts


def test_folds_of_any_other_corpus_say_nothing_of_corrections(load):
    folds = load()

    assert "corrections" not in json.loads(load.folder.folds_file.read_text())
    assert read_folds(load.folder).reviewed_hash == folds.index_hash
