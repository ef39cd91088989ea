"""The demo corpus: names, determinism, and what makes speakers differ more than takes."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from preprocessing.corpora._demo_speech import N_TAKES, WORDS, draw_speaker
from preprocessing.corpora.demo import default_audio_folder, default_dataset, list_clips
from xval.base.errors import CorpusError, SettingsError


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_every_speaker_speaks_every_word(tmp_path: Path) -> None:
    clips = list_clips(tmp_path / "audio", n_speakers=2)
    counts = clips.groupby(["item", "label"]).size()
    assert set(clips["item"]) == {"s01", "s02"}
    assert set(clips["label"]) == set(WORDS)
    assert set(counts) == {N_TAKES}
    assert list(clips.columns) == ["path", "item", "label", "pitch_hz", "take"]
    assert clips["take"].nunique() == N_TAKES
    for path in clips["path"]:
        facts = soundfile.info(tmp_path / "audio" / path)
        assert (facts.samplerate, facts.channels, facts.subtype) == (16000, 1, "PCM_16")
        assert 0.25 < facts.duration < 0.7


def test_the_seed_decides_everything(tmp_path: Path) -> None:
    list_clips(tmp_path / "first", n_speakers=1, seed=0)
    list_clips(tmp_path / "again", n_speakers=1, seed=0)
    list_clips(tmp_path / "other", n_speakers=1, seed=4)
    list_clips(tmp_path / "more", n_speakers=2, seed=0)
    first, more = content(tmp_path / "first"), content(tmp_path / "more")
    assert content(tmp_path / "again") == first
    assert content(tmp_path / "other").keys() == first.keys()
    assert content(tmp_path / "other") != first
    assert {name: more[name] for name in first} == first
    assert len(set(more.values())) == len(more)


def test_clips_as_items_use_the_same_audio(tmp_path: Path) -> None:
    by_speaker = list_clips(tmp_path, n_speakers=1)
    before = content(tmp_path)
    by_clip = list_clips(tmp_path, n_speakers=1, item="clip")
    assert content(tmp_path) == before
    assert by_clip[["path", "label"]].equals(by_speaker[["path", "label"]])
    assert by_clip["item"].is_unique
    assert set(by_clip["speaker"]) == {"s01"}
    assert default_dataset(item="speaker", n_speakers=1, seed=1) == "demo"
    assert default_dataset(item="clip", n_speakers=1, seed=1) == "demo_random_split"
    assert default_audio_folder(Path("data"), item="clip") == Path("data/demo/audio")


def test_the_speakers_range_from_men_to_children() -> None:
    for seed in (0, 1, 7):
        factors = np.array([draw_speaker(number, seed=seed).tract_factor for number in range(12)])
        assert factors.min() < 0.95
        assert factors.max() > 1.3
        assert np.diff(np.sort(factors)).max() < 0.1


def test_numbers_out_of_range_are_refused(tmp_path: Path) -> None:
    for n_speakers in (0, -1, 1000):
        with pytest.raises(SettingsError, match=f"--n-speakers {n_speakers}; expected 1 to 999"):
            list_clips(tmp_path, n_speakers=n_speakers)
    with pytest.raises(SettingsError, match="--seed -1"):
        list_clips(tmp_path, seed=-1)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CorpusError, match="the demo corpus cannot be written there"):
        list_clips(tmp_path / "file" / "audio", n_speakers=1)
