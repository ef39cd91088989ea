"""Clips with several labels, or none, are read from tables and arrays into one form."""

import numpy as np
import pandas as pd
import pytest

from preprocessing import store
from preprocessing.__main__ import main
from preprocessing.clips.label_sets import join_labels, multi_hot, split_labels
from preprocessing.clips.table import check_clips, class_names_of
from preprocessing.corpora.table import list_clips
from preprocessing.corpus import open_corpus
from xval.base.errors import CorpusError

TASK = "multilabel_classification"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("rain;dog", "dog;rain"),
        (" rain ; dog;rain; ", "dog;rain"),
        ("rain", "rain"),
        ("", ""),
        (None, ""),
        (float("nan"), ""),
        (["rain", "dog"], "dog;rain"),
        (np.array(["rain"]), "rain"),
        ({3, 1}, "1;3"),
        (2.0, "2"),
        (1234567.0, "1234567"),
        (0.25, "0.25"),
        (np.float32("nan"), ""),
        (["rain", float("nan"), None], "rain"),
        (["cafe\u0301"], "caf\u00e9"),
    ],
)
def test_labels_have_one_form(given, wanted):
    assert join_labels(given) == wanted


@pytest.mark.parametrize(("given", "fault"), [(True, "a bool"), ({"a": 1}, "a dict"), (["a;b"], "a label cannot contain it")])
def test_what_is_no_label_is_refused(given, fault):
    with pytest.raises(CorpusError, match=fault):
        join_labels(given)


def test_labels_become_columns_of_0_and_1_and_back():
    texts, names = ["dog;rain", "", "rain", "take 10;take 2"], ("dog", "rain", "take 2", "take 10")

    assert class_names_of(texts, TASK) == names
    assert multi_hot(texts, names).tolist() == [[1, 1, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1]]
    assert split_labels(texts[0]) == ["dog", "rain"]
    with pytest.raises(CorpusError, match="'cat' is not a class"):
        multi_hot(["cat"], names)


@pytest.fixture
def table(tmp_path):
    """Return a table of clips, some with several labels, one with none."""
    for number in range(4):
        (tmp_path / f"{number}.wav").touch()
    path = tmp_path / "sounds.csv"
    path.write_text("path,item,label,far\n0.wav,a,rain;dog,\n1.wav,a,,wind\n2.wav,b,dog,\n3.wav,c,dog;rain,wind\n")
    return path


def test_a_table_has_any_number_of_labels_in_a_cell(table):
    clips = check_clips(list_clips(table.parent, table=table, task_type=TASK), table.parent, task_type=TASK)

    assert clips["label"].tolist() == ["dog;rain", "", "dog", "dog;rain"]


def test_several_columns_of_labels_are_joined(table):
    clips = check_clips(list_clips(table.parent, table=table, task_type=TASK, label="label,far"), table.parent, task_type=TASK)

    assert clips["label"].tolist() == ["dog;rain", "wind", "dog", "dog;rain;wind"]


def test_labels_that_look_like_several_are_asked_about(table):
    with pytest.raises(CorpusError, match=f"'dog;rain' looks like several .*--task-type {TASK}.*--task-type classification"):
        list_clips(table.parent, table=table)
    with pytest.raises(CorpusError, match="line 3, column label: received ''"):
        list_clips(table.parent, table=table, task_type="classification")


@pytest.mark.parametrize(
    ("labels", "fault"),
    [(["", None], "None of the 2 clips has a label"), (["Dog;rain", "dog"], "'Dog' and 'dog' differ only in case")],
)
def test_lists_of_labels_that_cannot_be_used_are_refused(tmp_path, labels, fault):
    clips = pd.DataFrame({"path": ["0.wav", "1.wav"], "item": ["a", "b"], "label": labels})
    with pytest.raises(CorpusError, match=fault):
        check_clips(clips, tmp_path, task_type=TASK)


@pytest.mark.parametrize(
    ("targets", "names", "wanted"),
    [
        ({"a": ["dog;rain", ""], "b": ["rain", "dog"]}, None, ("dog", "rain")),
        ({"a": [["rain", "dog"], []], "b": [["rain"], ["dog"]]}, None, ("dog", "rain")),
        ({"a": np.array([[1, 1], [0, 0]]), "b": np.array([[0, 1], [1, 0]])}, ("dog", "rain"), ("dog", "rain")),
        ({"a": [[1, 1], [0, 0]], "b": [[0, 1], [1, 0]]}, None, ("0", "1")),
    ],
)
def test_arrays_have_text_lists_or_0_and_1(tmp_path, targets, names, wanted):
    predictors = {item: np.ones((2, 3), np.float32) for item in targets}

    made = store.write("own", predictors, targets, data_folder=tmp_path, task_type=TASK, class_names=names)

    assert made.class_names == wanted
    assert made.targets("a").tolist() == [[1, 1], [0, 0]]
    assert made.targets("b").tolist() == [[0, 1], [1, 0]]
    assert open_corpus("own", tmp_path).index["label"].tolist() == [";".join(wanted), "", wanted[1], wanted[0]]


@pytest.mark.parametrize(
    ("targets", "names", "fault"),
    [
        ([0.5, 1.0], None, "Received targets float64 1-D for multilabel_classification"),
        ([[0, 2], [1, 1]], None, "Received targets"),
        ([[0, 1], [1, 1]], ("dog",), "expected a name for each of the 2 columns"),
        (["dog", "cat"], ("dog",), "'cat' is not a class"),
    ],
)
def test_arrays_that_are_no_labels_are_refused(tmp_path, targets, names, fault):
    with pytest.raises(CorpusError, match=fault):
        store.write("own", {"a": np.ones((2, 3))}, {"a": targets}, data_folder=tmp_path, task_type=TASK, class_names=names)


def test_the_check_of_a_corpus_counts_a_clip_for_each_of_its_labels(tones, monkeypatch):
    monkeypatch.chdir(tones.folder)
    table = tones.folder / "audio" / "toy.csv"
    table.write_text(
        table.read_text().replace("0_0.wav,s0,low", "0_0.wav,s0,low;high").replace("0_1.wav,s0,high", "0_1.wav,s0,")
    )

    main(["table", "--check", str(table), "--task-type", TASK, "--headers-only"])

    report = tones.folder / "data" / "toy" / "quality"
    counts = pd.read_csv(report / "class_item.csv")
    assert counts[counts["item"] == "s0"][["label", "clips"]].to_numpy().tolist() == [["high", 4], ["low", 4]]
    assert "<td>Targets</td><td>2 classes</td>" in (report / "quality.html").read_text()  # not 4, its sets of labels
