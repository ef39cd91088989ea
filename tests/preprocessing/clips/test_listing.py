"""The files of a folder, all of them or none."""

import os

import pytest

from augmentation.sources import list_sources
from preprocessing.audio.read import read_audio
from preprocessing.clips.listing import files_below, list_audio
from preprocessing.commands.convert import CopyFormat, convert_folder
from xval.base.errors import AudioError, CorpusError

AUDIO_READERS = {
    "list_audio": lambda folder: list_audio(folder, "audio files"),
    "augmentation": list_sources,
    "convert": lambda folder: convert_folder(folder, folder.parent / "out", CopyFormat()),
}


@pytest.mark.parametrize("read", AUDIO_READERS.values(), ids=AUDIO_READERS)
def test_a_folder_that_cannot_be_read_is_named_and_nothing_is_listed(tmp_path, monkeypatch, read):
    for name in ("open", "closed"):
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / "a.wav").touch()
    scan = os.scandir

    def refuse(folder):
        if os.fspath(folder).endswith("closed"):
            raise PermissionError(13, "Permission denied", os.fspath(folder))
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refuse)

    with pytest.raises(CorpusError, match=r"in/closed: the folder cannot be read \(Permission denied\)"):
        read(tmp_path / "in")


def test_links_to_folders_are_not_followed(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.wav").touch()
    (tmp_path / "a" / "again").symlink_to(tmp_path)

    assert files_below(tmp_path) == [tmp_path / "a" / "x.wav"]


def test_a_folder_called_like_an_audio_file_holds_clips_as_any_other_or_is_listed_as_one(tmp_path):
    for name in ("full.wav", "empty.wav", "plain"):
        (tmp_path / name).mkdir()
    (tmp_path / "full.wav" / "x.flac").touch()
    (tmp_path / "linked.wav").symlink_to(tmp_path / "plain")

    assert list_audio(tmp_path, "audio files") == ["empty.wav", "full.wav/x.flac", "linked.wav"]
    with pytest.raises(AudioError, match=r"empty\.wav: a folder, no audio file"):
        read_audio(tmp_path / "empty.wav")
