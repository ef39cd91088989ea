"""A table of words or phonemes cuts the clips of any corpus to what was said."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

import preprocessing
from preprocessing.__main__ import main
from preprocessing.corpora._speech import cut_to_speech, without_pauses
from preprocessing.corpus import open_corpus
from xval.base.errors import CorpusError

WORDS = """\
file,onset,offset,label
no/anna,0.0,0.1,h#
no/anna,0.10,0.22,n
no/anna,0.3,0.45,ow
no/anna,0.45,0.5,
no/bob,0.05,0.40,no
yes/anna.wav,0.2,0.3,yes
"""
SMALL = {"sample_rate_hz": 8000, "n_fft": 128, "win_length": 128, "hop_length": 80, "n_mels": 12}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write four clips of 0.5 s and the table of their words."""
    monkeypatch.chdir(tmp_path)
    for label in ("no", "yes"):
        (tmp_path / "words" / label).mkdir(parents=True)
        for number, speaker in enumerate(("anna", "bob")):
            samples = np.random.default_rng(number + 2 * (label == "no")).normal(0, 0.1, 4000)
            soundfile.write(tmp_path / "words" / label / f"{speaker}.wav", samples, 8000)
    (tmp_path / "words.csv").write_text(WORDS)
    return tmp_path / "words"


def test_clips_are_cut_to_their_first_and_last_word_and_what_has_none_stays_and_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["folders", "words", "--item-pattern", "([a-z]+)[.]", "--dataset", "cut", "--workers", "1"]
    arguments += [word for name, value in SMALL.items() for word in ("--set", f"{name}={value}")]
    assert main([*arguments, "--speech-table", "words.csv"]) == 0

    assert "1 of 4 clips has no word in words.csv and is not trimmed: yes/bob.wav" in capsys.readouterr().out
    index = open_corpus("cut", Path("data")).index.set_index("path")
    stretches = index.loc[["no/anna.wav", "no/bob.wav", "yes/anna.wav"], ["start_s", "end_s"]]
    assert stretches.to_numpy().tolist() == [[0.1, 0.45], [0.05, 0.4], [0.2, 0.3]]
    assert index["duration_s"].tolist() == pytest.approx([0.35, 0.1, 0.35, 0.5])
    store = preprocessing.prepare(
        "words", item_pattern="([a-z]+)[.]", speech_table="words.csv", settings=SMALL, workers=1, quiet=True
    )
    assert store.description.index_hash == open_corpus("cut", Path("data")).index_hash


def test_a_clip_that_is_a_stretch_is_cut_to_the_words_in_that_stretch(folder: Path) -> None:
    clips = pd.DataFrame(
        {"path": ["no/anna.wav", "no/anna.wav", "no/bob.wav"], "start_s": [0.0, 0.25, np.nan], "end_s": [0.2, np.nan, 0.3]}
    )

    cut = cut_to_speech(clips, folder, Path("words.csv"))

    assert cut[["start_s", "end_s"]].to_numpy().tolist() == [[0.1, 0.2], [0.3, 0.45], [0.05, 0.3]]


def test_longer_pauses_are_cut_from_copies_of_the_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["convert", "words", "copies", "--speech-table", "words.csv", "--longest-pause", "0.05", "--workers", "1"]
    assert main([*arguments, "--subtype", "FLOAT"]) == 0

    assert "Whole      1 file without a word in words.csv" in capsys.readouterr().out
    whole, _ = soundfile.read(folder / "no" / "anna.wav", dtype="float32")
    cut, rate_hz = soundfile.read("copies/no/anna.wav", dtype="float32")
    # From 0.10 to 0.22 s and from 0.30 to 0.45 s, with 0.025 s of the pause behind the one and before the other.
    np.testing.assert_allclose(cut, np.concatenate([whole[800:1960], whole[2200:3600]]), atol=1e-4)
    sizes = {path: soundfile.info(f"copies/{path}").frames / rate_hz for path in ("no/bob.wav", "yes/anna.wav", "yes/bob.wav")}
    assert sizes == {"no/bob.wav": 0.35, "yes/anna.wav": 0.1, "yes/bob.wav": 0.5}
    assert main([*arguments[:6], "0.1", "--subtype", "FLOAT"]) == 2
    assert "longest_pause_s: 0.05 there, 0.1 now" in capsys.readouterr().err
    Path("words.csv").write_text("path,start_s,end_s,label\nno/anna.wav,0,0.1,sil\n")
    assert main(["convert", "words", "whole", *arguments[3:]]) == 0
    assert "Whole      4 files without a word in words.csv" in capsys.readouterr().out
    assert main(["convert", "words", "other", "--longest-pause", "0.1"]) == 2
    assert "--speech-table and --longest-pause must be given together" in capsys.readouterr().err


def test_words_that_overlap_or_follow_at_once_are_one_stretch() -> None:
    assert without_pauses([(0.5, 0.6), (0.1, 0.4), (0.2, 0.3)], 0.1) == [(0.1, 0.6)]
    assert without_pauses([(0.1, 0.2), (0.5, 0.6), (1.0, 1.1)], 0) == [(0.1, 0.2), (0.5, 0.6), (1.0, 1.1)]


def test_the_table_of_another_corpus_and_recordings_of_frames_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("other.csv").write_text(WORDS.replace("bob", "carl"))
    with pytest.raises(CorpusError, match="no recording 'no/carl'"):
        preprocessing.prepare("words", speech_table="other.csv", quiet=True)
    with pytest.raises(CorpusError, match=r"none of the 1 clip \(yes/bob.wav\) has a word"):
        cut_to_speech(pd.DataFrame({"path": ["yes/bob.wav"]}), folder, Path("words.csv"))
    assert main(["events", "words.csv", "--task-type", "frame_classification", "--speech-table", "words.csv"]) == 2
    assert "frame_classification keeps whole recordings" in capsys.readouterr().err
