"""Folders as classes: names, items by pattern, and what is refused."""

from pathlib import Path

import pytest

from preprocessing.corpora.folders import default_dataset, list_clips
from xval.errors import CorpusError, SettingsError


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    for name in (
        "dog/anna_1.wav",
        "dog/ben_1.mp3",
        "dog/more/cat/anna_2.FLAC",
        "cat/anna_1.wav",
        "cat/.anna_1.wav",
        "cat/anna_1.augmented-1.wav",
        "dog and cat/cleo_1.m4a",
        "empty/notes.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_the_exact_name_of_the_top_folder_is_the_class(animals: Path) -> None:
    clips = list_clips(animals)
    assert list(clips.columns) == ["path", "item", "label"]
    assert dict(zip(clips["path"], clips["label"], strict=True)) == {
        "cat/anna_1.wav": "cat",
        "dog and cat/cleo_1.m4a": "dog and cat",
        "dog/anna_1.wav": "dog",
        "dog/ben_1.mp3": "dog",
        "dog/more/cat/anna_2.FLAC": "dog",
    }
    assert clips["path"].is_monotonic_increasing


def test_every_file_is_an_item_of_its_own_by_default(animals: Path) -> None:
    clips = list_clips(animals)
    assert clips["item"].tolist() == clips["path"].tolist()
    assert default_dataset(item_pattern="none") == "folders_random_split"
    assert default_dataset(item_pattern="x") == "folders"


@pytest.mark.parametrize(
    ("pattern", "items"),
    [
        ("([a-z]+)_", ["anna", "cleo", "anna", "ben", "anna"]),
        ("(_)(?P<item>[0-9])", ["1", "1", "1", "1", "2"]),
        ("[a-z]+_[0-9]", ["anna_1", "cleo_1", "anna_1", "ben_1", "anna_2"]),
    ],
)
def test_a_pattern_finds_the_item_behind_the_class(animals: Path, pattern: str, items: list[str]) -> None:
    assert list_clips(animals, item_pattern=pattern)["item"].tolist() == items


def test_files_in_which_the_pattern_finds_nothing_are_named(animals: Path) -> None:
    with pytest.raises(
        CorpusError, match=r"finds no item in 3 of 5 files: cat/anna_1\.wav, dog/anna_1\.wav, dog/more/.*FLAC\. It is"
    ):
        list_clips(animals, item_pattern="ben|cleo")
    with pytest.raises(CorpusError, match="finds no item in 4 of 5 files"):
        list_clips(animals, item_pattern="(ben)?_")
    with pytest.raises(CorpusError, match="finds no item in 5 of 5 files"):
        list_clips(animals, item_pattern="^dog")
    with pytest.raises(SettingsError, match=r"--item-pattern \(a: no regular expression \(missing \)"):
        list_clips(animals, item_pattern="(a")


def test_audio_beside_the_folders_is_refused(animals: Path) -> None:
    (animals / "loose.wav").touch()
    with pytest.raises(
        CorpusError, match=r"holds 1 audio files that lie in no class's folder: loose\.wav\. Expected: \{class\}/"
    ):
        list_clips(animals)


def test_a_wrong_folder_names_what_was_expected_and_found(animals: Path) -> None:
    with pytest.raises(CorpusError, match=r"No folder .*gone.*{class}/{file}"):
        list_clips(animals / "gone")
    with pytest.raises(CorpusError, match=r"holds no \{class\}/\{file\}.*Found: notes\.txt"):
        list_clips(animals / "empty")
    for name in ("anna_1.wav", "ben_1.mp3"):
        (animals / "dog" / name).unlink()
    with pytest.raises(CorpusError, match="one folder with audio only, 'more': that is one class"):
        list_clips(animals / "dog")
