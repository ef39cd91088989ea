"""RAVDESS: names, channels, the copy that holds every file twice, and video."""

from pathlib import Path

import pytest

from preprocessing.clips.table import check_clips
from preprocessing.corpora.ravdess import list_clips
from xval.base.errors import CorpusError
from xval.folds.plan import FoldSettings
from xval.folds.split import make_folds

SPEECH = ("Actor_01/03-01-01-01-01-01-01.wav", "Actor_01/03-01-05-02-02-01-01.wav", "Actor_16/03-01-06-01-02-02-16.wav")
SONG = "Actor_16/03-02-04-02-01-01-16.wav"


@pytest.fixture
def folder(tmp_path: Path, lay_out) -> Path:
    return lay_out(tmp_path, *SPEECH, SONG, "Actor_01/._03-01-01-01-01-01-01.wav", "README.txt")


def test_the_actor_is_the_item_and_the_emotion_the_label(folder: Path) -> None:
    clips = list_clips(folder)
    assert clips.to_numpy().tolist() == [
        [SPEECH[0], "01", "neutral", "speech", "normal", "kids", "first", "male"],
        [SPEECH[1], "01", "angry", "speech", "strong", "dogs", "first", "male"],
        [SPEECH[2], "16", "fearful", "speech", "normal", "dogs", "second", "female"],
    ]
    assert clips.attrs["item_name"] == "actor"
    further = ["vocal_channel", "intensity", "statement", "repetition", "gender"]
    assert list(clips.columns) == ["path", "item", "label", *further]
    joined = list_clips(folder, label="emotion,intensity")
    assert list(joined.columns) == ["path", "item", "label", "vocal_channel", "emotion", *further[1:]]


def test_each_gender_is_tested_once_and_the_actor_stays_the_item(tmp_path: Path, lay_out) -> None:
    names = (f"03-01-{emotion:02}-01-01-01-{actor:02}.wav" for actor in range(1, 25) for emotion in (3, 4))
    lay_out(tmp_path, *(f"Actor_{name[-6:-4]}/{name}" for name in names))
    clips = list_clips(tmp_path, folds="gender")
    index = check_clips(clips, tmp_path, task_type="classification").assign(audio_hash=clips["path"])
    settings = FoldSettings(num_folds=2, fold_strategy="predefined", fold_seed=0, validation_fraction=0.25, fold_repeats=1)

    women, men = make_folds(index, "hash", task_type="classification", has_classes=True, settings=settings).folds

    assert set(map(int, women.test)) == set(range(2, 25, 2))
    assert set(map(int, men.test)) == set(range(1, 25, 2))
    assert set(women.training + women.validation) == set(men.test)
    assert set(men.training + men.validation) == set(women.test)
    assert (len(women.validation), len(men.validation)) == (3, 3)


def test_other_labels(folder: Path) -> None:
    for label, expected in {
        "intensity": ["normal", "strong", "normal"],
        "statement": ["kids", "dogs", "dogs"],
        "gender": ["male", "male", "female"],
        "actor": ["01", "01", "16"],
        "emotion,intensity": ["neutral_normal", "angry_strong", "fearful_normal"],
    }.items():
        assert list_clips(folder, label=label)["label"].tolist() == expected
    with pytest.raises(CorpusError, match=r"--label emotoin.*Did you mean 'emotion'"):
        list_clips(folder, label="emotoin")


def test_speech_and_song(folder: Path) -> None:
    assert list_clips(folder, vocal_channel="song")[["path", "label"]].to_numpy().tolist() == [[SONG, "sad"]]
    assert list_clips(folder).attrs["note"] == "1 of 4 files is skipped: 1 song"
    assert len(list_clips(folder, vocal_channel="both")) == 4
    (folder / SONG).unlink()
    with pytest.raises(CorpusError, match=r"has no song\. Choose another --vocal-channel"):
        list_clips(folder, vocal_channel="song")


def test_the_copy_with_every_file_twice_is_read_once(folder: Path, lay_out) -> None:
    expected = list_clips(folder)
    lay_out(folder / "audio_speech_actors_01-24", *SPEECH)
    assert list_clips(folder).equals(expected)


def test_video_is_not_read(folder: Path, lay_out) -> None:
    videos = lay_out(folder / "Video_Speech_Actor_01", "01-01-05-02-02-01-01.mp4")
    assert len(list_clips(folder)) == len(SPEECH)
    assert list_clips(folder, vocal_channel="both").attrs["note"] == "1 of 5 files is skipped: 1 video"
    with pytest.raises(
        CorpusError, match=r"has only video \(1 file.*01-01-05-02-02-01-01\.mp4\)\. Expected.*03-01-05-02-01-02-16"
    ):
        list_clips(videos)


def test_the_five_folds_of_the_literature_test_each_actor_once(tmp_path: Path, lay_out) -> None:
    lay_out(tmp_path, *(f"Actor_{actor:02}/03-01-03-01-01-01-{actor:02}.wav" for actor in range(1, 25)))
    clips = list_clips(tmp_path, folds="five")
    actors = clips.groupby("fold")["item"].agg(lambda items: sorted(map(int, items))).tolist()
    assert actors[0] == [2, 5, 14, 15, 16]
    assert actors[-1] == [1, 4, 9, 22]
    assert sorted(actor for fold in actors for actor in fold) == list(range(1, 25))
