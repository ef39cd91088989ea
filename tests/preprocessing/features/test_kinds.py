"""Each kind of features is what librosa computes, lies frame by frame beside the others, and does not depend on them."""

import librosa
import numpy as np
import pytest
from numpy.typing import NDArray

from preprocessing.features.extract import check_settings, extract
from preprocessing.features.feature_settings import KINDS as NAMES
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.features.kinds import bin_names
from preprocessing.features.spectrogram import count_frames
from xval.base.errors import SettingsError

RATE_HZ = 16000
COARSE = {"n_fft": 4096, "win_length": 4096, "hop_length": 2048}


def settings_with(**changes: object) -> FeatureSettings:
    return FeatureSettings(**changes)


def glide(seconds: float = 1.5, from_hz: float = 110, to_hz: float = 330) -> NDArray[np.float32]:
    """A voice-like sound with ten harmonics that rises evenly in semitones, and a little noise."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    phase = 2 * np.pi * np.cumsum(from_hz * (to_hz / from_hz) ** (time_s / seconds)) / RATE_HZ
    voice = sum(np.sin(number * phase) / number for number in range(1, 11))
    noise = np.random.default_rng(0).normal(size=time_s.size)
    return (0.1 * voice + 0.001 * noise).astype(np.float32)


@pytest.mark.parametrize("spacing", [{}, COARSE, {"n_fft": 512, "win_length": 400, "hop_length": 100, "n_mels": 40}], ids=str)
def test_chroma_and_spectral_equal_librosas(spacing: dict[str, int]) -> None:
    samples, settings = glide(), settings_with(features="chroma+spectral+contrast", **spacing)
    given = {name: getattr(settings, name) for name in ("n_fft", "hop_length", "win_length")} | {"sr": RATE_HZ}
    framed = {name: given[name] for name in ("n_fft", "hop_length", "win_length")}
    matrix = extract(samples, settings)
    magnitudes = np.abs(librosa.stft(samples, **framed))
    np.testing.assert_allclose(matrix[:, :12], librosa.feature.chroma_stft(y=samples, tuning=0, **given).T, atol=1e-4)
    of_magnitudes = {"S": magnitudes, "sr": RATE_HZ}
    expected = np.concatenate(
        [
            librosa.feature.spectral_centroid(**of_magnitudes),
            librosa.feature.spectral_bandwidth(**of_magnitudes),
            librosa.feature.spectral_rolloff(**of_magnitudes),
            librosa.feature.spectral_flatness(S=magnitudes),
        ]
    )
    np.testing.assert_allclose(matrix[:, 12:16], expected.T, rtol=1e-3, atol=1e-6)
    # librosa raises what lies 80 dB below the largest peak or valley; this sound has nothing there.
    np.testing.assert_allclose(matrix[:, 16:], librosa.feature.spectral_contrast(**of_magnitudes).T, rtol=1e-3, atol=1e-2)


def test_energy_and_crossings_equal_librosas() -> None:
    samples, settings = glide(), settings_with(features="energy+zcr", top_db="none")
    framed = {"frame_length": 1024, "hop_length": 160}
    energy_db, crossings = extract(samples, settings).T
    expected_db = librosa.power_to_db(librosa.feature.rms(y=samples, **framed)[0] ** 2, top_db=None)
    np.testing.assert_allclose(energy_db, expected_db, atol=1e-3)
    inner = slice(4, -4)  # librosa continues the ends of a signal here
    expected = librosa.feature.zero_crossing_rate(samples, **framed)[0]
    np.testing.assert_allclose(crossings[inner], expected[inner], atol=1e-6)
    linear = extract(samples, settings_with(features="energy", scale="linear", power=1.0))
    np.testing.assert_allclose(linear[:, 0], librosa.feature.rms(y=samples, **framed)[0], rtol=1e-4)


@pytest.mark.parametrize("spacing", [{}, COARSE], ids=str)
def test_f0_follows_a_glide_and_tells_noise_and_silence(spacing: dict[str, int]) -> None:
    settings = settings_with(features="f0", **spacing)
    semitones, periodicity = extract(glide(), settings).T
    time_s = np.arange(len(semitones)) * settings.hop_length / RATE_HZ
    expected = 12 * np.log2(110 / settings.f0_min_hz) + 12 * np.log2(3) * time_s / 1.5
    inner = (time_s > 0.05) & (time_s < 1.4)
    assert np.abs(semitones - expected)[inner].max() < 0.3
    assert periodicity[inner].min() > 0.9
    rng = np.random.default_rng(1)
    noise = extract((0.1 * rng.normal(size=RATE_HZ)).astype(np.float32), settings)
    assert not noise[:, 0].any()
    assert noise[:, 1].max() < 0.6
    padded = extract(glide(), settings, n_samples=4 * RATE_HZ)
    assert not padded[round(1.8 * RATE_HZ / settings.hop_length) :].any()


def test_kinds_lie_side_by_side_as_each_is_alone() -> None:
    together = extract(glide(), settings_with(features="+".join(NAMES), **COARSE), n_samples=40000)
    alone = [extract(glide(), settings_with(features=name, **COARSE), n_samples=40000) for name in NAMES]
    np.testing.assert_array_equal(together, np.concatenate(alone, axis=1))


@pytest.mark.parametrize("order", [1, 2])
def test_deltas_equal_librosas_and_every_bin_has_a_name(order: int) -> None:
    settings = settings_with(features="f0+mfcc+energy", feature_deltas=order, n_mfcc=5)
    matrix = extract(glide(), settings)
    plain = extract(glide(), settings_with(features="f0+mfcc+energy", n_mfcc=5))
    np.testing.assert_array_equal(matrix[:, :8], plain)
    first = librosa.feature.delta(plain, width=5, mode="nearest", axis=0)
    np.testing.assert_allclose(matrix[:, 8:16], first, atol=1e-4)
    names = bin_names(settings)
    assert len(names) == matrix.shape[1] == 8 * (1 + order)
    assert (names[0], names[2], names[8]) == ("f0", "mfcc 0", "f0 delta")


@pytest.mark.parametrize("n_samples", [1, 100, 3000])
def test_the_shortest_clips_have_frames_of_every_kind(n_samples: int) -> None:
    settings = settings_with(features="+".join(NAMES), feature_deltas=1)
    matrix = extract(glide()[:n_samples], settings)
    assert matrix.shape == (count_frames(n_samples, settings), len(bin_names(settings)))
    assert np.isfinite(matrix).all()


def test_a_long_clip_is_measured_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_with(features="f0")
    at_once = extract(glide(), settings)
    monkeypatch.setattr("preprocessing.features.pitch.BLOCK_FRAMES", 40)
    np.testing.assert_array_equal(extract(glide(), settings), at_once)


def test_bands_without_a_bin_of_the_transform_are_refused_before_a_clip_is_read() -> None:
    narrow = settings_with(features="contrast", n_fft=64, win_length=64)
    for compute in (check_settings, lambda settings: extract(glide(), settings)):
        with pytest.raises(SettingsError, match=r"n_fft=64 at 16000 Hz.*contrast from 0 to 200 Hz has no bin.*Raise n_fft"):
            compute(narrow)


def test_what_does_not_go_together_is_refused() -> None:
    for features, said in {
        "mfcc+waveform": "cannot be combined",
        "mfcc+mfcc": "named twice",
        "mfc": "mfcc",
        "": "logmel",
    }.items():
        with pytest.raises(ValueError, match=said):
            settings_with(features=features)
    with pytest.raises(ValueError, match="feature_deltas=1 needs stored features"):
        settings_with(features="waveform", feature_deltas=1)
    with pytest.raises(ValueError, match="f0_min_hz=700"):
        settings_with(features="mfcc+f0", f0_min_hz=700)


def test_keys_of_stores_that_are_there_stay() -> None:
    assert not {"f0_min_hz", "f0_max_hz", "feature_deltas"} & settings_with(features="mfcc").stored().keys()
    assert {"f0_min_hz", "feature_deltas"} <= settings_with(features="mfcc+f0", feature_deltas=1).stored().keys()
