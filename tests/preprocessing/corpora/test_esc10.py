"""ESC-10: ten classes out of the folder of ESC-50."""

from pathlib import Path

import pytest

from preprocessing.corpora import esc50
from preprocessing.corpora.esc10 import CATEGORIES, DOWNLOADS, list_clips
from xval.base.errors import CorpusError

ESC10_NUMBERS = (0, 1, 10, 11, 12, 20, 21, 38, 40, 41)


@pytest.fixture
def folder(tmp_path: Path, lay_out) -> Path:
    return lay_out(tmp_path, *(f"audio/{number % 5 + 1}-{1000 + number}-A-{number}.wav" for number in range(50)))


def test_the_ten_classes_are_taken(folder: Path) -> None:
    clips = list_clips(folder)
    assert {int(Path(path).stem.split("-")[-1]) for path in clips["path"]} == set(ESC10_NUMBERS)
    assert set(clips["label"]) == set(CATEGORIES) == {esc50.CATEGORIES[number] for number in ESC10_NUMBERS}
    assert list(clips.columns) == ["path", "item", "label", "fold", "source", "take", "group"]
    assert clips["item"].tolist() == clips["fold"].astype(str).tolist()
    assert DOWNLOADS == esc50.DOWNLOADS


def test_the_source_may_be_the_item(folder: Path) -> None:
    assert set(list_clips(folder, item="source")["item"]) == {str(1000 + number) for number in ESC10_NUMBERS}


def test_the_layout_of_the_first_publication_is_read(tmp_path: Path, lay_out) -> None:
    names = ("Dog bark", "Rain", "Sea waves", "Baby cry", "Clock tick", "Person sneeze", "Helicopter", "Chainsaw", "Rooster")
    folders = [f"{number:03} - {name}" for number, name in enumerate((*names, "Fire crackling"), start=1)]
    lay_out(
        tmp_path, *(f"ESC-10/{folder}/{fold}-{fold}17-{take}.ogg" for folder in folders for fold in (1, 5) for take in "AB")
    )
    clips = list_clips(tmp_path)
    assert clips["label"].value_counts().to_dict() == dict.fromkeys(CATEGORIES, 4)
    assert clips["fold"].tolist() == clips["item"].astype(int).tolist() == [1, 1, 5, 5] * 10
    labels = {Path(path).parts[1]: label for path, label in zip(clips["path"], clips["label"], strict=True)}
    assert (labels["001 - Dog bark"], labels["004 - Baby cry"], labels["010 - Fire crackling"]) == (
        "dog",
        "crying_baby",
        "crackling_fire",
    )
    (tmp_path / "ESC-10/001 - Dog bark/loose.ogg").touch()
    with pytest.raises(CorpusError, match=r"1 ogg file that is not named like 001 - Dog bark/1-100032-A\.ogg"):
        list_clips(tmp_path)


def test_a_wrong_folder_names_what_was_expected_and_found(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"has no audio/1-100032-A-0\.wav or 001 - Dog bark/.* Found: nothing"):
        list_clips(tmp_path)
    (tmp_path / "1-100038-A-14.wav").touch()
    with pytest.raises(CorpusError, match=r"1 clip of ESC-50, but none of the ten classes .*dog, .*Found: chirping_birds"):
        list_clips(tmp_path)
