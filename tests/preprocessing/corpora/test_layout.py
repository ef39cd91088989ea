"""What the corpus files share: which files are listed, how names are read, how item and label are chosen."""

import re
from pathlib import Path

import pandas as pd
import pytest

from preprocessing.clips.listing import list_audio
from preprocessing.corpora._layout import add_gender_folds, clip_table, find_file, read_names
from xval.base.errors import CorpusError, SettingsError

FACTS = pd.DataFrame(
    {
        "path": ["b.wav", "a.wav"],
        "speaker": [7, 8],
        "emotion": ["sad", "happy"],
        "age": [30.0, 40.0],
        "height": [1.6, 1.8],
        "fold": [2, 1],
    }
)


def test_audio_is_found_below_the_folder_whatever_its_format(tmp_path: Path, lay_out) -> None:
    lay_out(tmp_path, "b/2.WAV", "a.mp3", "c.m4a", "notes.txt", ".hidden.wav", ".download/x.wav", "__MACOSX/a.mp3")
    assert list_audio(tmp_path, "x.wav") == ["a.mp3", "b/2.WAV", "c.m4a"]
    assert list_audio(tmp_path, "x.wav", suffixes=(".wav",)) == ["b/2.WAV"]


def test_a_table_in_the_place_of_the_folder_is_read_with_another_command(tmp_path: Path, lay_out) -> None:
    lay_out(tmp_path, "clips.csv")
    with pytest.raises(CorpusError, match=r"clips\.csv is a file\..*xval prepare table"):
        list_audio(tmp_path / "clips.csv", "Actor_01/x.wav")


def test_names_that_do_not_match_are_named_with_their_kinds(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"has 2 flac, wav files that are not named like yes_1\.wav: 3\.wav, 4\.flac"):
        read_names(tmp_path, re.compile(r"yes_\d\.wav"), "yes_1.wav", ["yes_1.wav", "3.wav", "4.flac"])


def test_a_metadata_file_is_found_in_below_and_beside_the_folder(tmp_path: Path, lay_out) -> None:
    audio = lay_out(tmp_path / "audio", "a.wav")
    with pytest.raises(CorpusError, match=r"No meta/list\.csv in .*audio or next to it\."):
        find_file(audio, "meta/list.csv", " or next to it.")
    for path in ("meta/list.csv", "audio/release/meta/list.csv", "audio/meta/list.csv"):
        lay_out(tmp_path, path)
        assert find_file(audio, "meta/list.csv", "") == tmp_path / path


def test_several_labels_are_joined_or_become_several_targets() -> None:
    joined = clip_table(FACTS, item="speaker", label="emotion, speaker", numbers=("age", "height"))
    assert joined["label"].tolist() == ["happy_8", "sad_7"]
    assert joined["emotion"].tolist() == ["happy", "sad"]
    assert list(clip_table(FACTS, item="speaker", label="emotion", keeps_others=False)) == ["path", "item", "label", "fold"]
    holed = FACTS.assign(accent=[None, "north"], town=["", "Rome"], street="Main")
    for lacking in ("accent", "town"):  # check_clips refuses an empty label
        assert clip_table(holed, item="speaker", label=f"street,{lacking}")["label"].tolist()[1] == ""
    targets = clip_table(FACTS, item="speaker", label="age,height", numbers=("age", "height"))
    assert list(targets.columns) == ["path", "item", "label:age", "label:height", "fold", "emotion"]
    assert targets["label:height"].tolist() == [1.8, 1.6]


@pytest.mark.parametrize(
    ("item", "label", "message"),
    [
        ("speakr", "emotion", r"--item speakr: unknown name\..*Did you mean 'speaker'"),
        ("speaker", "emotion, emotion", "--label emotion, emotion: a name appears twice"),
        ("speaker", "path", "--label path: unknown name"),
        ("speaker", "fold", "--label fold: unknown name"),
        ("speaker", "emotion,age", r"--label emotion,age: numbers \(age\) and names cannot be predicted together"),
    ],
)
def test_choices_that_cannot_be(item: str, label: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        clip_table(FACTS, item=item, label=label, numbers=("age",))
    with pytest.raises(CorpusError, match="--item fold"):
        clip_table(FACTS.drop(columns="fold"), item="fold", label="emotion")


def test_folds_by_gender_need_both_and_another_label() -> None:
    facts = FACTS.assign(gender=["male", "female"])
    assert add_gender_folds(facts, "emotion")["fold"].tolist() == [2, 1]
    with pytest.raises(
        SettingsError, match="--folds gender --label emotion,gender: every fold would test a gender that was never"
    ):
        add_gender_folds(facts, "emotion,gender")
    with pytest.raises(CorpusError, match=r"--folds gender: .* all clips are male"):
        add_gender_folds(facts[:1], "emotion")
