"""Features equal librosa's, over the settings that users change."""

import warnings

import librosa
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from preprocessing.features.extract import check_settings, extract, trim
from preprocessing.features.feature_settings import SPECTRAL_KEYS, FeatureSettings
from preprocessing.features.spectrogram import count_frames
from xval.base.errors import SettingsError

RATE_HZ = 16000


def settings_with(**changes: object) -> FeatureSettings:
    return FeatureSettings(**changes)


def speech_like(n_samples: int = 24000, seed: int = 0) -> NDArray[np.float32]:
    """Noise that comes and goes over a chord: loud and quiet frames, full and empty bins."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(n_samples) / RATE_HZ
    chord = sum(np.sin(2 * np.pi * f * time_s) for f in (220, 450, 1800, 3900))
    envelope = 0.1 + np.sin(2 * np.pi * 1.5 * time_s) ** 2
    return ((0.05 * chord + 0.02 * rng.normal(size=n_samples)) * envelope).astype(np.float32)


def librosa_power(samples: NDArray[np.float32], settings: FeatureSettings) -> NDArray[np.float32]:
    """librosa's own way to the spectrogram of the settings, (n_bins, n_frames)."""
    stft = librosa.stft(
        samples,
        n_fft=settings.n_fft,
        hop_length=settings.hop_length,
        win_length=settings.win_length,
        window=settings.window,
    )
    magnitudes = np.abs(stft) ** settings.power
    if settings.features == "stft":
        return magnitudes
    return librosa.feature.melspectrogram(
        S=magnitudes,
        sr=settings.sample_rate_hz,
        n_fft=settings.n_fft,
        n_mels=settings.n_mels,
        fmin=settings.fmin_hz,
        fmax=settings.fmax_hz,
        htk=settings.mel_scale == "htk",
    )


def librosa_decibels(values: NDArray[np.float32], settings: FeatureSettings) -> NDArray[np.float32]:
    reference = np.max if settings.db_reference == "max" else settings.db_reference
    convert = {2.0: librosa.power_to_db, 1.0: librosa.amplitude_to_db}[settings.power]
    return convert(values, ref=reference, top_db=settings.top_db)


GRID = [
    {},
    {"mel_scale": "htk"},
    {"n_fft": 512, "win_length": 512, "hop_length": 128, "n_mels": 40},
    {"n_fft": 512, "win_length": 401, "hop_length": 100, "n_mels": 40},
    {"n_fft": 2048, "win_length": 800, "hop_length": 400, "n_mels": 128},
    {"n_fft": 1023, "win_length": 1023},
    {"n_fft": 400, "win_length": 400, "n_mels": 20},
    {"sample_rate_hz": 8000, "n_fft": 512, "win_length": 200, "hop_length": 80},
    {"fmin_hz": 125, "fmax_hz": 3800, "n_mels": 30},
    {"mel_scale": "htk", "fmin_hz": 20, "fmax_hz": 7600, "n_mels": 80, "n_fft": 2048},
    {"power": 1.0},
    {"power": 1.0, "db_reference": 0.5, "top_db": 40},
    {"db_reference": "max"},
    {"db_reference": "max", "top_db": "none"},
    {"db_reference": 20.0, "top_db": 30},
    {"window": "hamming"},
    {"window": "blackman"},
    {"window": "bohman"},
]


@pytest.mark.parametrize("features", ["logmel", "stft"])
@pytest.mark.parametrize("scale", ["db", "linear"])
@pytest.mark.parametrize("changes", GRID, ids=str)
def test_spectrograms_equal_librosas(features: str, scale: str, changes: dict[str, object]) -> None:
    settings = settings_with(features=features, scale=scale, **changes)
    expected = librosa_power(speech_like(), settings)
    if scale == "db":
        expected = librosa_decibels(expected, settings)
    got = extract(speech_like(), settings)
    assert got.dtype == np.float32
    assert got.flags.c_contiguous
    assert got.shape == expected.T.shape
    # Where a bin is almost empty, both ways hold the rounding of float32 only: a millionth of the largest value, 0.001 dB.
    np.testing.assert_allclose(got, expected.T, rtol=1e-4, atol=1e-3 if scale == "db" else 1e-6 * expected.max())


@pytest.mark.parametrize("power", [0.5, 3.0])
def test_any_power_of_the_magnitude_gives_the_same_decibels_of_power(power: float) -> None:
    linear = settings_with(features="stft", scale="linear", power=power)
    np.testing.assert_allclose(extract(speech_like(), linear), librosa_power(speech_like(), linear).T, rtol=1e-4, atol=1e-9)
    expected = extract(speech_like(), settings_with(features="stft"))
    np.testing.assert_allclose(extract(speech_like(), settings_with(features="stft", power=power)), expected, atol=1e-3)


@pytest.mark.parametrize("changes", [{}, {"n_mfcc": 20, "n_mels": 40}, {"mel_scale": "htk"}, {"scale": "linear"}], ids=str)
def test_mfcc_equals_librosas(changes: dict[str, object]) -> None:
    settings = settings_with(features="mfcc", **changes)
    expected = librosa.feature.mfcc(
        y=speech_like(),
        sr=RATE_HZ,
        n_mfcc=settings.n_mfcc,
        n_fft=1024,
        hop_length=160,
        win_length=400,
        n_mels=settings.n_mels,
        htk=settings.mel_scale == "htk",
    ).T
    np.testing.assert_allclose(extract(speech_like(), settings), expected, rtol=1e-4, atol=1e-3)


