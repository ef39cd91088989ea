"""Pictures of clips: there is one for each, it shows something, and what cannot be drawn is said."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from matplotlib.image import imread
from numpy.typing import NDArray

from preprocessing.__main__ import main
from preprocessing.commands.command_line import read_settings
from preprocessing.commands.show import main as show
from preprocessing.features.windows import clip_samples, make_examples
from preprocessing.quality.clip_picture import LARGEST_N_WINDOWS, draw_clip
from preprocessing.quality.pictures import png
from xval.base.errors import AudioError, CorpusError, SettingsError

RATE_HZ = 16000
SMALL = ("n_mels=16", "n_fft=512", "hop_length=160")
SET_SMALL = [word for setting in SMALL for word in ("--set", setting)]


def chirp(duration_s: float = 0.6) -> NDArray[np.float32]:
    time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    return (0.4 * np.sin(2 * np.pi * (300 + 2000 * time_s) * time_s)).astype(np.float32)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    soundfile.write("chirp.wav", chirp(), RATE_HZ)
    return tmp_path


def look_at(path: Path) -> NDArray[np.float32]:
    """Return the grey values of a picture that must be large and not blank."""
    picture = imread(path)[..., :3].mean(axis=2)
    assert min(picture.shape) > 400
    assert picture.std() > 0.05
    return picture


def test_draws_one_picture_for_each_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write("other.flac", np.stack([chirp(0.3), -0.5 * chirp(0.3)], axis=1), 44100)
    (folder / "deep").mkdir()
    soundfile.write("deep/chirp.wav", chirp(0.4), RATE_HZ)
    assert main(["show", "chirp.wav", "other.flac", "deep/chirp.wav", "--output", "pictures", *SET_SMALL]) == 0
    pictures = {path.name: look_at(path) for path in (folder / "pictures").iterdir()}
    assert set(pictures) == {"chirp.png", "other.png", "chirp-2.png"}
    assert not np.array_equal(pictures["chirp.png"], pictures["chirp-2.png"])
    assert "pictures/chirp.png: 0.60 s, 1 example of 61 x 16" in capsys.readouterr().out


def test_only_a_stretch_is_drawn_where_one_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    show(["chirp.wav", *SET_SMALL, "--start-s", "0.1", "--end-s", "0.3"])
    assert "0.20 s, 1 example of 21 x 16" in capsys.readouterr().out


@pytest.mark.parametrize(
    "overrides",
    [
        ("features=stft", "db_reference=max"),
        ("features=mfcc",),
        ("features=mfcc", "n_mfcc=1"),
        ("features=mfcc+f0+energy", "feature_deltas=1"),
        ("scale=linear",),
        ("scale=linear", "power=1", "features=stft"),
        ("trim_db=20", "mel_scale=htk", "fmin_hz=100", "fmax_hz=4000"),
        ("stretch_frames=20",),
        ("clip_length_s=0.2",),
        ("clip_length_s=2",),
        ("example_length_s=3",),
        ("features=waveform",),
        ("features=waveform", "frontend=stft", "crop_s=0.2", "example_length_s=0.2"),
    ],
)
def test_every_kind_of_features_is_drawn(folder: Path, overrides: tuple[str, ...]) -> None:
    show(["chirp.wav", *SET_SMALL, *(word for override in overrides for word in ("--set", override))])
    look_at(folder / "data" / "pictures" / "chirp.png")


def test_the_picture_shows_what_the_model_gets() -> None:
    settings = read_settings([*SMALL, "example_length_s=0.2", "trim_db=30"])
    samples = np.concatenate([np.zeros(4000, np.float32), chirp(), np.zeros(4000, np.float32)])
    score, examples = draw_clip(samples, settings, title="chirp")
    wanted = make_examples(samples, settings, clip_samples(settings, 1.0))
    np.testing.assert_array_equal(examples.predictors, wanted.predictors)
    drawn = [axes for part in score.subfigs for axes in part.axes if axes.images]
    np.testing.assert_array_equal(drawn[-1].images[0].get_array().T, wanted.predictors[-1])
    assert drawn[-1].get_xlim() == pytest.approx((wanted.start_s[-1], wanted.start_s[-1] + 0.2))
    assert f"{wanted.start_s[-1]:.2f} to {wanted.end_s[-1]:.2f} s" in drawn[-1].get_title(loc="left")
    assert len(drawn) == 1 + len(wanted.predictors)


def test_axes_have_units() -> None:
    score, _ = draw_clip(chirp(), read_settings(SMALL), title="chirp")
    waveform, features, colours = score.axes
    assert features.get_xlabel() == "Time in the clip (s)"
    assert "(kHz)" in features.get_ylabel()
    assert "(full scale 1)" in waveform.get_ylabel()
    assert "(dB" in colours.get_ylabel()
    assert score.get_suptitle() == "chirp"
    labels = {text.get_text(): tick for text, tick in zip(features.get_yticklabels(), features.get_yticks(), strict=True)}
    assert 3 < labels["1"] < labels["2"] < labels["4"] < 15


def test_of_many_windows_some_are_drawn() -> None:
    settings = read_settings([*SMALL, "example_length_s=0.05"])
    score, examples = draw_clip(chirp(1.5), settings, title="chirp")
    assert len(examples.predictors) > LARGEST_N_WINDOWS
    windows = [axes for axes in score.subfigs[1].axes if axes.images]
    assert len(windows) == LARGEST_N_WINDOWS
    assert windows[-1].get_title(loc="left").startswith(f"{len(examples.predictors)}: ")
    assert png(score).startswith(b"\x89PNG")


def test_a_clip_of_a_dataset_is_padded_as_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write("long.wav", chirp(1.0), RATE_HZ)
    Path("clips.csv").write_text("path,item,label\nchirp.wav,ann,yes\nlong.wav,bob,no\n")
    assert main(["table", "clips.csv", "--workers", "1", *SET_SMALL]) == 0
    show(["chirp.wav", "--dataset", "clips", *SET_SMALL])
    look_at(folder / "data" / "clips" / "pictures" / "chirp.png")
    assert "0.60 s, 1 example of 101 x 16" in capsys.readouterr().out
    with pytest.raises(CorpusError, match=r"Dataset 'clips' has no clip 'chrip\.wav'.*Did you mean 'chirp\.wav'"):
        show(["chrip.wav", "--dataset", "clips"])
    with pytest.raises(SettingsError, match="a clip of a dataset has its own"):
        show(["chirp.wav", "--dataset", "clips", "--start-s", "0.1"])
    with pytest.raises(CorpusError, match="There is no dataset 'clisp'"):
        show(["chirp.wav", "--dataset", "clisp"])


def test_one_that_cannot_be_read_does_not_stop_the_others(folder: Path) -> None:
    Path("text.wav").write_text("no audio")
    with pytest.raises(AudioError, match=r"2 of 3 clips cannot be drawn:\ntext\.wav: .*\nnowhere\.wav: "):
        show(["text.wav", "nowhere.wav", "chirp.wav", *SET_SMALL])
    look_at(folder / "data" / "pictures" / "chirp.png")
    assert main(["show", "text.wav", *SET_SMALL]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "following arguments are required: CLIP"),
        (["chirp.wav", "--set", "n_melz=3"], "--set n_melz: unknown setting.*Did you mean 'n_mels'"),
        *(
            (["chirp.wav", flag, value], f"{flag} {value}: expected a time in seconds from 0")
            for flag, value in (("--start-s", "nan"), ("--start-s", "inf"), ("--end-s", "nan"), ("--end-s", "soon"))
        ),
        (["chirp.wav", "--start-s=-1"], "--start-s -1: expected a time in seconds from 0"),
        (["chirp.wav", "--outptu", "x"], "Unknown option --outptu.*Did you mean '--output'"),
        (["chirp.wav", "--set", "window=boxcarr"], "scipy has no window 'boxcarr'"),
    ],
)
def test_wrong_arguments_are_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        show(arguments)
