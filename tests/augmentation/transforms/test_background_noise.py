"""The ratio that is asked for is reached, the colours have their slopes, and recordings are used where there is a folder."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from augmentation.transforms import background_noise
from augmentation.transforms._options import audio_files
from augmentation.transforms._recordings import read_excerpt
from preprocessing.audio.read import decode, read_header
from xval.base.errors import CorpusError

RATE_HZ = 16000


def ratio_db(samples: np.ndarray, noisy: np.ndarray) -> float:
    noise = noisy.astype(np.float64) - samples
    return float(10 * np.log10(np.mean(samples.astype(np.float64) ** 2) / np.mean(noise**2)))


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 12.5, 30.0])
@pytest.mark.parametrize("colour", list(background_noise.EXPONENTS))
def test_the_ratio_is_reached(snr_db: float, colour: str) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, 8000).astype(np.float32)
    noisy = background_noise.apply(samples, RATE_HZ, snr_db=snr_db, colour=colour, noise_seed=4)
    assert ratio_db(samples, noisy) == pytest.approx(snr_db, abs=0.01)


@pytest.mark.parametrize(("colour", "slope_db"), [("white", 0), ("pink", -3), ("brown", -6), ("blue", 3), ("violet", 6)])
def test_a_colour_falls_or_rises_by_its_decibels_per_octave(colour: str, slope_db: float) -> None:
    power = np.abs(np.fft.rfft(background_noise.make_noise(1 << 17, RATE_HZ, colour, 5).astype(np.float64))) ** 2
    hz = np.fft.rfftfreq(1 << 17, 1 / RATE_HZ)
    octaves = [10 * np.log10(power[(hz >= low) & (hz < 2 * low)].mean()) for low in (125, 250, 500, 1000, 2000)]
    np.testing.assert_allclose(np.diff(octaves), slope_db, atol=0.5)


@pytest.mark.parametrize("colour", ["any", "pink"])
def test_a_colour_can_be_chosen(colour: str) -> None:
    drawn = {background_noise.draw(np.random.default_rng(seed), RATE_HZ, colour=colour)["colour"] for seed in range(60)}
    assert drawn == (set(background_noise.EXPONENTS) if colour == "any" else {"pink"})


def test_recordings_of_another_rate_and_shorter_ones_are_used(tmp_path: Path) -> None:
    time_s = np.arange(4410) / 44100
    soundfile.write(tmp_path / "hum.wav", 0.2 * np.sin(2 * np.pi * 1000 * time_s), 44100)
    samples = np.random.default_rng(0).normal(0, 0.1, 8000).astype(np.float32)
    parameters = background_noise.draw(np.random.default_rng(0), RATE_HZ, folder=tmp_path, min_snr_db=3.0, max_snr_db=3.0)
    assert parameters["recording"] == (tmp_path / "hum.wav").as_posix()
    noisy = background_noise.apply(samples, RATE_HZ, **parameters)
    assert ratio_db(samples, noisy) == pytest.approx(3, abs=0.01)
    spectrum = np.abs(np.fft.rfft(noisy - samples))
    assert spectrum.argmax() * RATE_HZ / samples.size == pytest.approx(1000, abs=4)


def test_of_a_long_recording_the_stretch_at_the_position_is_used(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 100 * 1000).astype(np.float32)
    soundfile.write(tmp_path / "long.wav", noise, 1000, subtype="FLOAT")
    samples = np.random.default_rng(0).normal(0, 0.1, 2000).astype(np.float32)
    noisy = background_noise.apply(samples, 1000, snr_db=0.0, recording=str(tmp_path / "long.wav"), position=0.5)
    added = noisy - samples
    assert np.corrcoef(added, noise[49000:51000])[0, 1] > 0.999


def test_a_recording_whose_header_says_no_length_ends_where_it_ends(
    tmp_path: Path, aac: Callable[[Path, float, int], None]
) -> None:
    aac(tmp_path / "long.aac", 70, 8000)
    whole = decode(tmp_path / "long.aac").samples
    assert math.isnan(read_header(tmp_path / "long.aac").duration_s)
    excerpt = read_excerpt(tmp_path / "long.aac", 8000, 8000, 1.0)
    np.testing.assert_array_equal(excerpt, whole[-8000:])


def test_augmented_copies_and_hidden_files_are_no_noise(tmp_path: Path) -> None:
    for name in ("hum.wav", "hum.augmented-1.wav", ".hum.wav", "__MACOSX/hum.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, np.ones(100), RATE_HZ)
    assert audio_files(tmp_path) == (tmp_path / "hum.wav",)


def test_a_silent_stretch_gives_way_to_the_loudest(tmp_path: Path) -> None:
    noise = np.zeros(32000, np.float32)
    noise[20000:21000] = 0.5
    soundfile.write(tmp_path / "knock.wav", noise, RATE_HZ)
    samples = np.random.default_rng(0).normal(0, 0.1, 2000).astype(np.float32)
    noisy = background_noise.apply(samples, RATE_HZ, snr_db=0.0, recording=str(tmp_path / "knock.wav"), position=0.0)
    assert ratio_db(samples, noisy) == pytest.approx(0, abs=0.01)


def test_a_recording_that_is_no_audio_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no audio")
    with pytest.raises(CorpusError, match=r"mixed in cannot be read: .*text\.wav"):
        background_noise.apply(np.ones(100, np.float32), RATE_HZ, snr_db=0.0, recording=str(tmp_path / "text.wav"))
