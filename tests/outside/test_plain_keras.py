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
PATHS = [f"clips/{label}/{speaker}_{take}.wav" for label in ("low", "high") for speaker in ("ann", "bob", "cat") for take in (1, 2)]
(SNIPPET,) = re.findall(
    r"```python\n(import json, keras.*?)```", (ROOT / "docs" / "saved_models.md").read_text(encoding="utf-8"), re.DOTALL
)
"""The lines of the docs that make features by librosa and predict by Keras."""
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


def by_keras(study, *folds, code=SNIPPET, feed="np.stack([features(path) for path in paths])"):
    """Return what Keras answers to all clips in one batch, by the lines of the docs, for each fold."""
    lines = re.sub(r'folder = ".*"', "folder = FOLDER", code)
    lines = re.sub(r"print\(.*\)\n$", f"print('ANSWERS', json.dumps(model.predict({feed}, verbose=0).tolist()))\n", lines)
    assert lines.count("FOLDER") == 1
    assert lines.count("ANSWERS") == 1
    script = f"import sys, json\npaths = json.loads(sys.argv[1])\nfor FOLDER in sys.argv[2:]:\n    exec({lines!r})\n    assert 'xval' not in str(keras.__file__)"
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
QUICK = {("lstm_attention", "per_bin", "tensorflow"), ("crnn_attention", "per_clip", "torch"), ("conformer", "global", "jax")}


@pytest.mark.parametrize(
    ("name", "scaling", "backend"), [pytest.param(*case, marks=[] if case in QUICK else pytest.mark.slow) for case in ALL]
)
def test_a_network_that_knows_where_clips_end_answers_a_padded_batch_as_the_docs_write_it(study, name, scaling, backend):
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    study.backend = backend
    record(study)

    (fold,) = train(study, {"architecture": name, **NETWORKS[name], "normalization": scaling})

    feed = "np.stack([features(path) for path in paths])"
    code = SNIPPET
    if scaling == "per_item":  # as the docs say it; without items all clips are those of one
        feed, code = f"scaled({feed})", SNIPPET.replace("model =", SCALED + "model =")
    expected = by_xval(study, fold)
    assert padding_of(fold)["value"] == "NaN"
    assert np.ptp(expected, axis=0).max() > 1e-4
    (plain,) = by_keras(study, fold, code=code, feed=feed)
    np.testing.assert_allclose(plain, expected, atol=1e-4)
