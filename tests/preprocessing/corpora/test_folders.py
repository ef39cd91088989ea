"""Folders as classes: names, items by pattern, and what is refused."""

import re
from pathlib import Path

import pytest

from preprocessing.corpora._name_patterns import find_parts
from preprocessing.corpora.folders import default_dataset, list_clips
from xval.base.errors import CorpusError, SettingsError


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


@pytest.mark.parametrize(
    ("pattern", "word"),
    [("none", "file"), ("([a-z]+)_", ""), ("(?P<item>[a-z]+)_", ""), ("(?P<speaker>[a-z]+)_", "speaker")],
)
def test_the_name_of_the_group_says_what_an_item_is(animals: Path, pattern: str, word: str) -> None:
    assert list_clips(animals, item_pattern=pattern).attrs["item_name"] == word


def test_files_in_which_the_pattern_finds_nothing_are_named(animals: Path) -> None:
    with pytest.raises(
        CorpusError, match=r"finds no item in 3 of 5 files: cat/anna_1\.wav, dog/anna_1\.wav, dog/more/.*FLAC\. It is"
    ):
        list_clips(animals, item_pattern="ben|cleo")
    with pytest.raises(CorpusError, match="finds no item in 4 of 5 files"):
        list_clips(animals, item_pattern="(ben)?_")
    with pytest.raises(CorpusError, match="finds no item in 5 of 5 files"):
        list_clips(animals, item_pattern="^dog")
    with pytest.raises(SettingsError, match=r"--item-pattern \(a: not a regular expression \(missing \)"):
        list_clips(animals, item_pattern="(a")


@pytest.mark.parametrize("pattern", ["(a{99999999999})", "(" * 5000])
def test_a_pattern_that_no_machine_can_hold_is_no_regular_expression(animals: Path, pattern: str) -> None:
    with pytest.raises(SettingsError, match=r"--label-pattern .*not a regular expression"):
        list_clips(animals, label_pattern=pattern)


