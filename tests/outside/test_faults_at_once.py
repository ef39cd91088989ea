"""Tables: everything that is wrong is told in one round, ids keep their zeros, and a label that is missing is named."""

import math

import numpy as np
import openpyxl
import pandas as pd
import pytest

import xval
from preprocessing import prepare
from preprocessing.store import write


def test_all_faults_of_events_are_told_at_once(empty):
    empty.recordings()
    lines = [
        "path,start_s,end_s,label,item",
        "low/s0_0.wav,0.01,0.05,song,a",
        "nowhere.wav,x,0.05,song,a",  # no recording, and no number
        "low/s1_0.wav,0.05,0.01,,b",  # an end before the start, and no label
        "nothing.wav,0.04,0.02,song,",  # no recording, an end before the start, and no item
    ]
    empty.file("audio/events.csv", "\n".join(lines) + "\n")
    ended = empty.prepare("events", "audio/events.csv", "--dataset", "small", "--item", "item")
    assert ended.returncode == 2
    for told in (
        "line 3: there is no recording 'nowhere.wav'",
        "line 3: column start_s: received 'x'",
        "line 4: the event starts at 0.05 and ends at 0.01",
        "line 4: column label is empty",
        "line 5: there is no recording 'nothing.wav'",
        "line 5: the event starts at 0.04 and ends at 0.02",
        "line 5: column item is empty",
    ):
        assert told in ended.stderr, ended.stderr


def test_ids_of_a_workbook_keep_their_zeros(empty):
    clips = empty.recordings()
    book = openpyxl.Workbook()
    book.active.append(["path", "item", "site", "label"])
    for place, clip in enumerate(clips.itertuples()):
        number = int(clip.item[1:]) + 7
        book.active.append([clip.path, f"{number:03d}", number, clip.label])  # a text, and a number that is shown as 007
        book.active.cell(place + 2, 3).number_format = "000"
    book.save(empty.folder / "audio/clips.xlsx")
    for column in ("item", "site"):
        ended = empty.prepare("table", "audio/clips.xlsx", "--dataset", column, "--item", column)
        assert ended.returncode == 0, ended.stderr
        items = pd.read_parquet(empty.folder / "data" / column / "corpus.parquet")["item"]
        assert sorted(set(items)) == ["007", "008", "009", "010", "011", "012"]


def test_a_missing_label_in_a_list_is_named_with_how_many_there_are(empty):
    table = empty.recordings()[["path", "item"]].assign(label=[["dog", "rain"], ["dog", math.nan], [None], []] * 6)
    said = r"row 1: one of the labels \['dog', nan\] is missing \(%d such lists in all\)\. Remove it"
    places = {"audio_folder": empty.folder / "audio", "data_folder": empty.folder / "data"}
    with pytest.raises(xval.XvalError, match=said % 12):
        prepare(table, dataset="small", task_type="multilabel_classification", quiet=True, **places)
    with pytest.raises(xval.XvalError, match=said % 2):
        write("small", {"a": np.zeros((4, 2))}, {"a": table["label"][:4].tolist()}, task_type="multilabel_classification")


def test_intervals_of_metrics_of_scikit_learn_keep_within_their_range(empty):
    rng = np.random.default_rng(0)
    labels = ["ab"[place % 2] for place in range(12)]
    predictors = {}
    for item in range(6):  # two of which are hard
        differences = (0.0 if item < 2 else 3.0) * (np.arange(12) % 2)
        predictors[f"s{item}"] = (rng.normal(size=(12, 6, 4)) + differences[:, None, None]).astype("float32")
    write("small", predictors, dict.fromkeys(predictors, labels), data_folder=empty.folder / "data")
    names = "sklearn:f1_macro, sklearn:recall_macro, sklearn:log_loss"
    empty.train({"architecture": "knn", "n_neighbors": (1,)}, num_folds=3, metrics=names)
    scores = xval.load_scores(empty.results).query("side == 'test'").set_index("metric")
    assert scores.loc[["f1_macro", "recall_macro"], "high"].max() <= 1
    assert scores.loc["log_loss", "low"] >= 0
    assert scores.loc["f1_macro", "high"] > scores.loc["f1_macro", "mean"]
