"""The digits corpus: names, layout, and what is refused."""

from pathlib import Path

import pytest

from preprocessing.corpora.fsdd import list_clips
from xval.base.errors import SettingsError


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