def test_a_group_that_takes_no_part_and_names_of_any_letters_are_found_alike(tmp_path: Path) -> None:
    for name in ("x/ä 1.wav", "y/é2.wav"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()

    clips = list_clips(tmp_path, item_pattern=r"(?P<other>q)?(?P<item>.\s?\d)")

    assert clips["item"].tolist() == ["ä 1", "é2"]


def test_audio_beside_the_folders_is_refused(animals: Path) -> None:
    (animals / "loose.wav").touch()
    with pytest.raises(CorpusError, match=r"has 1 audio files outside of class folders: loose\.wav\. Expected: \{class\}/"):
        list_clips(animals)


def test_a_wrong_folder_names_what_was_expected_and_found(animals: Path) -> None:
    with pytest.raises(CorpusError, match=r"There is no folder.*gone.*{class}/{file}"):
        list_clips(animals / "gone")
    with pytest.raises(CorpusError, match=r"has no \{class\}/\{file\}.*Found: notes\.txt"):
        list_clips(animals / "empty")
    for name in ("anna_1.wav", "ben_1.mp3"):
        (animals / "dog" / name).unlink()
    with pytest.raises(CorpusError, match="only one folder with audio, 'more', which is one class"):
        list_clips(animals / "dog")


FLAT = [f"{name}_{word}_{take}.wav" for name in ("anna", "ben", "cleo") for word in ("yes", "no") for take in (1, 2)]


def options_in(message: str) -> list[dict[str, str]]:
    """Return the options of each advice in an error, as `list_clips` takes them."""
    found = re.findall(r"--(item|label)-pattern '([^']+)'", message)
    return [{f"{what}_pattern": pattern for what, pattern in found}]


@pytest.mark.parametrize(
    ("names", "label", "item"),
    [
        (FLAT, "yes", "anna"),
        ([name.replace("_", "-") for name in FLAT], "yes", "anna"),
        ([name.replace("_", ".") for name in FLAT], "yes", "anna"),
        ([f"{digit}_{name}_{take}.wav" for digit in (0, 1, 2) for name in ("anna", "ben") for take in (0, 1)], "0", "anna"),
        ([f"{'ab'[number // 4]}_{number}_{take}.wav" for number in range(8) for take in (1, 2)], "a", "0"),
    ],
)
def test_the_patterns_that_are_advised_for_flat_files_find_label_and_item(
    tmp_path: Path, lay_out, names: list[str], label: str, item: str
) -> None:
    lay_out(tmp_path, *names)
    with pytest.raises(CorpusError, match="outside of class folders") as caught:
        list_clips(tmp_path)
    message = str(caught.value)
    assert "xval prepare table clips.csv" in message
    assert f"(label '{label}', item '{item}' of {sorted(names)[0]}; check which part is the speaker: part 1: " in (
        message.replace("'no'", "'yes'")
    )
    clips = list_clips(tmp_path, **options_in(message)[0])
    assert len(clips) == len(names)
    assert label in set(clips["label"])
    assert item in set(clips["item"])


def test_a_running_number_is_never_the_item(tmp_path: Path, lay_out) -> None:
    lay_out(tmp_path, *(f"{word} {number}.wav" for word in ("yes", "no") for number in range(8)))
    with pytest.raises(CorpusError, match="check which part is the speaker") as caught:
        list_clips(tmp_path)
    assert "--item-pattern" not in str(caught.value)
    assert "part 1: no, yes; part 2: 0, 1, 2, 3, 4, 5 and 2 more" in str(caught.value)


def test_names_without_a_common_form_get_no_pattern(tmp_path: Path, lay_out) -> None:
    assert find_parts(["a.wav", "b_c.wav"]) is None
    with pytest.raises(
        CorpusError, match=r"give --label-pattern and --item-pattern, .* such as a\.wav; or list them in a table"
    ):
        list_clips(lay_out(tmp_path, "a.wav", "b_c.wav"))


def test_a_label_pattern_is_searched_in_the_whole_path(tmp_path: Path, lay_out) -> None:
    lay_out(tmp_path, "anna/yes_1.wav", "anna/no_1.wav", "ben/yes_2.wav")
    clips = list_clips(tmp_path, label_pattern="([a-z]+)_", item_pattern="^([^/]+)/")
    assert clips["label"].tolist() == ["no", "yes", "yes"]
    assert clips["item"].tolist() == ["anna", "anna", "ben"]
    with pytest.raises(CorpusError, match=r"--label-pattern no finds no label in 2 of 3 files: .* against their full paths"):
        list_clips(tmp_path, label_pattern="no")
    with pytest.raises(CorpusError, match="--label-pattern _ finds only one class in 3 files: '_'"):
        list_clips(tmp_path, label_pattern="_")


@pytest.mark.parametrize(
    ("options", "labels", "items"),
    [
        ({"label_pattern": "inner"}, {"yes", "no"}, 4),
        ({"label_pattern": "inner", "item_pattern": "outer"}, {"yes", "no"}, 2),
        ({"item_pattern": "outer"}, {"anna", "ben"}, 2),
        ({"label_pattern": "outer"}, {"anna", "ben"}, 4),
    ],
)
def test_a_folder_one_level_too_high_is_asked_about_and_each_answer_works(
    tmp_path: Path, lay_out, options: dict[str, str], labels: set[str], items: int
) -> None:
    lay_out(tmp_path, *(f"{name}/{word}/1.wav" for name in ("anna", "ben") for word in ("yes", "no")))
    with pytest.raises(CorpusError, match=r"The 2 folders in .* but folders with audio: anna has no, yes") as caught:
        list_clips(tmp_path)
    inner = re.search(r"inner folders are the classes, give --label-pattern '([^']+)'", str(caught.value))
    outer = re.search(r"otherwise --label-pattern '([^']+)'", str(caught.value))
    assert inner
    assert outer
    patterns = {"inner": inner[1], "outer": outer[1]}
    clips = list_clips(tmp_path, **{name: patterns[which] for name, which in options.items()})
    assert (set(clips["label"]), clips["item"].nunique()) == (labels, items)
    assert len(list_clips(tmp_path / "anna")) == 2


def test_folders_inside_some_classes_are_noted(tmp_path: Path, lay_out) -> None:
    lay_out(tmp_path, "dog/1.wav", "cat/old/1.wav", "cat/new/1.wav")
    assert list_clips(tmp_path).attrs["note"] == "cat has the folders new, old; all of their audio gets the class cat"


def test_what_is_passed_over_is_noted(tmp_path: Path, lay_out) -> None:
    lay_out(tmp_path, "dog/1.wav", "dog/2.avi", "cat/1.wav", "cat/.wav", "owl/1.mid", "README.txt", ".git/x.txt")
    (tmp_path / "fox").mkdir()
    passed_over = "2 files in it are skipped, because they are not audio by their names (avi, mid)"
    assert list_clips(tmp_path).attrs["note"] == f"no audio in the folders fox, owl, which are not classes; {passed_over}"
    assert list_clips(tmp_path, label_pattern="^([a-z]+)/").attrs["note"] == passed_over


def test_classes_that_hold_the_same_folders_are_noted_where_a_pattern_finds_other_items(tmp_path: Path, lay_out) -> None:
    lay_out(
        tmp_path,
        *(f"{outer}/{word}/{name}_1.wav" for outer in ("set1", "set2") for word in ("yes", "no") for name in ("ann", "ben")),
    )
    note = list_clips(tmp_path, item_pattern="([a-z]+)_[0-9]+[.]wav").attrs["note"]
    assert "each has the folders no, yes" in note
    (advised,) = re.findall(r"--label-pattern '(.*)'", note)
    clips = list_clips(tmp_path, item_pattern="([a-z]+)_[0-9]+[.]wav", label_pattern=advised)
    assert set(clips["label"]) == {"yes", "no"}
    assert list_clips(tmp_path, item_pattern="^([^/]+)/").attrs["note"] == ""  # the inner folders are the items
