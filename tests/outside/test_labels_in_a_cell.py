"""Several labels in a cell, as FSD50K (commas), BirdCLEF (lists) and others write them: asked about, or split."""

import pandas as pd
import pytest

import preprocessing

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
    assert "give --task-type multilabel_classification; if each is the name of one class, --task-type classification." in said
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
