"""Speech Commands: words, speakers, and the phase that the two lists give."""

from pathlib import Path

import pytest

from preprocessing.corpora.speech_commands import list_clips
from xval.base.errors import CorpusError

PATHS = (
    "bed/0a7c2a8d_nohash_0.wav",
    "no/01bb6a2a_nohash_1.wav",
    "right/a69b9b3e_nohash_0.wav",
    "yes/0a7c2a8d_nohash_0.wav",
)


@pytest.fixture
def folder(tmp_path: Path, lay_out) -> Path:
    others = ("_background_noise_/white_noise.wav", "_background_noise_/README.md", "LICENSE")
    folder = lay_out(tmp_path / "speech_commands_v0.02", *PATHS, *others)
    (folder / "validation_list.txt").write_text("no/01bb6a2a_nohash_1.wav\n")
    (folder / "testing_list.txt").write_text("right/a69b9b3e_nohash_0.wav\nright/bb05582b_nohash_3.wav\n")
    return folder


def test_the_speaker_is_the_item_the_word_the_label_and_the_lists_give_the_phase(folder: Path) -> None:
    clips = list_clips(folder)
    assert clips.to_numpy().tolist() == [
        [PATHS[0], "0a7c2a8d", "bed", "training", "0"],
        [PATHS[1], "01bb6a2a", "no", "validation", "1"],
        [PATHS[2], "a69b9b3e", "right", "test", "0"],
        [PATHS[3], "0a7c2a8d", "yes", "training", "0"],
    ]
    assert list(clips.columns) == ["path", "item", "label", "phase", "number"]


def test_words_may_be_chosen(folder: Path) -> None:
    assert list_clips(folder, words="yes, no")["label"].tolist() == ["no", "yes"]
    with_unknown = list_clips(folder, words="yes", unknown=True)
    assert with_unknown["label"].tolist() == ["unknown", "unknown", "unknown", "yes"]
    assert with_unknown["word"].tolist() == ["bed", "no", "right", "yes"]
    with pytest.raises(
        CorpusError, match=r"--words yse: there are no utterances of 'yse'; expected 35, 10 or words\..*Did you mean 'yes'"
    ):
        list_clips(folder, words="yse")
    with pytest.raises(CorpusError, match="--words 10: there are no utterances of 'up'"):
        list_clips(folder, words="10")


def test_the_ten_words(folder: Path, lay_out) -> None:
    ten = ["down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes"]
    lay_out(folder, *(f"{word}/ffff0000_nohash_0.wav" for word in ten))
    assert sorted(set(list_clips(folder, words="10")["label"])) == ten
    assert sorted(set(list_clips(folder, words="10", unknown=True)["label"])) == sorted([*ten, "unknown"])


@pytest.mark.parametrize("name", ["validation_list.txt", "testing_list.txt"])
def test_a_missing_list_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(CorpusError, match=rf"No {name} in .* clips would be"):
        list_clips(folder)
