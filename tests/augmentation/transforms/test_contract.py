"""What every file of transforms/ must do; a new file is tested here without a change."""

import inspect
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augmentation.offline_settings import augmentation_model
from augmentation.transforms import Samples, find_transform, transform_names
from xval.base.errors import SettingsError

RATE_HZ = 16000
every_transform = pytest.mark.parametrize("name", transform_names())


def make_samples(n_samples: int = 8000, seed: int = 0) -> Samples:
    """Return a chirp with noise, with a peak of 0.99."""
    time_s = np.arange(n_samples) / RATE_HZ
    samples = np.sin(2 * np.pi * (300 + 2000 * time_s) * time_s) + np.random.default_rng(seed).normal(0, 0.1, n_samples)
    return (0.99 * samples / np.abs(samples).max()).astype(np.float32)


@every_transform
def test_the_signature_is_the_contract(name: str) -> None:
    transform = find_transform(name)
    assert list(inspect.signature(transform.draw).parameters)[:2] == ["rng", "sample_rate_hz"]
    assert list(inspect.signature(transform.apply).parameters)[:2] == ["samples", "sample_rate_hz"]
    assert 0 <= transform.probability[1] <= 1
    fields = augmentation_model().model_fields
    assert all(fields[f"{name}_{option}"].description for option in ("probability", *transform.options))


@every_transform
def test_mono_float32_of_the_right_length_comes_out_and_something_happened(name: str) -> None:
    transform, samples = find_transform(name), make_samples()
    for seed in range(5):
        changed = transform.apply(samples, RATE_HZ, **transform.draw(np.random.default_rng(seed), RATE_HZ))
        assert changed.dtype == np.float32
        assert changed.ndim == 1
        assert np.isfinite(changed).all()
        if transform.changes_length:
            assert changed.size != samples.size
        else:
            assert changed.size == samples.size
            assert np.abs(changed - samples).max() > 1e-3


@every_transform
def test_the_same_generator_gives_the_same_samples_whatever_numpy_drew_before(name: str) -> None:
    transform, samples = find_transform(name), make_samples()
    results = []
    for global_seed in (1, 2):
        np.random.seed(global_seed)  # noqa: NPY002 - the global generator is what must not matter
        parameters = transform.draw(np.random.default_rng(7), RATE_HZ)
        results.append((parameters, transform.apply(samples, RATE_HZ, **parameters).tobytes()))
    assert results[0] == results[1]
    assert transform.draw(np.random.default_rng(8), RATE_HZ) != results[0][0]


@every_transform
def test_the_parameters_survive_json_and_the_source_is_left_alone(name: str) -> None:
    transform, samples = find_transform(name), make_samples()
    before = samples.copy()
    parameters = transform.draw(np.random.default_rng(3), RATE_HZ)
    read_back = json.loads(json.dumps(parameters))
    np.testing.assert_array_equal(
        transform.apply(samples, RATE_HZ, **read_back), transform.apply(samples, RATE_HZ, **parameters)
    )
    np.testing.assert_array_equal(samples, before)


@every_transform
@settings(max_examples=25, deadline=None)
@given(n_samples=st.integers(1, 300), rate_hz=st.sampled_from([8000, 16000, 44100, 96000]), seed=st.integers(0, 2**32))
def test_any_rate_and_a_single_sample_are_enough(name: str, n_samples: int, rate_hz: int, seed: int) -> None:
    transform = find_transform(name)
    changed = transform.apply(make_samples(n_samples), rate_hz, **transform.draw(np.random.default_rng(seed), rate_hz))
    assert changed.dtype == np.float32
    assert np.isfinite(changed).all()
    assert changed.size == n_samples or transform.changes_length


RANGED = [
    (name, option, parameter)
    for name, option, parameter in [
        ("background_noise", "snr_db", "snr_db"),
        ("clipping", "over_db", "over_db"),
        ("equalizer", "hz", "centres_hz"),
        ("equalizer", "q", "qs"),
        ("gain", "db", "gain_db"),
        ("pitch_shift", "semitones", "semitones"),
        ("reverb", "wet", "wet"),
        ("reverb", "reverberation_s", "reverberation_s"),
        ("time_stretch", "rate", "rate"),
        ("band_limit", "low_pass_hz", "low_pass_hz"),
        ("band_limit", "high_pass_hz", "high_pass_hz"),
    ]
]


@pytest.mark.parametrize(("name", "option", "parameter"), RANGED)
def test_what_is_drawn_lies_in_its_range_and_fills_it(name: str, option: str, parameter: str) -> None:
    transform = find_transform(name)
    lowest, highest = transform.options[f"min_{option}"][1], transform.options[f"max_{option}"][1]
    drawn: list[float] = []
    for seed in range(300):
        value = transform.draw(np.random.default_rng(seed), 48000)[parameter]
        drawn += value if isinstance(value, list) else [] if value is None else [value]
    assert lowest <= min(drawn)
    assert max(drawn) <= highest
    assert max(drawn) - min(drawn) > 0.8 * (highest - lowest)


def test_a_range_of_one_point_gives_this_point() -> None:
    assert find_transform("gain").draw(np.random.default_rng(0), RATE_HZ, min_db=-6.0, max_db=-6.0) == {"gain_db": -6.0}
    drawn = find_transform("time_stretch").draw(np.random.default_rng(0), RATE_HZ, min_rate=1.1, max_rate=1.1)
    assert drawn == {"rate": pytest.approx(1.1)}


def test_an_unknown_transform_gets_a_suggestion() -> None:
    with pytest.raises(SettingsError, match=r"Unknown transform 'reverp'.*Did you mean 'reverb'"):
        find_transform("reverp")


def test_a_number_between_two_options_has_no_third_option() -> None:
    assert list(find_transform("gain").options) == ["min_db", "max_db"]
    with pytest.raises(TypeError, match="min_gain_db"):
        find_transform("gain").draw(np.random.default_rng(0), RATE_HZ, min_gain_db=-6.0)
