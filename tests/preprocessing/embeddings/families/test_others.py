"""openSMILE, ONNX files and the speaker encoder give what their own libraries give."""

import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from preprocessing.embeddings.embedder import identify, load_embedder
from preprocessing.embeddings.examples import embed_clip, embed_pieces
from preprocessing.encoders import find_preset
from xval.base.errors import SettingsError

RATE_HZ = 16000
CLIPS = (0.1 * np.random.default_rng(0).normal(size=(3, 40000))).astype(np.float32)


OPENSMILE = """
import sys
import numpy, opensmile
folder, rate_hz = sys.argv[1:]
clips = numpy.load(folder + "/clips.npy")
for level in ("Functionals", "LowLevelDescriptors"):
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, getattr(opensmile.FeatureLevel, level))
    numpy.save(folder + f"/{level}.npy", [smile.process_signal(clip, int(rate_hz)).to_numpy() for clip in clips])
"""


@pytest.fixture(scope="module")
def by_opensmile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what openSMILE gives for `CLIPS`, by level.

    It ends a process that has loaded TensorFlow or torch, as that of the tests may have.
    """
    folder = tmp_path_factory.mktemp("opensmile")
    np.save(folder / "clips.npy", CLIPS)
    subprocess.run([sys.executable, "-c", OPENSMILE, str(folder), str(RATE_HZ)], check=True, timeout=300)
    return folder


@pytest.mark.parametrize(
    ("pooling", "level", "shape"), [("mean", "Functionals", (88,)), ("none", "LowLevelDescriptors", (246, 25))]
)
def test_opensmile_gives_functionals_or_descriptors(
    pooling: str,
    level: str,
    shape: tuple[int, ...],
    settings: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
    by_opensmile: Path,
) -> None:
    found = embed_pieces(CLIPS, settings("opensmile:eGeMAPSv02", embedding_pooling=pooling), None)
    expected = np.load(by_opensmile / f"{level}.npy").reshape(3, *shape)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert "commercial use needs a licence" in capsys.readouterr().err


def test_the_speaker_encoder_is_that_of_resemblyzer(settings: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    # Only for its removal of pauses, which is not used.
    for name, attributes in {"webrtcvad": {}, "scipy.ndimage.morphology": {"binary_dilation": None}}.items():
        monkeypatch.setitem(sys.modules, name, types.SimpleNamespace(**attributes))
    from resemblyzer import VoiceEncoder, audio

    encoder = VoiceEncoder("cpu", verbose=False)
    for n_samples in (4000, 40000):  # shorter than a stretch, and two of them
        softer = CLIPS[:, :n_samples] / 10
        found = embed_pieces(softer, settings("resemblyzer", embedding_pooling="none"), None)
        for samples, frames in zip(softer, found, strict=True):
            louder = audio.normalize_volume(samples, -30, increase_only=True)
            _, expected, _ = encoder.embed_utterance(louder, return_partials=True)
            np.testing.assert_allclose(frames, expected, atol=1e-4)


def test_duration_and_level_are_two_numbers_of_each_clip(settings: Callable[..., Any]) -> None:
    clips = np.stack([np.sin(np.arange(8000) * 0.3), np.zeros(8000)]).astype(np.float32)

    values = embed_pieces(clips, settings("duration_level"), None)

    np.testing.assert_allclose(values, [[0.5, -3.01], [0.5, -120]], atol=0.01)


@pytest.mark.parametrize("sizes", [{}, {"batch": 1}, {"length": 800}])
def test_an_onnx_file_gives_its_outputs_as_layers(sizes: dict[str, int], settings: Callable[..., Any], write_onnx: Any) -> None:
    path, kernel = write_onnx(**sizes)
    frames = CLIPS[:, :2000].reshape(3, 25, 80) @ kernel.T
    wanted = settings(f"onnx:{path}", embedding_layer="weighted", embedding_pooling="none")
    found = embed_pieces(CLIPS[:, :2000], wanted, None)
    if sizes == {"length": 800}:
        assert found.shape == (3, 30, 6)  # the last stretch is followed by silence
        assert not found[:, 25:].any()
    np.testing.assert_allclose(found[:, :25], np.concatenate([frames, np.tanh(frames)], axis=2), atol=1e-4)


def test_pooling_takes_mean_and_deviation_of_the_frames_of_a_layer(settings: Callable[..., Any], write_onnx: Any) -> None:
    path, kernel = write_onnx()
    samples = CLIPS[0, :4000]
    frames = samples.reshape(50, 80) @ kernel.T
    (found,) = embed_clip(
        samples, settings(f"onnx:{path}", embedding_layer=0, embedding_pooling="mean_deviation"), None
    ).predictors
    np.testing.assert_allclose(found, [*frames.mean(axis=0), *frames.std(axis=0)], atol=1e-5)
    windows = embed_clip(samples, settings(f"onnx:{path}", embedding_layer=0, example_length_s=0.1), None)
    np.testing.assert_allclose(windows.start_s, [0, 0.05, 0.1, 0.15])
    np.testing.assert_allclose(windows.predictors[1], frames[10:30].mean(axis=0), atol=1e-5)
    padded = embed_clip(samples, settings(f"onnx:{path}", embedding_layer=0, embedding_pooling="none"), 4800).predictors
    assert padded.shape == (1, 60, 3)
    assert not padded[0, 50:].any()


@pytest.mark.parametrize("rate_hz", ["null", '"16000"', "0", "true"])
def test_a_saved_model_that_does_not_say_its_rate_is_refused(
    rate_hz: str, settings: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "a.keras").touch()
    (tmp_path / "a.json").write_text('{"feature_settings": {"sample_rate_hz": ' + rate_hz + "}}")
    with pytest.raises(SettingsError, match="lacks the sample rate that the model reads"):
        identify(settings(f"keras:{tmp_path / 'a.keras'}"))


@pytest.mark.parametrize(
    ("model", "changes", "match"),
    [
        ("onxx:a", {}, "Unknown family of embedding_model 'onxx'.*Did you mean 'onnx'"),
        ("onnx:a.onnx", {}, "no such file .paths are relative to"),
        ("keras:a.keras", {}, "no such file"),
        ("opensmile:eGeMAPS02", {}, "no such feature set.*eGeMAPSv02"),
        ("resemblyzer:big", {}, "Write embedding_model=resemblyzer"),
        ("duration_level:loud", {}, "has one set. Write embedding_model=duration_level"),
        ("praat:big", {}, "Write embedding_model=praat"),
        ("wavlm-base", {}, "Did you mean .wavlm-base-plus."),
        ("beats", {}, "cannot be loaded. Its weights are a PyTorch pickle"),
        ("opensmile:eGeMAPSv02", {"embedding_layer": "weighted"}, "only one layer. Set embedding_layer=last"),
        ("opensmile:eGeMAPSv02", {"embedding_layer": "3"}, "has the layers 0 to 0; also allowed: last"),
    ],
)
def test_what_is_not_there_is_an_error_with_its_fix(
    model: str, changes: dict[str, str], match: str, settings: Callable[..., Any]
) -> None:
    with pytest.raises(SettingsError, match=match):
        embed_pieces(CLIPS[:, :5000], settings(model, **changes), None)


def test_praat_measures_the_voice_of_a_made_vowel_and_finds_none_in_silence(settings: Callable[..., Any]) -> None:
    """A source of 120 Hz whose periods and amplitudes are all alike, through two resonances."""
    scipy_signal = pytest.importorskip("scipy.signal")
    pytest.importorskip("parselmouth")
    source = np.zeros(RATE_HZ)
    source[:: RATE_HZ // 125] = 1.0
    vowel = source
    for formant_hz, bandwidth_hz in ((700.0, 80.0), (1200.0, 90.0), (2500.0, 120.0)):
        radius, angle = np.exp(-np.pi * bandwidth_hz / RATE_HZ), 2 * np.pi * formant_hz / RATE_HZ
        vowel = scipy_signal.lfilter([1.0], [1.0, -2 * radius * np.cos(angle), radius**2], vowel)
    clips = np.stack([0.3 * vowel / np.abs(vowel).max(), np.zeros(RATE_HZ)]).astype(np.float32)
    values = load_embedder(settings("praat")).embed(clips, RATE_HZ, (0,))
    assert values.shape == (2, 1, 1, 23)
    voiced, silent = values[:, 0, 0]
    np.testing.assert_allclose(voiced[[0, 2, 3]], 125, atol=0.5)  # pitch: mean, 5th and 95th percentile
    assert voiced[4] > 0.9  # share of voiced frames
    assert (voiced[9:15] < 0.01).all()  # jitter and shimmer
    np.testing.assert_allclose(voiced[[17, 19]], (700, 1200), rtol=0.06)
    assert not silent.any()
    assert identify(settings("praat")).sample_rate_hz is None


def test_an_onnx_file_of_a_preset_reads_audio_at_the_rate_that_the_preset_names(
    settings: Callable[..., Any], write_onnx: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    folder = tmp_path / "models--justinchuby--Perch-onnx" / "snapshots" / (find_preset("perch-2").revision or "")
    folder.mkdir(parents=True)
    write_onnx(folder / "perch_v2.onnx")
    assert identify(settings("perch-2")).sample_rate_hz == 32000
    assert identify(settings(f"onnx:{folder / 'perch_v2.onnx'}")).sample_rate_hz is None
