"""A saved model without xval: by Keras alone and as an export, on clips that are padded as its description says."""

import json
import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).resolve().parents[2]
FILE_RATE_HZ = 11025
SMALL = {
    "dataset": "spoken",
    "num_epochs": 1,
    "sample_rate_hz": 8000,
    "n_fft": 256,
    "win_length": 200,
    "hop_length": 128,
    "n_mels": 12,
}
NETWORKS = {
    "lstm_attention": {"n_units": 4},
    "crnn_attention": {"n_filters": (2, 3), "n_units": 3},
    "conformer": {"n_units": 4, "n_blocks": 1, "n_heads": 2, "kernel_frames": 3},
}
PATHS = [
    f"clips/{label}/{speaker}_{take}.wav" for label in ("low", "high") for speaker in ("ann", "bob", "cat") for take in (1, 2)
]
(SNIPPET,) = re.findall(
    r"```python\n(import json, keras.*?)```", (ROOT / "docs" / "saved_models.md").read_text(encoding="utf-8"), re.DOTALL
)
"""The lines of the docs that make features by librosa and predict by Keras."""
BATCH = "np.stack([features(path) for path in paths])"
SCALED = """
def scaled(frames):
    mean, variance = np.nanmean(frames, axis=(0, 1)), np.nanvar(frames, axis=(0, 1))
    return (frames - mean) / np.sqrt(variance + 1e-8)
"""
BY_XVAL = """
import json, sys, xval
folder, paths, options = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
print(json.dumps(xval.load_model(folder).predict_proba(paths, **options).tolist()))
"""


def record(study, seconds=(0.2, 0.45)):
    """Write stereo clips of several lengths, some of which end in digital silence, and prepare them."""
    rng = np.random.default_rng(0)
    for number, path in enumerate(PATHS):
        times = np.arange(int(seconds[number % len(seconds)] * FILE_RATE_HZ)) / FILE_RATE_HZ
        tone = 0.3 * np.sin(2 * np.pi * (300 if "low" in path else 900) * (1 + number / 40) * times)
        samples = np.stack([tone, 0.5 * tone], axis=1) + rng.normal(0, 0.01, (times.size, 2))
        if number % 3 == 0:
            samples[-1500:] = 0
        (study.folder / path).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(study.folder / path, samples, FILE_RATE_HZ)
    sizes = [f"--set={name}={value}" for name, value in SMALL.items() if name not in ("dataset", "num_epochs")]
    ended = study.python(
        "-m", "preprocessing", "folders", "clips", "--item-pattern", "([a-z]+)_", "--dataset", "spoken", *sizes
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def train(study, *instances, **parameters):
    """Train one fold of each instance; return their folders."""
    study.script(*instances, **{**SMALL, "num_folds": 3, "backend": study.backend, **parameters})
    ended = study.run("--folds", 1)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return [
        study.folder / "results" / "spoken" / "experiment_1" / f"instance_{number}" / "fold_1"
        for number in range(1, 1 + len(instances))
    ]


def by_xval(study, fold, paths=PATHS, **options):
    return answers(study.python("-c", BY_XVAL, fold, json.dumps(paths), json.dumps(options)))


def by_keras(study, *folds, code=SNIPPET, feed=BATCH, predict="model.predict({feed}, verbose=0)"):
    """Return what Keras answers to all clips in one batch, by the lines of the docs, for each fold."""
    answers = f"print('ANSWERS', json.dumps(np.asarray({predict.format(feed=feed)}).tolist()))"
    lines = re.sub(r'folder = ".*"', "folder = FOLDER", code)
    lines = re.sub(r"print\(.*\)\n$", lambda _: answers, lines)
    assert lines.count("FOLDER") == 1
    assert lines.count("ANSWERS") == 1
    script = f"import json, sys\npaths = json.loads(sys.argv[1])\nfor FOLDER in sys.argv[2:]:\n    exec({lines!r})"
    ended = study.python("-c", script, json.dumps(PATHS), *folds)
    assert ended.returncode == 0, ended.stderr
    return [np.array(json.loads(line)) for line in re.findall(r"^ANSWERS (.*)$", ended.stdout, re.MULTILINE)]


def answers(ended):
    assert ended.returncode == 0, ended.stderr
    return np.array(json.loads(ended.stdout.splitlines()[-1]))


def padding_of(fold):
    return json.loads((fold / "model.json").read_text())["padding"]


ALL = [
    (name, scaling, backend)
    for name in NETWORKS
    for scaling in ("per_bin", "global", "per_clip", "none", "per_item")
    for backend in ("tensorflow", "torch", "jax")
]
QUICK = {
    ("lstm_attention", "per_bin", "tensorflow"),
    ("crnn_attention", "per_clip", "torch"),
    ("lstm_attention", "global", "jax"),
}


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "scaling", "backend"), [pytest.param(*case, marks=[] if case in QUICK else pytest.mark.slow) for case in ALL]
)
def test_a_network_that_knows_where_clips_end_answers_a_padded_batch_as_the_docs_write_it(study, name, scaling, backend):
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    study.backend = backend
    record(study)

    narrow = {"top_db": 10, "learning_rate": 1e-5} if scaling == "none" else {}  # so that the softmax is not at its ends

    (fold,) = train(study, {"architecture": name, **NETWORKS[name], "normalization": scaling, **narrow})

    feed, code = BATCH, SNIPPET
    if scaling == "per_item":  # as the docs say it; without items all clips are those of one
        feed, code = f"scaled({feed})", SNIPPET.replace("model =", SCALED + "model =")
    expected = by_xval(study, fold)
    assert padding_of(fold)["value"] == "NaN"
    assert (expected.max(axis=0) / expected.min(axis=0)).max() > 1.001  # or equal predictions would show nothing
    (plain,) = by_keras(study, fold, code=code, feed=feed)
    np.testing.assert_allclose(plain, expected, atol=1e-4)
    np.testing.assert_allclose(plain, expected, rtol=1e-2)  # where features of many dB leave one class near 0, too