def test_padding_equals_zeros_behind_the_clip() -> None:
    settings = settings_with(features="stft", top_db="none")
    samples = speech_like(5000)
    padded = np.concatenate([samples, np.zeros(15000, np.float32)])
    np.testing.assert_array_equal(extract(samples, settings, n_samples=20000), extract(padded, settings))


def test_a_long_recording_is_transformed_in_blocks_without_seams() -> None:
    settings = settings_with(features="stft", scale="linear", hop_length=20)
    expected = librosa_power(speech_like(), settings)
    assert expected.shape[1] > 1000
    np.testing.assert_allclose(extract(speech_like(), settings), expected.T, rtol=1e-4, atol=1e-9)


@settings(deadline=None)
@given(st.integers(1, 3000), st.integers(16, 300), st.integers(1, 400), st.integers(1, 6000))
def test_any_length_has_the_counted_frames(n_samples: int, n_fft: int, hop_length: int, length: int) -> None:
    settings = settings_with(features="stft", n_fft=n_fft, win_length=n_fft, hop_length=hop_length)
    got = extract(speech_like(n_samples), settings, n_samples=length)
    with warnings.catch_warnings(action="ignore"):  # librosa complains about clips shorter than n_fft
        expected = librosa.stft(np.zeros(length, np.float32), n_fft=n_fft, hop_length=hop_length).T.shape
    assert got.shape == expected == (count_frames(length, settings), 1 + n_fft // 2)
    assert np.isfinite(got).all()


def test_pre_emphasis_is_the_difference_to_the_sample_before() -> None:
    samples = speech_like()
    emphasised = samples - np.float32(0.97) * np.concatenate([[np.float32(0)], samples[:-1]])
    np.testing.assert_allclose(
        extract(samples, settings_with(pre_emphasis=0.97)), extract(emphasised, settings_with()), atol=1e-4
    )


def test_the_samples_are_not_changed() -> None:
    samples = speech_like()
    extract(samples, settings_with(pre_emphasis=0.97, trim_db=30))
    np.testing.assert_array_equal(samples, speech_like())


@pytest.mark.parametrize("n_frames", [1, 10, 151, 400])
def test_stretching_interpolates_between_frames(n_frames: int) -> None:
    whole = extract(speech_like(), settings_with())
    stretched = extract(speech_like(), settings_with(stretch_frames=n_frames))
    assert stretched.shape == (n_frames, 64)
    position = np.linspace(0, len(whole) - 1, n_frames)
    expected = np.stack([np.interp(position, np.arange(len(whole)), column) for column in whole.T], axis=1)
    np.testing.assert_allclose(stretched, expected, atol=1e-3)


@pytest.mark.parametrize("trim_db", [20.0, 40.0, 60.0])
@pytest.mark.parametrize("n_fft", [512, 1024])
def test_trims_as_librosa_does(trim_db: float, n_fft: int) -> None:
    silence = np.random.default_rng(1).normal(size=9000).astype(np.float32) * 1e-4
    samples = np.concatenate([silence, speech_like(), silence[:5000]])
    settings = settings_with(trim_db=trim_db, n_fft=n_fft)
    _, expected = librosa.effects.trim(samples, top_db=trim_db, frame_length=n_fft, hop_length=160)
    assert trim(samples, settings) == tuple(expected)


@settings(deadline=None)
@given(st.lists(st.sampled_from([0.0, 1e-6, 0.5, -1.0]), min_size=1, max_size=60), st.integers(1, 40))
@example([0.0, 0.0, 0.0, 0.0, -1.0], 35)  # only the frame centred on the end is loud
def test_trimming_always_leaves_something(values: list[float], hop_length: int) -> None:
    samples = np.repeat(np.array(values, np.float32), 7)
    first, stop = trim(samples, settings_with(trim_db=20, n_fft=16, win_length=16, hop_length=hop_length))
    assert 0 <= first < stop <= samples.size


@pytest.mark.parametrize("window", ["hanning_", "", "kaiser"])
def test_an_unknown_window_is_refused_at_once(window: str) -> None:
    with pytest.raises(SettingsError, match=r"scipy has no window.* Usual: hann, hamming, blackman"):
        check_settings(settings_with(window=window))


def test_mel_filters_too_narrow_for_the_transform_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"n_mels=128 with n_fft=256 at 16000 Hz .* Lower n_mels or raise n_fft"):
        check_settings(settings_with(n_mels=128, n_fft=256, win_length=256))
    check_settings(settings_with(features="stft", n_mels=128, n_fft=256, win_length=256))


OTHER = {
    "n_fft": 2048, "win_length": 300, "hop_length": 200, "window": "hamming", "n_mels": 40, "mel_scale": "htk", "fmin_hz": 60.0,
    "fmax_hz": 4000.0, "n_mfcc": 7, "power": 1.0, "scale": "linear", "db_reference": 0.5, "top_db": 9.0, "pre_emphasis": 0.5,
}  # fmt: skip


@pytest.mark.parametrize(
    "kind", [{"features": name} for name in ("logmel", "stft", "mfcc", "mfcc+f0", "chroma+zcr")] + [{"scale": "linear"}]
)
def test_settings_in_use_are_those_that_change_the_features(kind):
    assert OTHER.keys() == set(SPECTRAL_KEYS)
    usual = settings_with(**kind)
    features = extract(speech_like(4000), usual)
    others = {name: value for name, value in OTHER.items() if name not in kind}
    changed = {name: extract(speech_like(4000), settings_with(**kind | {name: value})) for name, value in others.items()}
    changing = {name for name, other in changed.items() if not np.array_equal(other, features)}
    assert changing == usual.in_use() & set(changed)
