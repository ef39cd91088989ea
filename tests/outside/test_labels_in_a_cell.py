"""Several labels in a cell, as FSD50K (commas), BirdCLEF (lists) and others write them: asked about, or split."""

import numpy as np
import pandas as pd
import pytest

import preprocessing
from preprocessing import store

SETS = (["Guitar", "Music"], ["Dog", "Animal"], ["Music"], ["Animal"], ["Dog", "Animal", "Music"], ["Guitar", "Animal"])
WAYS = {
    "semicolons": ";".join,
    "commas": ",".join,
    "commas and blanks": ", ".join,
    "bars": "|".join,
    "python": str,
    "tuples": lambda names: str(tuple(names)),
    "sets": lambda names: "{" + ", ".join(map(repr, names)) + "}",
    "json": lambda names: str(names).replace("'", '"'),
    "numpy": lambda names: "[" + " ".join(map(repr, names)) + "]",
    "bare": lambda names: "[" + ", ".join(names) + "]",
}
SEVERAL = ("--task-type", "multilabel_classification")


def table(study, cells, **further):
    clips = study.recordings()[["path", "item"]]
    clips = clips.assign(label=[cells[number % len(cells)] for number in range(len(clips))], **further)
    clips.to_csv(study.folder / "audio/t.csv", index=False)
    return "table", "audio/t.csv", "--dataset", "t"


def labels(study):
    return pd.read_parquet(study.folder / "data/t/corpus.parquet").sort_values("clip")["label"].tolist()


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_they_are_asked_about_and_split(empty, way):
    words = table(empty, [way(names) for names in SETS])
    said = empty.mistake("-m", "preprocessing", *words)
    assert "looks like several labels of one clip (" in said
    assert (
        "give --task-type multilabel_classification; if each is the name of one class, give --task-type classification." in said
    )
    if way in (str, WAYS["sets"], WAYS["json"], WAYS["bare"]):  # as numpy and tuples
        return
    ended = empty.prepare(*words, *SEVERAL)
    assert "4 classes (Animal, Dog, Guitar, Music)" in ended.stdout, ended.stderr
    assert ("Note       The labels in column label are separated by" in ended.stdout) == (
        way in (WAYS["bars"], WAYS["commas"], WAYS["commas and blanks"])
    )
    assert set(labels(empty)) == {";".join(sorted(names)) for names in SETS}


def test_a_comma_may_belong_to_a_class(empty):
    words = table(empty, ["Male speech, man speaking", "Dog"])
    ended = empty.prepare(*words, "--task-type", "classification")
    assert "2 classes (Dog, Male speech, man speaking)" in ended.stdout, ended.stderr


@pytest.mark.parametrize(
    "cells",
    [
        ["Male speech, man;Dog", "Dog"],
        ["Male speech, man|Dog", "Dog"],
        ["['Male speech, man', 'Dog']", "Dog"],
    ],
)
def test_a_comma_may_belong_to_one_of_several_labels(empty, cells):
    ended = empty.prepare(*table(empty, cells), *SEVERAL)
    assert "2 classes (Dog, Male speech, man)" in ended.stdout, ended.stderr


def test_what_is_no_list_stays(empty):
    words = table(empty, ["[noise]", "(laugh)", "dog", "a|"])
    ended = empty.prepare(*words)
    assert "4 classes ((laugh), [noise], a|, dog)" in ended.stdout, ended.stderr


def test_none_and_escapes(empty):
    words = table(empty, ["[]", "['']", r'["caf\u00e9", "it' + "'" + r's"]', '["it' + "'" + 's"]'])
    ended = empty.prepare(*words, *SEVERAL)
    assert "2 classes (café, it's)" in ended.stdout, ended.stderr
    assert labels(empty).count("") == 12


def test_labels_in_several_columns(empty):
    words = table(empty, ["asbfly", "comior"], others=[str(["houcro", "comior"]), "[]"] * 12)
    ended = empty.prepare(*words, *SEVERAL, "--label", "label,others")
    assert "3 classes (asbfly, comior, houcro)" in ended.stdout, ended.stderr


def test_a_data_frame_with_lists(empty, monkeypatch):
    monkeypatch.chdir(empty.folder)
    clips = empty.recordings()[["path", "item"]]
    clips["label"] = [["Male speech, man", "Dog"], ["Male speech, man"], [], ["Dog"]] * 6
    small = {"sample_rate_hz": 4000, "n_fft": 64, "win_length": 64, "hop_length": 32, "n_mels": 8}
    words = {"dataset": "t", "audio_folder": "audio", "settings": small, "workers": 1, "quiet": True, "task_type": SEVERAL[1]}
    assert preprocessing.prepare(clips, **words).class_names == ("Dog", "Male speech, man")
    clips["label"] = [["Male speech, man"], ["Dog"]] * 12
    assert preprocessing.prepare(clips, **words).class_names == ("Dog", "Male speech, man")
    clips = clips.rename(columns={"label": "tags"})
    assert preprocessing.prepare(clips, **words, label="tags").class_names == ("Dog", "Male speech, man")


