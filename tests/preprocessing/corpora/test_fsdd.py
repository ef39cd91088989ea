"""The digits corpus: names, layout, and what is refused."""

import os
from pathlib import Path

import pytest

from preprocessing.corpora.fsdd import list_clips
from xval.base.errors import CorpusError, SettingsError

REAL = Path(os.environ.get("XVAL_FSDD", Path(__file__).parents[3] / "../shared/data/fsdd/recordings"))


@pytest.fixture
def recordings(tmp_path: Path, lay_out) -> Path:
    names = ("7_jackson_32.wav", "0_anna_maria_1.wav", "0_jackson_0.wav", ".7_jackson_3.wav", "notes.txt")
    return lay_out(tmp_path / "recordings", *names)


def test_the_speaker_is_the_item_and_the_digit_the_label(recordings: Path) -> None:
    clips = list_clips(recordings)
    assert clips.to_numpy().tolist() == [
        ["0_anna_maria_1.wav", "anna_maria", "0", "1"],
        ["0_jackson_0.wav", "jackson", "0", "0"],
        ["7_jackson_32.wav", "jackson", "7", "32"],
    ]
    assert list(clips.columns) == ["path", "item", "label", "index"]


def test_known_speakers_are_identified_from_other_takes(recordings: Path) -> None:
    clips = list_clips(recordings, item="take", label="speaker")
    assert clips[["item", "label"]].to_numpy().tolist() == [
        ["anna_maria/1", "anna_maria"],
        ["jackson/0", "jackson"],
        ["jackson/32", "jackson"],
    ]
    assert list(clips.columns) == ["path", "item", "label", "digit", "index"]
    with pytest.raises(SettingsError, match="--item take"):
        list_clips(recordings, label="speaker")


def test_the_folder_above_recordings_works_too(recordings: Path) -> None:
    clips = list_clips(recordings.parent)
    assert clips["path"].tolist()[-1] == "recordings/7_jackson_32.wav"
    assert clips["item"].tolist() == list_clips(recordings)["item"].tolist()


def test_what_the_archive_unpacks_to_is_read(recordings: Path) -> None:
    release = recordings.parent / "release" / "free-spoken-digit-dataset-1.0.10"
    (release / "utils").mkdir(parents=True)
    (release / "utils" / "trimmed.wav").touch()
    expected = [f"{release.name}/recordings/{path}" for path in list_clips(recordings)["path"]]
    recordings.rename(release / "recordings")
    assert list_clips(release.parent)["path"].tolist() == expected


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"There is no folder.*gone.*\{digit\}_\{speaker\}_\{index\}\.wav"):
        list_clips(tmp_path / "gone")


def test_a_wrong_folder_names_what_was_expected_and_found(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="Found: nothing"):
        list_clips(tmp_path)
    for name in ("a.mp3", "b.mp3", "c.mp3", "d.mp3"):
        (tmp_path / name).touch()
    with pytest.raises(
        CorpusError, match=r"no files named \{digit\}_.*7_jackson_32\.wav\. Found: a\.mp3, b\.mp3, c\.mp3, \.\.\."
    ):
        list_clips(tmp_path)


def test_wav_files_of_other_names_are_not_passed_over(recordings: Path) -> None:
    (recordings / "12_jackson_0.wav").touch()
    with pytest.raises(CorpusError, match=r"has 1 wav file that is not named.*: 12_jackson_0\.wav"):
        list_clips(recordings)


def test_augmented_copies_are_passed_over(recordings: Path) -> None:
    (recordings / "0_jackson_0.augmented-1.wav").touch()
    assert len(list_clips(recordings)) == 3


@pytest.mark.skipif(not REAL.is_dir(), reason="the Free Spoken Digit Dataset is not here; set XVAL_FSDD to its recordings")
def test_the_real_corpus_has_six_speakers_with_every_digit_fifty_times() -> None:
    clips = list_clips(REAL)
    counts = clips.groupby(["item", "label"]).size()
    assert len(clips) == 3000
    assert len(counts) == 60
    assert set(counts) == {50}