FORMATS = [
    ("lstm_attention", "onnx", ""),
    ("crnn_attention", "onnx", "--from-samples"),
    ("conformer", "tflite", "--from-samples"),
    ("lstm_attention", "tflite", ""),
    ("crnn_attention", "tflite", ""),
    ("conformer", "onnx", ""),
    ("conformer", "saved_model", ""),
]
BY_ONNX = """
import onnxruntime
session = onnxruntime.InferenceSession(EXPORT)
predict = lambda batch: session.run(None, {session.get_inputs()[0].name: batch})[0]
"""
BY_TFLITE = """
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(model_path=EXPORT)
given, answered = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
def predict(batch):
    if given["shape_signature"][0] == 1 and len(batch) > 1:  # recurrent: one at a time
        return np.concatenate([predict(clip[None]) for clip in batch])
    interpreter.resize_tensor_input(given["index"], batch.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(given["index"], batch)
    interpreter.invoke()
    return interpreter.get_tensor(answered["index"])
"""
BY_SAVED_MODEL = """
import tensorflow as tf
predict = lambda batch, loaded=tf.saved_model.load(EXPORT): loaded.serve(batch).numpy()
"""
RUNTIMES = {"onnx": BY_ONNX, "tflite": BY_TFLITE, "saved_model": BY_SAVED_MODEL}
SAMPLES = """
def samples_of(path, n, fill):
    samples, file_rate_hz = librosa.load(path, sr=None)
    samples = librosa.resample(samples, orig_sr=file_rate_hz, target_sr=rate_hz, fix=False)
    if fill == "the clip again":
        return np.resize(samples, n)
    return np.pad(samples[:n], (0, max(0, n - len(samples))), constant_values=float(fill))
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "kind", "option"),
    [pytest.param(*case, marks=pytest.mark.slow if place else []) for place, case in enumerate(FORMATS)],
)
def test_an_export_answers_a_padded_batch_as_the_description_next_to_it_says(study, name, kind, option):
    for needed in {"onnx": ["onnx", "onnxruntime", "tf2onnx"], "tflite": ["ai_edge_litert"]}.get(kind, []):
        if find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed")
    record(study)
    (fold,) = train(study, {"architecture": name, **NETWORKS[name]})
    output = study.folder / {"onnx": "out.onnx", "tflite": "out.tflite", "saved_model": "out"}[kind]

    ended = study.xval("export", fold, "--format", kind, "--output", output, *([option] if option else []))

    assert ended.returncode == 0, ended.stderr
    beside = output / "model.json" if output.is_dir() else output.with_name(f"{output.name}.json")
    padding = json.loads(beside.read_text())["padding"]
    assert (padding["axis"], padding["value"]) == ("samples" if option else "frames", "NaN")
    runtime = RUNTIMES[kind].replace("EXPORT", repr(str(output)))
    feed = BATCH
    if option:
        feed = f"np.stack([samples_of(path, 6000, {padding['value']!r}) for path in paths])"
    code = SNIPPET.replace("model =", runtime + SAMPLES + "model =")
    (answered,) = by_keras(study, fold, code=code, predict=f"predict({feed}.astype('float32'))")
    expected = by_xval(study, fold)
    np.testing.assert_allclose(answered[:, : expected.shape[1]], expected, atol=1e-4)  # behind them stands the novelty


PADDED = {
    "silence before the features": ({}, "samples", 0),
    "mfcc": ({"features": "mfcc", "n_mfcc": 8}, "samples", 0),
    "a spectrogram inside": ({"features": "waveform", "frontend": "logmel"}, "samples", 0),
    "crops": ({"features": "waveform", "frontend": "logmel", "crop_s": 0.15}, "samples", "the clip again"),
    "crops and windows": (
        {"features": "waveform", "frontend": "logmel", "crop_s": 0.15, "example_length_s": 0.5},
        "samples",
        "the clip again",
    ),
    "a given length": ({"clip_length_s": 0.3, "db_reference": "max"}, "samples", 0),
    "masks at a given length": ({"clip_length_s": 0.3, "architecture": "lstm_attention", "n_units": 4}, "frames", "NaN"),
    "masked samples": (
        {"features": "waveform", "architecture": "lstm_attention", "n_units": 2, "n_heads": 1, "clip_length_s": 0.02},
        "samples",
        "NaN",
    ),
    "stretched": ({"stretch_frames": 12}, "none", None),
}
"""Settings, and what the description is to say."""


@pytest.mark.long
@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.slow if place > 1 else []) for place, case in enumerate(PADDED)]
)
def test_clips_come_to_one_length_as_the_description_says(study, case):
    settings, axis, value = PADDED[case]
    record(study)
    (fold,) = train(
        study, {"architecture": "cnn_small", "n_filters": (2, 3)} | settings if "architecture" not in settings else settings
    )

    padding = padding_of(fold)

    assert (padding["axis"], padding["value"]) == (axis, value)
    code, feed = SNIPPET, BATCH
    if settings.get("features") == "mfcc":  # as the docs say it
        frames = 'frames = librosa.feature.mfcc(S=frames.T, n_mfcc=wanted["n_mfcc"]).T'
        code = SNIPPET.replace("    if about", f"    {frames}\n    if about")
    if settings.get("features") == "waveform":
        code = SNIPPET.replace("model =", SAMPLES + "model =")
        length = padding["n_samples"]
        if length is None:  # the next of the lengths that it names; the clips of a batch have one
            formula = re.search(r"ceil\((\d+) \* 2 \*\* \(k / (\d+)\)\)", padding["how"])
            assert formula, padding
            shortest, steps = map(int, formula.groups())
            length = next(n for k in range(99) if (n := int(np.ceil(shortest * 2 ** (k / steps)))) >= 8000 * 0.45)
        feed = f"np.stack([samples_of(path, {length}, {value!r}) for path in paths if '_2' in path])"
    if axis == "none":
        return
    expected = by_xval(study, fold)
    (answered,) = by_keras(study, fold, code=code, feed=feed)
    if settings.get("features") == "waveform":  # of these speakers the second take is the longer one
        expected = expected[[place for place, path in enumerate(PATHS) if "_2" in path]]
    np.testing.assert_allclose(answered, expected, atol=1e-4)


@pytest.mark.slow
def test_a_clip_alone_one_longer_than_all_of_training_and_a_whole_batch_are_answered_alike(study):
    record(study)
    (fold,) = train(study, {"architecture": "lstm_attention", "n_units": 4})
    rng = np.random.default_rng(1)
    soundfile.write(study.folder / PATHS[0], rng.normal(0, 0.1, FILE_RATE_HZ), FILE_RATE_HZ)  # 1 s

    (together,) = by_keras(study, fold)
    (alone,) = by_keras(
        study,
        fold,
        predict="np.concatenate([model.predict(unpadded(path), verbose=0) for path in paths])",
        code=SNIPPET.replace(
            "model =",
            "def unpadded(path):\n    frames = features(path)\n    return frames[~np.isnan(frames[:, 0])][None]\n\nmodel =",
        ),
    )

    expected = by_xval(study, fold)
    np.testing.assert_allclose(together, expected, atol=1e-4)
    np.testing.assert_allclose(alone, expected, atol=1e-4)
