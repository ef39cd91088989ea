"""Clips become whole examples or windows, and nothing of a clip is lost."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from preprocessing.features.extract import extract
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.features.windows import clip_samples, lost_samples, make_examples, window_samples, window_starts

RATE_HZ = 16000


def settings_with(**changes: object) -> FeatureSettings:
    return FeatureSettings(**changes)


def noise(duration_s: float) -> NDArray[np.float32]:
    return np.random.default_rng(0).uniform(-0.5, 0.5, round(duration_s * RATE_HZ)).astype(np.float32)


@settings(deadline=None)
@given(st.integers(1, 500), st.integers(1, 500), st.floats(0, 0.99))
def test_windows_cover_every_frame(n_frames: int, window_frames: int, overlap: float) -> None:
    n_frames = max(n_frames, window_frames)
    starts = window_starts(n_frames, window_frames, overlap)
    covered = np.zeros(n_frames, bool)
    for start in starts:
        assert start + window_frames <= n_frames
        covered[start : start + window_frames] = True
    assert covered.all()
    assert (np.diff(starts) > 0).all()


def test_windows_overlap_by_their_share() -> None:
    assert window_starts(100, 20, 0.5).tolist() == [0, 10, 20, 30, 40, 50, 60, 70, 80]
    assert window_starts(100, 20, 0.0).tolist() == [0, 20, 40, 60, 80]
    assert window_starts(105, 20, 0.0).tolist() == [0, 20, 40, 60, 80, 85]
    assert window_starts(20, 20, 0.9).tolist() == [0]


def test_a_clip_without_windows_is_one_example() -> None:
    examples = make_examples(noise(1.0), settings_with(), 2 * RATE_HZ)
    assert examples.predictors.shape == (1, 201, 64)
    np.testing.assert_array_equal(examples.predictors[0], extract(noise(1.0), settings_with(), n_samples=2 * RATE_HZ))
    assert (examples.start_s.tolist(), examples.end_s.tolist()) == ([0.0], [1.0])


def test_windows_are_pieces_of_the_clips_features() -> None:
    settings = settings_with(example_length_s=0.5, example_overlap=0.5)
    whole = extract(noise(1.3), settings)
    examples = make_examples(noise(1.3), settings, None)
    assert examples.predictors.shape[1:] == (51, 64)
    for start_s, window in zip(examples.start_s, examples.predictors, strict=True):
        first = round(start_s * 100)
        np.testing.assert_array_equal(window, whole[first : first + 51])
    assert examples.start_s[0] == 0
    assert examples.end_s[-1] == pytest.approx(1.3)
    np.testing.assert_allclose(examples.end_s - examples.start_s, 0.5)


def test_a_clip_shorter_than_a_window_is_padded_to_one() -> None:
    settings = settings_with(example_length_s=0.5)
    examples = make_examples(noise(0.2), settings, None)
    np.testing.assert_array_equal(examples.predictors[0], extract(noise(0.2), settings, n_samples=8000))
    assert (examples.start_s.tolist(), examples.end_s.tolist()) == ([0.0], [0.2])


def test_no_window_is_padding_alone() -> None:
    settings = settings_with(example_length_s=0.5, clip_length_s=3.0)
    examples = make_examples(noise(0.7), settings, clip_samples(settings, 10.0))
    assert (examples.start_s < 0.7).all()
    assert examples.end_s[-1] == pytest.approx(0.7)
    assert make_examples(noise(5.0), settings, clip_samples(settings, 10.0)).end_s[-1] == pytest.approx(3.0)


@pytest.mark.parametrize("changes", [{}, {"example_length_s": 0.3}])
def test_times_count_from_the_beginning_of_the_untrimmed_clip(changes: dict[str, object]) -> None:
    clip = np.concatenate([np.zeros(RATE_HZ, np.float32), noise(1.0), np.zeros(RATE_HZ, np.float32)])
    settings = settings_with(trim_db=40, **changes)
    examples = make_examples(clip, settings, None)
    assert examples.start_s[0] == pytest.approx(1.0, abs=0.05)
    assert examples.end_s[-1] == pytest.approx(2.0, abs=0.05)


@settings(deadline=None)
@given(st.integers(1, 30000), st.sampled_from([None, 100, 20000]), st.booleans())
def test_every_clip_gives_examples_within_itself(n_samples: int, length: int | None, has_windows: bool) -> None:
    settings = settings_with(example_length_s=0.25 if has_windows else None, features="stft")
    examples = make_examples(noise(n_samples / RATE_HZ), settings, length)
    assert len(examples.predictors) == len(examples.start_s) == len(examples.end_s) >= 1
    assert (examples.start_s >= 0).all()
    assert (examples.end_s > examples.start_s).all()
    assert (examples.end_s <= n_samples / RATE_HZ + 1e-9).all()
    if has_windows:
        assert examples.predictors.shape[1:] == (26, 513)


def test_clips_are_padded_to_the_longest_unless_settings_say_otherwise() -> None:
    assert clip_samples(settings_with(), 1.23456) == 19753
    assert clip_samples(settings_with(clip_length_s=2.0), 9.0) == 32000
    assert clip_samples(settings_with(stretch_frames=50), 9.0) is None
    assert clip_samples(settings_with(example_length_s=1.0), 9.0) is None
    assert window_samples(settings_with()) is None
    assert window_samples(settings_with(example_length_s=0.5)) == 8000


@pytest.mark.parametrize(
    ("changes", "lost"),
    [
        ({}, 8000),  # longer than all of the corpus, as new audio may be
        ({"clip_length_s": 0.5}, 24000),
        ({"clip_length_s": 0.5, "example_length_s": 0.25}, 24000),
        ({"clip_length_s": 1.999}, 0),  # less than a hop
        ({"example_length_s": 0.5}, 0),
        ({"features": "waveform", "frontend": "logmel"}, 8000),
        ({"features": "waveform", "frontend": "logmel", "crop_s": 0.5}, 0),
    ],
)
def test_what_a_clip_of_two_seconds_loses(changes: dict[str, object], lost: int) -> None:
    chosen = settings_with(**changes)
    assert lost_samples(2 * RATE_HZ, chosen, clip_samples(chosen, 1.5)) == lost
    if chosen.features != "waveform":
        end_s = make_examples(noise(2), chosen, clip_samples(chosen, 1.5)).end_s[-1]
        assert end_s == pytest.approx(2 - lost / RATE_HZ, abs=chosen.hop_length / RATE_HZ)
