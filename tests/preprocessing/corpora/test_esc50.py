"""ESC-50: the fold and the class that stand in the name."""

from pathlib import Path

import pytest

from preprocessing.corpora.esc50 import list_clips
from xval.base.errors import CorpusError

PATHS = ("audio/1-100032-A-0.wav", "audio/1-100038-A-14.wav", "audio/5-9032-A-0.wav", "audio/5-263902-B-36.wav")


@pytest.fixture
def folder(tmp_path: Path, lay_out) -> Path:
    return lay_out(tmp_path / "ESC-50-master", *PATHS, "meta/esc50.csv", "audio/.DS_Store")


def test_the_fold_is_the_item_and_the_category_the_label(folder: Path) -> None:
    clips = list_clips(folder)
    assert clips.to_dict("list") == {
        "path": ["audio/1-100032-A-0.wav", "audio/1-100038-A-14.wav", "audio/5-263902-B-36.wav", "audio/5-9032-A-0.wav"],
        "item": ["1", "1", "5", "5"],
        "label": ["dog", "chirping_birds", "vacuum_cleaner", "dog"],
        "fold": [1, 1, 5, 5],
        "source": ["100032", "100038", "263902", "9032"],
        "take": ["A", "A", "B", "A"],
        "group": ["animals", "nature", "indoors", "animals"],
    }


def test_other_items_and_labels(folder: Path) -> None:
    assert list_clips(folder, item="source")["item"].tolist() == ["100032", "100038", "263902", "9032"]
    assert list_clips(folder, label="group")["label"].tolist() == ["animals", "nature", "indoors", "animals"]


def test_every_ten_classes_make_a_group(tmp_path: Path, lay_out) -> None:
    lay_out(tmp_path, *(f"1-{1000 + number}-A-{number}.wav" for number in range(50)))
    groups = list_clips(tmp_path, label="group")["label"].tolist()
    assert groups == [group for group in ("animals", "nature", "human", "indoors", "outdoors") for _ in range(10)]


def test_a_wrong_folder_names_what_was_expected_and_found(folder: Path) -> None:
    with pytest.raises(CorpusError, match=r"has no audio/1-100032-A-0\.wav\. Found: esc50\.csv\."):
        list_clips(folder / "meta")
    for name in ("6-100032-A-0.wav", "1-100032-A-50.wav"):
        (folder / "audio" / name).touch()
    with pytest.raises(CorpusError, match=r"2 wav files that are not named like.*: audio/1-100032-A-50\.wav, audio/6-"):
        list_clips(folder)
