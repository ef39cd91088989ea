"""``xval prepare convert``: what is copied, what is left out, and what is refused before anything is written."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from numpy.typing import NDArray

from preprocessing.__main__ import main
from preprocessing.commands import convert
from preprocessing.commands.convert import Conversion, CopyFormat, convert_folder
from preprocessing.parallel import SMALLEST_PARALLEL
from xval.base.errors import CorpusError, SettingsError

RATE_HZ = 16000
Printed = pytest.CaptureFixture[str]


def stereo(seed: int = 0, n_samples: int = 4000) -> NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (n_samples, 2)).astype(np.float32)


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    """Two readable files in subfolders, one text that is called audio, and what is no audio at all."""
    folder = tmp_path / "in"
    (folder / "a b" / "deep").mkdir(parents=True)
    soundfile.write(folder / "a b" / "deep" / "one.two.flac", stereo(1), RATE_HZ)
    soundfile.write(folder / "OTHER.MP3", stereo(2), RATE_HZ, format="MP3")
    (folder / "text.wav").write_text("no audio")
    (folder / "labels.csv").write_text("a,b")
    (folder / "._OTHER.MP3").write_bytes(bytes(10))
    return folder


@pytest.fixture
def target(audio: Path) -> Path:
    return audio.parent / "out"


def wav_files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix == ".wav")


def contents(folder: Path) -> dict[str, bytes]:
    return {path: (folder / path).read_bytes() for path in wav_files(folder)}


def test_the_command_writes_copies_and_says_what_is_left_out(audio: Path, target: Path, capsys: Printed) -> None:
    assert main(["convert", str(audio), str(target), "--workers", "1"]) == 0
    assert wav_files(target) == ["OTHER.wav", "a b/deep/one.two.wav"]
    said = capsys.readouterr().out
    assert f"Written    2 wav files in {target}, 0 already existed" in said
    assert f"Skipped    1 file that cannot be decoded; reasons: {target / 'left_out.csv'}" in said
    assert "Ignored    2 files" in said
    assert "Converting: 3 of 3 files" in said
    left_out = pd.read_csv(target / "left_out.csv")
    assert left_out.to_dict("list") == {
        "path": ["text.wav"],
        "reason": ["a text, not audio ('no audio'). Fetch the file again."],
    }


def test_a_copy_is_the_mean_of_the_channels_at_the_rate_of_the_file(audio: Path, target: Path) -> None:
    convert_folder(audio, target, CopyFormat())
    info = soundfile.info(target / "a b" / "deep" / "one.two.wav")
    assert (info.samplerate, info.channels, info.subtype, info.format) == (RATE_HZ, 1, "PCM_16", "WAV")
    samples, _ = soundfile.read(target / "a b" / "deep" / "one.two.wav", dtype="float32")
    np.testing.assert_allclose(samples, stereo(1).mean(axis=1), atol=1e-4)


def test_rate_channel_and_subtype_can_be_chosen(audio: Path, target: Path) -> None:
    chosen = ["--sample-rate", "8000", "--channel", "1", "--subtype", "FLOAT"]
    assert main(["convert", str(audio), str(target), *chosen, "--workers", "1"]) == 0
    info = soundfile.info(target / "a b" / "deep" / "one.two.wav")
    assert (info.samplerate, info.channels, info.subtype, info.frames) == (8000, 1, "FLOAT", 2000)
    plain = audio.parent / "plain"
    convert_folder(audio, plain, CopyFormat(channel=1, subtype="PCM_24"))
    samples, _ = soundfile.read(plain / "a b" / "deep" / "one.two.wav", dtype="float32")
    np.testing.assert_allclose(samples, stereo(1)[:, 1], atol=1e-4)


def test_a_file_without_the_channel_is_left_out(audio: Path, target: Path) -> None:
    soundfile.write(audio / "mono.wav", stereo()[:, 0], RATE_HZ)
    done = convert_folder(audio, target, CopyFormat(channel=1))
    assert ("mono.wav", "there is no channel 1; expected 0 to 0.") in done.left_out
    assert done.n_written == 2


def test_copies_that_are_there_are_kept_and_an_interrupted_run_goes_on(
    audio: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = convert.read_audio

    def read_until_interrupted(path: Path, **options: int | None) -> tuple[NDArray[np.float32], int]:
        if path.name == "OTHER.MP3":
            raise KeyboardInterrupt
        return read(path, **options)

    monkeypatch.setattr(convert, "read_audio", read_until_interrupted)
    with pytest.raises(KeyboardInterrupt):
        convert_folder(audio, target, CopyFormat())
    monkeypatch.undo()
    made = target / "a b" / "deep" / "one.two.wav"
    assert wav_files(target) == ["a b/deep/one.two.wav"]
    made.write_bytes(b"mine")
    done = convert_folder(audio, target, CopyFormat())
    assert (done.n_written, done.n_kept, len(done.left_out)) == (1, 1, 1)
    assert made.read_bytes() == b"mine"
    assert {path.name for path in target.rglob(".*")} <= {".lock"}
    done = convert_folder(audio, target, CopyFormat(), overwrite=True)
    assert (done.n_written, done.n_kept) == (2, 0)
    assert soundfile.info(made).frames == 4000


def test_copies_of_a_file_that_was_replaced_or_renamed_do_not_stay(audio: Path, target: Path) -> None:
    soundfile.write(audio / "more.wav", stereo(3), RATE_HZ)
    convert_folder(audio, target, CopyFormat())
    # Unpacked from an archive: another recording, older than the copy.
    soundfile.write(audio / "more.wav", stereo(4), RATE_HZ)
    os.utime(audio / "more.wav", (1e9, 1e9))
    (audio / "a b" / "deep").rename(audio / "deeper")
    done = convert_folder(audio, target, CopyFormat())
    assert (done.n_written, done.n_kept) == (2, 1)
    assert wav_files(target) == ["OTHER.wav", "deeper/one.two.wav", "more.wav"]
    assert not (target / "a b").exists()
    samples, _ = soundfile.read(target / "more.wav", dtype="float32")
    np.testing.assert_allclose(samples, stereo(4).mean(axis=1), atol=1e-4)


def test_a_folder_of_other_files_is_left_alone(audio: Path, target: Path) -> None:
    target.mkdir()
    (target / "OTHER.wav").write_bytes(b"mine")
    with pytest.raises(CorpusError, match=r"not empty and was not made by this command \(converted\.json is missing\)"):
        convert_folder(audio, target, CopyFormat(), overwrite=True)
    assert (target / "OTHER.wav").read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["../labels.csv", "/labels.csv"])
def test_a_note_that_names_files_elsewhere_removes_nothing(audio: Path, target: Path, name: str) -> None:
    convert_folder(audio, target, CopyFormat())
    note = json.loads((target / "converted.json").read_text())
    note["sources"]["gone.wav"] = [[1, 1], [name]]
    (target / "converted.json").write_text(json.dumps(note))
    (audio.parent / "labels.csv").write_text("a,b")
    with pytest.raises(CorpusError, match="is outside the folder"):
        convert_folder(audio, target, CopyFormat(), overwrite=True)
    assert (audio.parent / "labels.csv").exists()


def test_a_link_to_another_folder_is_neither_written_nor_emptied(audio: Path, target: Path) -> None:
    """The folder may come from elsewhere, with the note of a run that was made for it."""
    convert_folder(audio, target, CopyFormat())
    copy = next(path.relative_to(target) for path in target.rglob("*.wav") if path.parent != target)
    mine = audio.parent / "mine"
    (target / copy.parent).rename(mine)
    (target / copy.parent).symlink_to(mine)
    (mine / copy.name).write_bytes(b"mine")
    with pytest.raises(CorpusError, match=rf"{copy.parent} is outside .*links are followed"):
        convert_folder(audio, target, CopyFormat(), overwrite=True)
    assert (mine / copy.name).read_bytes() == b"mine"


def test_copies_of_two_formats_are_not_mixed(audio: Path, target: Path) -> None:
    convert_folder(audio, target, CopyFormat(sample_rate_hz=8000))
    with pytest.raises(
        CorpusError, match=r"(?s)made with other settings.*sample_rate_hz: 8000 there, none now.*channel: none there, 0 now"
    ):
        convert_folder(audio, target, CopyFormat(channel=0))
    assert soundfile.info(target / "OTHER.wav").samplerate == 8000
    convert_folder(audio, target, CopyFormat(), overwrite=True)
    assert soundfile.info(target / "OTHER.wav").samplerate == RATE_HZ
    (target / "converted.json").write_text("{")
    with pytest.raises(CorpusError, match=r"converted\.json: damaged"):
        convert_folder(audio, target, CopyFormat())


def test_files_that_would_become_one_copy_are_refused_before_anything_is_written(audio: Path, target: Path) -> None:
    soundfile.write(audio / "OTHER.flac", stereo(), RATE_HZ)
    with pytest.raises(CorpusError, match=r"OTHER\.flac and OTHER\.MP3 would both become OTHER\.wav"):
        convert_folder(audio, target, CopyFormat())
    assert not target.exists()


@pytest.mark.parametrize("target", ["in", "in/out", ".", "in/../in/x"])
def test_the_folders_must_lie_apart(audio: Path, target: str) -> None:
    before = sorted(audio.parent.rglob("*"))
    with pytest.raises(CorpusError, match="are the same folder, or one is inside the other"):
        convert_folder(audio, audio.parent / target, CopyFormat())
    assert sorted(audio.parent.rglob("*")) == before


def test_what_is_no_folder_is_refused(audio: Path, target: Path) -> None:
    with pytest.raises(CorpusError, match=r"There is no folder.*nowhere"):
        convert_folder(audio.parent / "nowhere", target, CopyFormat())
    with pytest.raises(CorpusError, match="is a file"):
        convert_folder(audio / "a b", audio / "labels.csv", CopyFormat())
    (audio.parent / "empty").mkdir()
    with pytest.raises(CorpusError, match="has no audio files"):
        convert_folder(audio.parent / "empty", target, CopyFormat())


def test_clipping_is_told(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    soundfile.write(tmp_path / "in" / "loud.wav", 3 * stereo(), RATE_HZ, subtype="FLOAT")
    done = convert_folder(tmp_path / "in", tmp_path / "out", CopyFormat())
    assert done.clipped == ["loud.wav"]
    assert np.abs(soundfile.read(tmp_path / "out" / "loud.wav")[0]).max() == pytest.approx(1, abs=1e-4)
    done = convert_folder(tmp_path / "in", tmp_path / "out", CopyFormat(subtype="FLOAT"), overwrite=True)
    assert done.clipped == []
    samples, _ = soundfile.read(tmp_path / "out" / "loud.wav", dtype="float32")
    np.testing.assert_array_equal(samples, (3 * stereo()).mean(axis=1))


def test_augmented_copies_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.wav", "a.augmented-1.wav"):
        soundfile.write(tmp_path / "in" / name, stereo(), RATE_HZ)
    done = convert_folder(tmp_path / "in", tmp_path / "out", CopyFormat())
    assert done == Conversion(n_written=1, n_kept=0, left_out=[], clipped=[], n_passed_over=1)
    assert wav_files(tmp_path / "out") == ["a.wav"]


def test_processes_write_the_same_copies(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(SMALLEST_PARALLEL):
        soundfile.write(tmp_path / "in" / f"{number}.flac", stereo(number, 400), RATE_HZ)
    one = convert_folder(tmp_path / "in", tmp_path / "one", CopyFormat(sample_rate_hz=8000))
    two = convert_folder(tmp_path / "in", tmp_path / "two", CopyFormat(sample_rate_hz=8000), n_processes=2)
    assert one == two
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert len(contents(tmp_path / "one")) == SMALLEST_PARALLEL


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sample-rate", "16k"], r"--sample-rate 16k: expected a whole number from 1000 to 384000"),
        (["--sample-rate", "10"], r"--sample-rate 10: expected a whole number"),
        (["--channel", "-1"], r"--channel -1: expected a whole number from 0|--channel: expected one argument"),
        (["--longest-pause", "-1"], r"--longest-pause -1: expected a number of seconds from 0|expected one argument"),
        (["--longest-pause", "long"], r"--longest-pause long: expected a number of seconds from 0"),
        (["--subtype", "MP3"], r"invalid choice: 'MP3'.*PCM_16"),
        (["--overwite"], r"Unknown option --overwite\. .*Did you mean '--overwrite'"),
        (["--workers", "0"], r"--workers 0: expected a whole number from 1"),
    ],
)
def test_wrong_options_are_refused(audio: Path, target: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        convert.main([str(audio), str(target), *arguments])
    assert not target.exists()


def test_help_says_that_copies_are_mono(capsys: Printed) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["convert", "--help"])
    shown = capsys.readouterr().out
    assert "mono wav copies" in shown
    assert "mean of all" in " ".join(shown.split())
