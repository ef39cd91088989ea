"""What architectures that read frames of samples must do besides test_contract.py, which trains them too; and their layers."""

import json
import re
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import keras
import numpy as np
import pytest
from scipy import signal

from architectures import denet, sincnet
from architectures._sinc_conv import SincConv
from xval.base.errors import SettingsError
from xval.settings import architectures as catalog

KNOWN = map(catalog.find_architecture, catalog.architecture_names())
NAMES = [known.name for known in KNOWN if known.features == "waveform" and not known.backends]
RATE_HZ, N_FRAMES, N_SAMPLES, N_CLASSES = 8000, 6, 200, 3
SHAPES = (N_FRAMES, N_SAMPLES, 1), (N_FRAMES, N_CLASSES)
# Options that make an architecture small enough for tests; a new one may do without.
SMALL: dict[str, dict[str, object]] = {
    "sincnet": {"n_filters": 12, "kernel_length": 65, "n_conv_filters": (12, 12), "n_units": (32,), "sample_rate_hz": RATE_HZ},
    "denet": {
        "n_filters": 12,
        "kernel_length": 65,
        "n_enhancement_filters": (8, 8, 4),
        "n_enhancement_units": (16, 8),
        "n_conv_filters": (12, 12),
        "n_gru_units": 24,
        "n_units": (24,),
        "dropout": 0.1,
        "sample_rate_hz": RATE_HZ,
    },
}
BACKENDS = [
    pytest.param(name, marks=pytest.mark.skipif(find_spec(name) is None, reason=f"{name} is not installed"))
    for name in ("tensorflow", "torch", "jax")
]

every_network = pytest.mark.parametrize("name", NAMES)


def module_of(name: str) -> ModuleType:
    return import_module(f"architectures.{name}")


def build(name: str, *shapes, **changes) -> keras.Model:
    return module_of(name).build(*(shapes or SHAPES), **SMALL.get(name, {}) | changes)


def make_bursts(n_examples: int, seed: int) -> np.ndarray:
    """Return frames of noise, of which two thirds hold a sine near 700 or 1500 Hz (0 dB and less)."""
    rng = np.random.default_rng(seed)
    pitches_hz = rng.choice([0, 700, 1500], (n_examples, N_FRAMES)) * rng.uniform(0.9, 1.1, (n_examples, N_FRAMES))
    samples = rng.standard_normal((n_examples, N_FRAMES, N_SAMPLES))
    samples += np.sin(2 * np.pi * np.arange(N_SAMPLES) * pitches_hz[..., np.newaxis] / RATE_HZ)
    return samples[..., np.newaxis].astype(np.float32)


class Saved(NamedTuple):
    """A model with random weights, and <name>.keras, beside which <name>.npz (inputs, predictions) and <name>.json lie."""

    path: Path
    model: keras.Model


@pytest.fixture(scope="module")
def save(tmp_path_factory) -> Callable[[str], Saved]:
    """Return a function that builds and saves an architecture once."""
    folder = tmp_path_factory.mktemp("models")
    layer = SincConv()
    layer.build((None, 800, 1))
    low, high = (np.asarray(keras.ops.convert_to_numpy(edge), np.float64) for edge in layer.cutoffs_hz())
    edges = [[one, other] if other < 7999.99 else [one] for one, other in zip(low, high, strict=True)]
    taps = [signal.firwin(251, pair, window="hamming", pass_zero=False, scale=False, fs=16000) for pair in edges]
    np.save(folder / "filters.npy", np.stack(taps, axis=1) * 8000 / (high - low))

    @cache
    def run(name: str) -> Saved:
        inputs = make_bursts(4, seed=2)
        keras.utils.set_random_seed(1)
        model = build(name)
        path = folder / f"{name}.keras"
        model.save(path)
        np.savez(path.with_suffix(".npz"), inputs=inputs, predictions=model.predict(inputs, verbose=0))
        path.with_suffix(".json").write_text(json.dumps(SMALL.get(name, {})))
        return Saved(path, model)

    return run


@pytest.fixture(scope="module")
def probe(save, ask_backend) -> Callable[[str], dict]:
    """Return a function that gives what waveform_probe.py printed for a backend."""
    return lambda backend, name="": ask_backend("waveform_probe.py", backend, save, NAMES, name)


def test_the_networks_for_waveforms_are_found():
    assert {"denet", "sincnet"} <= set(NAMES)


