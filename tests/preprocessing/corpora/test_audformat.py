"""Databases in audformat, written by the library itself: schemes, splits, segments, and what is refused."""

from pathlib import Path

import audformat
import numpy as np
import pandas as pd
import pytest
import soundfile

from preprocessing.__main__ import main
from preprocessing.corpora.audformat import list_clips
from preprocessing.corpus import open_corpus
from xval.base.errors import CorpusError

FILES = [f"audio/{number}.wav" for number in range(6)]


def column(table: audformat.Table, name: str, values: list[object]) -> None:
    table[name] = audformat.Column(scheme_id=name)
    table[name].set(values)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six files of three speakers; emotions in tables of two splits, arousal of segments, speakers in a table of their own."""
    place = tmp_path_factory.mktemp("database")
    database = audformat.Database("moods")
    for name in ("train", "test"):
        database.splits[name] = audformat.Split(name)
    database.schemes["emotion"] = audformat.Scheme(labels=["glad", "sad"])
    database.schemes["arousal"] = audformat.Scheme("float")
    sexes = {1: {"gender": "female", "age": 30}, 2: {"gender": "male", "age": 41}, 3: {"gender": "male", "age": 52}}
    database.schemes["speaker"] = audformat.Scheme(labels=sexes)
    database["files"] = audformat.Table(audformat.filewise_index(FILES))
    column(database["files"], "speaker", [1, 1, 2, 2, 3, 3])
    for split, files, values in (("train", FILES[:4], ["glad", "sad", "sad", None]), ("test", FILES[4:], ["glad", "sad"])):
        database[f"emotion.{split}"] = audformat.Table(audformat.filewise_index(files), split_id=split)
        column(database[f"emotion.{split}"], "emotion", values)
    segments = audformat.segmented_index(FILES[1:3], ["0s", "0.1s"], ["0.2s", pd.NaT])
    database["segments"] = audformat.Table(segments)
    column(database["segments"], "arousal", [0.25, -1.0])
    database.save(str(place))
    (place / "audio").mkdir()
    for number, file in enumerate(FILES):
        soundfile.write(place / file, np.random.default_rng(number).normal(0, 0.1, 8000), 16000)
    return place


def test_labels_of_all_tables_get_item_and_phase(folder: Path) -> None:
    clips = list_clips(folder, label="emotion")
    assert clips[["path", "item", "label", "phase"]].to_numpy().tolist() == [
        [FILES[0], "1", "glad", "training"],
        [FILES[1], "1", "sad", "training"],
        [FILES[2], "2", "sad", "training"],
        [FILES[4], "3", "glad", "test"],
        [FILES[5], "3", "sad", "test"],
    ]
    assert clips.attrs["note"] == "1 of 6 files or segments has no label"
    assert len(list_clips(folder, label="emotion", table="emotion.test")) == 2


def test_segments_become_stretches_of_their_speaker(folder: Path) -> None:
    clips = list_clips(folder, label="arousal", task_type="regression")
    assert clips[["item", "label:arousal", "start_s"]].to_numpy().tolist() == [["1", 0.25, 0.0], ["2", -1.0, 0.1]]
    assert clips["end_s"][0] == 0.2
    assert clips["end_s"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("label", "found"), [("gender", {"female", "male"}), ("gender,age", {"female_30", "male_41", "male_52"})]
)
def test_what_a_scheme_says_about_a_value_may_be_the_label(folder: Path, label: str, found: set[str]) -> None:
    clips = list_clips(folder, label=label)
    assert set(clips["label"]) == found
    assert len(clips) == 6


def test_what_a_table_says_about_speakers_may_be_the_label(tmp_path: Path) -> None:
    database = audformat.Database("voices")
    database["speaker"] = audformat.MiscTable(pd.Index([1, 2], name="speaker", dtype="Int64"))
    database["speaker"]["sex"] = audformat.Column()
    database["speaker"]["sex"].set(["female", "male"])
    database.schemes["speaker"] = audformat.Scheme("int", labels="speaker")
    database["files"] = audformat.Table(audformat.filewise_index(FILES[:3]))
    column(database["files"], "speaker", [1, 2, None])
    database.save(str(tmp_path))
    clips = list_clips(tmp_path, label="sex")
    assert clips[["item", "label"]].to_numpy().tolist() == [["1", "female"], ["2", "male"]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {},
            (
                r"2 columns in addition to the item. Choose the one to predict with --label.*Available: age, arousal, emotion, "
                "gender, speaker"
            ),
        ),
        ({"label": "emotions"}, "--label emotions: .*Did you mean 'emotion'"),
        ({"label": "emotion", "item": "spaeker"}, "--item spaeker: .*Did you mean 'speaker'"),
        ({"label": "emotion", "table": "emotion.trai"}, "--table emotion.trai: .*Did you mean 'emotion.train'"),
        (
            {"label": "emotion", "table": "files"},
            r"--table files: there is no emotion in it\. It is in emotion\.test, emotion\.train",
        ),
        ({"label": "arousal"}, r"--label arousal: the labels are numbers\. To predict them, give --task-type regression"),
        ({"label": "speaker"}, "--item speaker --label speaker: every fold would test a label that was never trained on"),
    ],
)
def test_what_cannot_be_is_refused_with_what_there_is(folder: Path, options: dict[str, str], message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        list_clips(folder, **options)


def test_a_folder_that_is_no_database_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"has no db\.yaml"):
        list_clips(tmp_path, label="emotion")
    (tmp_path / "db.yaml").write_text("- nonsense")
    with pytest.raises(CorpusError, match="cannot be read by audformat"):
        list_clips(tmp_path, label="emotion")


def test_a_database_becomes_a_store(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["audformat", str(folder), "--label", "emotion", "--dataset", "moods", "--data-folder", str(tmp_path)]
    assert main([*command, "--workers", "1"]) == 0
    assert "moods: 5 clips of 3 speakers (1, 2, 3), 2 classes (glad, sad)" in capsys.readouterr().out
    assert open_corpus("moods", tmp_path).index["phase"].value_counts().to_dict() == {"training": 3, "test": 2}