LISTS = {"lists": list, "arrays": np.array, "tuples": tuple}


def columns(study, sets):
    """Write a parquet file whose column label holds lists."""
    clips = study.recordings()[["path", "item"]]
    clips["label"] = [sets[number % len(sets)] for number in range(len(clips))]
    clips.to_parquet(study.folder / "audio/t.parquet")
    return "table", "audio/t.parquet", "--dataset", "t"


@pytest.mark.parametrize("form", LISTS.values(), ids=LISTS)
def test_lists_of_parquet_are_asked_about_and_split(empty, form):
    words = columns(empty, [form(["Speech, male", "Dog"]), form(["Speech, male"]), form(["Dog"])])

    assert "looks like several labels of one clip" in empty.mistake("-m", "preprocessing", *words)
    ended = empty.prepare(*words, *SEVERAL)

    assert "2 classes (Dog, Speech, male)" in ended.stdout, ended.stderr
    assert set(labels(empty)) == {"Dog;Speech, male", "Speech, male", "Dog"}


def test_lists_of_one_name_or_none(empty):
    words = columns(empty, [["Speech"], ["Dog"]])
    assert empty.prepare(*words).returncode == 0
    assert set(labels(empty)) == {"Dog", "Speech"}

    words = columns(empty, [["a"], [], None, ["b"]])
    assert "column label: received ''" in empty.mistake("-m", "preprocessing", *words)
    assert empty.prepare(*words, *SEVERAL).returncode == 0
    assert set(labels(empty)) == {"", "a", "b"}


def test_a_list_of_items_is_none(empty):
    clips = empty.recordings()[["path", "label", "item"]]
    clips.assign(item=[[item] for item in clips["item"]]).to_parquet(empty.folder / "audio/t.parquet")
    assert "the column 'item' holds list<" in empty.mistake("-m", "preprocessing", "table", "audio/t.parquet")


@pytest.mark.parametrize("is_named", [False, True], ids=["texts", "class labels"])
@pytest.mark.long
def test_lists_of_a_dataset_of_hugging_face(empty, is_named):
    datasets = pytest.importorskip("datasets")
    sets = [["Dog", "Rain, heavy"], ["Dog"], ["Rain, heavy"], []]
    names = ["Dog", "Rain, heavy"]
    clips = empty.recordings()
    kind = datasets.ClassLabel(names=names) if is_named else datasets.Value("string")
    content = {
        "audio": [{"bytes": (empty.folder / "audio" / path).read_bytes(), "path": None} for path in clips["path"]],
        "label": [[names.index(name) if is_named else name for name in sets[number % 4]] for number in range(len(clips))],
        "speaker": clips["item"].tolist(),
    }
    features = {"audio": datasets.Audio(decode=False), "label": datasets.List(kind), "speaker": datasets.Value("string")}
    datasets.Dataset.from_dict(content).cast(datasets.Features(features)).save_to_disk(str(empty.folder / "hub"))
    words = ("huggingface", "hub", "--item", "speaker", "--dataset", "t")

    said = empty.mistake("-m", "preprocessing", *words)
    ended = empty.prepare(*words, *SEVERAL)

    assert '--label label: \'["Dog", "Rain, heavy"]\' looks like several labels' in said
    assert "2 classes (Dog, Rain, heavy)" in ended.stdout, ended.stderr
    assert set(labels(empty)) == {"", "Dog", "Dog;Rain, heavy", "Rain, heavy"}
    of_items = empty.mistake("-m", "preprocessing", *words[:2], "--item", "label", "--label", "speaker")
    assert f"the column label has lists of {'ClassLabel' if is_named else 'Value'}; expected Value or ClassLabel" in of_items
    assert "Name another column (--label, --item)." in of_items


@pytest.mark.parametrize("names", [None, ("no", "yes")], ids=["truths", "with names"])
@pytest.mark.parametrize("form", [list, np.array, lambda values: pd.Series(values, dtype="boolean")])
def test_truths_of_arrays_are_classes(tmp_path, form, names):
    x = np.random.default_rng(0).normal(size=(4, 3, 2)).astype("float32")
    targets = {item: form([True, False, True, False]) for item in "pqr"}

    written = store.write("truths", dict.fromkeys("pqr", x), targets, data_folder=tmp_path, class_names=names)

    assert written.class_names == (names or ("False", "True"))
    assert written["p"][1].tolist() == [1, 0, 1, 0]