@every_network
@pytest.mark.parametrize("kernel_length", [65, 251])
def test_frames_down_to_the_length_that_it_names_are_read(name, kernel_length):
    with pytest.raises(SettingsError, match=rf"'{name}': .*smallest allowed size is 1 x \d+ \(frames, samples\)") as caught:
        build(name, (2, 1, 1), (2, N_CLASSES), kernel_length=kernel_length)
    shortest = int(re.search(r"1 x (\d+)", str(caught.value))[1])
    model = build(name, (2, shortest, 1), (2, N_CLASSES), kernel_length=kernel_length)
    assert np.isfinite(model.predict_on_batch(np.ones((1, 2, shortest, 1), np.float32))).all()
    with pytest.raises(SettingsError, match="smallest allowed size"):
        build(name, (2, shortest - 1, 1), (2, N_CLASSES), kernel_length=kernel_length)


@every_network
@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((800,), (3,)), r"received examples of shape \(800,\); it reads \(frames, samples, 1\)"),
        (((10, 800), (10, 3)), r"received examples of shape \(10, 800\); it reads \(frames, samples, 1\)"),
        (((10, 800, 2), (10, 3)), r"received examples of shape \(10, 800, 2\); it reads one channel"),
        (((None, 800, 1), (10, 3)), "reads examples of one length"),
        (((10, 800, 1), (3,)), r"received targets of shape \(3,\) for 10 frames.*Set task_type to frame_classification"),
        (((10, 800, 1), (5, 3)), r"received targets of shape \(5, 3\) for 10 frames"),
    ],
)
def test_other_shapes_are_refused_with_those_that_it_reads(name, shapes, message):
    with pytest.raises(SettingsError, match=rf"'{name}': {message}"):
        build(name, *shapes)


@every_network
def test_filters_without_a_middle_are_refused(name):
    with pytest.raises(SettingsError, match=r"'kernel_length': received 250\. Allowed: odd numbers"):
        build(name, kernel_length=250)


@pytest.mark.parametrize(("name", "neighbours_change"), [("sincnet", False), ("denet", True)])
def test_frames_know_their_neighbours_only_through_the_recurrent_layer(name, neighbours_change, save):
    model = save(name).model
    samples = make_bursts(2, seed=3)
    other = samples.copy()
    other[:, 2] = 0
    changed = np.abs(model.predict_on_batch(samples) - model.predict_on_batch(other)).max(axis=(0, 2)) > 1e-4

    assert changed[2]
    assert changed[[1, 3]].all() == neighbours_change
    assert changed[[0, 1, 3, 4, 5]].any() == neighbours_change


def test_layers_of_sincnet_have_the_sizes_of_the_original():
    model = sincnet.build((1, 3200, 1), (1, 462))
    kinds = (SincConv, keras.layers.MaxPooling1D, keras.layers.Conv1D, keras.layers.Dense)
    assert [layer.output.shape[1:] for layer in model.layers if isinstance(layer, kinds)] == [
        (2950, 80), (983, 80), (979, 60), (326, 60), (322, 60), (107, 60), (1, 2048), (1, 2048), (1, 2048), (1, 462),
    ]  # fmt: skip
    dense = next(layer for layer in model.layers if isinstance(layer, keras.layers.Dense))
    assert dense.input.shape == (None, 1, 107 * 60)


@pytest.mark.parametrize("before_pooling", [True, False])
def test_layers_of_denet_have_the_sizes_of_the_original(before_pooling):
    model = denet.build((10, 800, 1), (10, 2), before_pooling=before_pooling, n_gru_units=4)
    recurrent = next(layer for layer in model.layers if isinstance(layer, keras.layers.Bidirectional))
    assert recurrent.input.shape == (None, 10, 1620)
    assert recurrent.output.shape == (None, 10, 4)  # The directions are summed.
    enhancement = model.get_layer("enhancement")
    assert enhancement.input.shape[1:] == ((800, 80) if before_pooling else (266, 80))
    assert enhancement.output.shape[-1] == 1
    rates = {layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout | keras.layers.SpatialDropout1D)}
    assert rates == {0.3}


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_layers_are_true_on_any_backend(backend, probe):
    found = probe(backend)
    assert found["backend"] == backend
    assert found["layers"]["filters"] < 1e-4
    assert found["layers"]["gradient"] < 0.01
    assert found["layers"]["sums"] < 1e-6


@every_network
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_saved_model_predicts_the_same_on_any_backend_and_nearly_so_in_mixed_precision(name, backend, probe):
    difference, mixed_difference = probe(backend, name)["loaded"][name]
    assert difference < 1e-3
    assert mixed_difference < 0.1
