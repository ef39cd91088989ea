"""Every embedder from audio to an answer: preprocessed, trained on, saved, loaded, exported or refused with the reason."""

import subprocess
import sys

import pandas as pd
import pytest
import torch

from preprocessing.encoders import find_preset
from xval.base.json_files import read_json

OF_TRANSFORMERS = ("wav2vec2", "hubert", "wavlm", "whisper", "ast", "clap")
EVERY = ("onnx", "keras", "opensmile", "resemblyzer", *OF_TRANSFORMERS)
CHEAP = ("wav2vec2",)  # test_embeddings.py has two others
LINEAR = {"architecture": "logistic", "C": (1.0,)}
MLP = {"architecture": "mlp", "n_units": (4,), "num_epochs": 1}


@pytest.fixture
def embedding_model(request, tmp_path, write_onnx, monkeypatch):
    """Return the setting of a family; wav2vec2 is named by its preset, as if it had been fetched."""
    family = request.param
    if family == "wav2vec2":
        folder = tmp_path / "hub" / "models--facebook--wav2vec2-base" / "snapshots" / find_preset("wav2vec2-base").revision
        request.getfixturevalue("pretrained_models").write(family, folder)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
        return "wav2vec2-base"
    if family in OF_TRANSFORMERS:
        request.getfixturevalue("pretrained_models").write(family, tmp_path / "pretrained")
        return f"transformers:{tmp_path / 'pretrained'}"
    if family == "keras":
        return f"keras:{request.getfixturevalue('finished').results / 'instance_1' / 'fold_1' / 'model.keras'}"
    return {"onnx": f"onnx:{write_onnx()[0]}", "opensmile": "opensmile:eGeMAPSv02"}.get(family, family)


def of_each(*instances):
    """Return the parameters of a test for each family; those that take longer are marked."""
    marks = {True: (), False: (pytest.mark.slow,)}
    cases = [(family, instances[: 1 if family in CHEAP else None]) for family in EVERY]
    return [pytest.param(family, given, id=family, marks=marks[family in CHEAP]) for family, given in cases]


@pytest.mark.parametrize(("embedding_model", "instances"), of_each(LINEAR, MLP), indirect=["embedding_model"])
def test_it_goes_from_audio_to_a_saved_model_and_its_answers(embedding_model, instances, tones, in_process):
    torch.set_num_threads(1)
    settings = {"features": "embedding", "embedding_model": embedding_model, "sample_rate_hz": 8000}
    tones.settings = settings
    tones.prepare("toy.csv")
    tones.write_script(*(settings | instance for instance in instances), num_folds=2)

    ended = tones.run("--folds", "1")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    for number, instance in enumerate(instances, start=1):
        fold = tones.results / f"instance_{number}" / "fold_1"
        model = next(path for path in fold.glob("model.*") if path.suffix in (".keras", ".skops"))
        if embedding_model == "wav2vec2-base":
            verdict = read_json(fold / "record.json")["embedder_leakage"]
            assert verdict["state"] == "unknown"
            assert verdict["reason"].startswith(
                "trained on LibriSpeech, and perhaps more (no complete list is known); the reader 'table' reads any dataset"
            )
        stored = pd.read_parquet(fold / "predictions.parquet")
        stored = stored[stored["side"] == "test"].set_index("clip")["probability_low"].iloc[:4]
        files = [f"audio/{clip}" for clip in stored.index]
        ended = tones.run_module("xval", "predict", str(model), *files, "--output", "answers.csv")
        assert ended.returncode == 0, ended.stderr
        answers = pd.read_csv("answers.csv").set_index("path")["probability_low"]
        assert abs(answers.loc[files].to_numpy() - stored.to_numpy()).max() < 1e-4
        ended = tones.run_module("xval", "export", str(model), "--format", "onnx", "--output", f"{number}.onnx")
        if instance is LINEAR:
            assert ended.returncode == 2
            assert "a scikit-learn estimator, not a Keras model. xval bundle writes it" in ended.stderr
        else:
            assert ended.returncode == 0, ended.stderr


BESIDE = """
import runpy, sys
import pandas as pd
import xval
sys.argv = ["exp.py", "--executor", "inline", "--folds", "1"]
try:
    runpy.run_path("exp.py", run_name="__main__")
except SystemExit as ended:
    assert not ended.code, ended.code
assert "opensmile" in sys.modules and "{backend}" in sys.modules
fold = "results/toy/experiment_1/instance_1/fold_1"
stored = pd.read_parquet(fold + "/predictions.parquet").query("side == 'test'").set_index("clip")["probability_low"].iloc[:4]
answers = xval.load_model(fold).predict(["audio/" + clip for clip in stored.index])["probability_low"]
assert abs(answers.to_numpy() - stored.to_numpy()).max() < 1e-4
print("ended well")
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "torch"])
def test_a_process_has_loaded_opensmile_and_then_the_backend(backend, tones):
    tones.prepare("toy.csv")
    tones.write_script(
        {"features": "embedding", "embedding_model": "opensmile:eGeMAPSv02", **MLP}, num_folds=2, backend=backend
    )
    ended = subprocess.run(
        [sys.executable, "-c", BESIDE.format(backend=backend)],
        cwd=tones.folder,
        capture_output=True,
        text=True,
        timeout=550,
        env=tones.environment(),
    )
    assert "ended well" in ended.stdout, ended.stdout + ended.stderr
