"""CREMA-D: names, and the table of the actors, which only gender and age need."""

from pathlib import Path

import pytest

from preprocessing.corpora import find_corpus
from preprocessing.corpora.crema_d import list_clips
from xval.base.errors import CorpusError

PATHS = ("AudioWAV/1001_DFA_ANG_XX.wav", "AudioWAV/1002_IEO_HAP_HI.wav", "AudioWAV/1040_ITH_SAD_X.wav")
TABLE = (
    "ActorID,Age,Sex,Race,Ethnicity\n1001,51,Male,Caucasian,Not Hispanic\n1002,21,Female,Caucasian,Not Hispanic\n"
    "1040,42,Female,Asian,Not Hispanic\n"
)


@pytest.fixture
def folder(tmp_path: Path, lay_out) -> Path:
    return lay_out(tmp_path, *PATHS, "AudioMP3/1001_DFA_ANG_XX.mp3", "VideoFlash/1001_DFA_ANG_XX.flv")


def test_the_actor_is_the_item_and_the_emotion_the_label(folder: Path) -> None:
    clips = list_clips(folder)
    assert clips.to_numpy().tolist() == [
        [PATHS[0], "1001", "angry", "DFA", "unspecified"],
        [PATHS[1], "1002", "happy", "IEO", "high"],
        [PATHS[2], "1040", "sad", "ITH", "unspecified"],
    ]
    assert list(clips.columns) == ["path", "item", "label", "sentence", "intensity"]
    assert len(list_clips(folder / "AudioWAV")) == 3
    assert list_clips(folder, label="intensity")["label"].tolist() == ["unspecified", "high", "unspecified"]
    assert list_clips(folder, label="sentence")["label"].tolist() == ["DFA", "IEO", "ITH"]


def test_gender_and_age_come_from_the_table(folder: Path) -> None:
    (folder / "VideoDemographics.csv").write_text(TABLE)
    for audio in (folder, folder / "AudioWAV"):
        by_gender = list_clips(audio, folds="gender")
        assert by_gender[["item", "fold"]].to_numpy().tolist() == [["1001", 2], ["1002", 1], ["1040", 1]]
        assert list_clips(audio, label="age")["label:age"].tolist() == [51.0, 21.0, 42.0]
    assert list_clips(folder, label="emotion,gender")["label"].tolist() == ["angry_male", "happy_female", "sad_female"]
    tasks = [find_corpus("crema_d").task_type(label=label) for label in ("age", "gender")]
    assert tasks == ["regression", "classification"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (None, r"No VideoDemographics\.csv in .* or next to it"),
        (
            "a,b\n1,2\n",
            r"VideoDemographics\.csv: cannot be read as the table of actors; expected the columns ActorID, Age and Sex",
        ),
        (TABLE.replace("51", "old"), "cannot be read as the table of actors; expected the"),
        (TABLE.replace("1040", "1041"), r"VideoDemographics\.csv lacks 1 of 3 actors, such as 1040"),
    ],
)
def test_a_table_that_is_missing_or_wrong_is_named(folder: Path, table: str | None, message: str) -> None:
    if table is not None:
        (folder / "VideoDemographics.csv").write_text(table)
    assert len(list_clips(folder)) == 3
    with pytest.raises(CorpusError, match=message):
        list_clips(folder, label="age")
