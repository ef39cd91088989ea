"""What the front end makes of samples is what the same settings would have stored."""

import json
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import pytest

from preprocessing.features.extract import extract
from preprocessing.features.feature_settings import FeatureSettings
from xval.models.frontend import build_frontend

PROJECT_ROOT = Path(__file__).parents[3]
BACKENDS = [
    pytest.param(name, marks=pytest.mark.skipif(find_spec(name) is None, reason=f"{name} is not installed"))
    for name in ("tensorflow", "torch", "jax")
]
RATE_HZ = 8000
TOLERANCE_DB = 1e-3

EACH = {
    "defaults": {},
    "stft": {"frontend": "stft"},
    "magnitude": {"power": 1},
    "power between": {"power": 0.66},
    "stft of a power between": {"frontend": "stft", "power": 0.66},
    "pre-emphasis": {"pre_emphasis": 0.97},
    "reference max": {"db_reference": "max"},
    "reference max of each": {"db_reference": "max", "top_db": "none"},
    "reference of a magnitude": {"db_reference": 0.1, "power": 1},
    "no floor": {"top_db": "none"},
    "a high floor": {"top_db": 20},
    "linear": {"scale": "linear"},
    "linear stft": {"scale": "linear", "frontend": "stft", "power": 1},
    "htk": {"mel_scale": "htk"},
    "band": {"fmin_hz": 100, "fmax_hz": 3000},
    "short window": {"win_length": 101},
    "odd transform": {"n_fft": 255},
    "another window": {"window": "blackmanharris"},
    "hop as long as the transform": {"hop_length": 256},
}
ON_EVERY_BACKEND = ("defaults", "stft of a power between", "pre-emphasis", "reference max of each", "linear", "odd transform")


def settings_with(**changes):
    small = {"sample_rate_hz": RATE_HZ, "n_fft": 256, "win_length": 200, "hop_length": 80, "n_mels": 20}
    return FeatureSettings(**{"features": "waveform", "frontend": "logmel", **small, **changes})


def clips(n_samples, n_clips=3):
    """Return tones that fade over noise, each louder than the one before, float32 (n_clips, n_samples).

    No bin lies so far below the loudest that the rounding of a transform in single precision would show.
    """
    rng, time_s = np.random.default_rng(1), np.arange(n_samples) / RATE_HZ
    tones = [10**clip * 0.003 * np.sin(2 * np.pi * 440 * (clip + 1) * time_s) * np.exp(-3 * time_s) for clip in range(n_clips)]
    return (np.stack(tones) + 0.01 * rng.normal(size=(n_clips, n_samples))).astype(np.float32)


def stored(samples, settings):
    return np.stack([extract(clip, settings.spectral()) for clip in samples])


def made(samples, settings, n_samples):
    return keras.ops.convert_to_numpy(build_frontend(n_samples, settings.spectral())(samples))


def assert_agree(found, wanted, settings):
    assert found.shape == wanted.shape
    assert found.dtype == np.float32
    # A thousandth of a decibel, which of linear values is a share.
    tolerance = TOLERANCE_DB if settings.scale == "db" else wanted.max() * (10 ** (TOLERANCE_DB / 20) - 1)
    assert np.abs(found - wanted).max() < tolerance


@pytest.mark.parametrize("changes", EACH.values(), ids=EACH)
@pytest.mark.parametrize(("n_samples", "is_fixed"), [(4000, True), (3997, False), (90, False)])
def test_it_gives_what_would_have_been_stored(changes, n_samples, is_fixed):
    settings, samples = settings_with(**changes), clips(n_samples)

    found = made(samples, settings, n_samples if is_fixed else None)

    assert_agree(found, stored(samples, settings), settings)


@pytest.mark.parametrize("changes", [{}, {"db_reference": "max"}, {"power": 0.1}, {"power": 10, "top_db": "none"}])
def test_silence_becomes_what_would_have_been_stored(changes):
    settings, samples = settings_with(**changes), np.zeros((2, 800), np.float32)

    assert_agree(made(samples, settings, 800), stored(samples, settings), settings)


def test_an_example_does_not_depend_on_the_others_of_its_batch():
    settings, samples = settings_with(db_reference="max", top_db=30), clips(2000)

    together = made(samples, settings, None)

    alone = np.concatenate([made(clip[np.newaxis], settings, None) for clip in samples])
    np.testing.assert_allclose(together, alone, atol=TOLERANCE_DB / 10)


@pytest.mark.parametrize("pre_emphasis", [0, 0.97])
def test_padded_clips_give_what_is_stored_of_clips_padded_to_one_length(pre_emphasis):
    settings, samples = settings_with(pre_emphasis=pre_emphasis), clips(1000)
    padded = np.pad(samples, [(0, 0), (0, 3000)])

    wanted = np.stack([extract(clip, settings.spectral(), n_samples=4000) for clip in samples])

    assert_agree(made(padded, settings, 4000), wanted, settings)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_does_not_make_it_coarser(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        found = made(clips(2000), settings_with(), None)
    finally:
        keras.config.set_dtype_policy(before)

    assert_agree(found, stored(clips(2000), settings_with()), settings_with())


def test_nothing_in_it_is_trained():
    model = build_frontend(4000, settings_with().spectral())

    assert model.trainable_weights == []
    assert model.output_shape == (None, 51, 20)
    assert build_frontend(None, settings_with().spectral()).output_shape[2] == 20


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with front ends that this process saved, and what they should give."""
    folder = tmp_path_factory.mktemp("frontends")
    for name in ON_EVERY_BACKEND:
        settings, samples = settings_with(**EACH[name]), clips(1501)
        (folder / f"{name}.json").write_text(settings.spectral().model_dump_json())
        np.savez(folder / f"{name}.npz", samples=samples, features=stored(samples, settings))
        build_frontend(None if name == "defaults" else 1501, settings.spectral()).save(folder / f"{name}.keras")
    return folder


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_builds_and_loads_it_without_this_project(backend, saved, run_on):
    probe = Path(__file__).with_name("frontend_probe.py")

    found = json.loads(run_on(backend, probe, saved, PROJECT_ROOT))

    assert found["backend"] == backend
    assert found["imported"] == []
    differences = found["loaded"].items(), *(values.items() for values in found["built"].values())
    assert sorted(found["loaded"]) == sorted(found["built"]) == sorted(ON_EVERY_BACKEND)
    assert {name: value for each in differences for name, value in each if not value < TOLERANCE_DB} == {}
