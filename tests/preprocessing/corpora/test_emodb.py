"""EmoDB: names, speakers, and the folders beside wav/."""

from pathlib import Path

import pytest

from preprocessing.corpora import find_corpus
from preprocessing.corpora.emodb import list_clips


@pytest.fixture
def folder(tmp_path: Path, lay_out) -> Path:
    recordings = ("wav/03a01Fa.wav", "wav/09b10Wb.wav", "wav/16a05Tc.wav")
    return lay_out(tmp_path, *recordings, "lablaut/03a01Fa.lablaut", "erkennung.txt")


def test_the_speaker_is_the_item_and_the_emotion_the_label(folder: Path) -> None:
    clips = list_clips(folder)
    assert clips.to_numpy().tolist() == [
        ["wav/03a01Fa.wav", "03", "happy", "a01", "a", "male", 31.0],
        ["wav/09b10Wb.wav", "09", "angry", "b10", "b", "female", 21.0],
        ["wav/16a05Tc.wav", "16", "sad", "a05", "c", "female", 31.0],
    ]
    assert list(clips.columns) == ["path", "item", "label", "sentence", "version", "gender", "age"]
    assert list_clips(folder / "wav")["path"].tolist() == ["03a01Fa.wav", "09b10Wb.wav", "16a05Tc.wav"]


def test_every_letter_has_its_emotion(tmp_path: Path, lay_out) -> None:
    emotions = {"A": "fearful", "E": "disgust", "F": "happy", "L": "bored", "N": "neutral", "T": "sad", "W": "angry"}
    lay_out(tmp_path, *(f"10a02{letter}.wav" for letter in emotions))
    assert list_clips(tmp_path)["label"].tolist() == list(emotions.values())


def test_folds_by_gender_and_other_labels(folder: Path) -> None:
    assert list_clips(folder, folds="gender")[["item", "fold"]].to_numpy().tolist() == [["03", 2], ["09", 1], ["16", 1]]
    assert list_clips(folder, label="sentence")["label"].tolist() == ["a01", "b10", "a05"]
    assert list_clips(folder, label="age")["label:age"].tolist() == [31.0, 21.0, 31.0]
    tasks = [find_corpus("emodb").task_type(label=label) for label in ("age", "emotion")]
    assert tasks == ["regression", "classification"]


def test_the_laryngograms_of_version_2_are_passed_over(folder: Path, lay_out) -> None:
    assert len(list_clips(lay_out(folder, "laryngo/03a01Fa.wav"))) == 3
