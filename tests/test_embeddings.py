"""From audio through a pretrained model to an answer: preprocess, train, predict, with real weights and with learned layers."""

import json

import pandas as pd
import pytest
import torch
import transformers

SETTINGS = {"features": "embedding", "embedding_model": "resemblyzer", "sample_rate_hz": 8000}


@pytest.mark.slow
def test_every_family_trains_predicts_and_is_exported(tones, in_process, tmp_path):
    torch.manual_seed(0)
    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
    convolutions = {"conv_dim": (16, 16), "conv_stride": (20, 16), "conv_kernel": (25, 16), "num_feat_extract_layers": 2}
    transformers.Wav2Vec2Model(transformers.Wav2Vec2Config(**small, **convolutions)).save_pretrained(tmp_path / "speech")
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(tmp_path / "speech")
    tones.settings = {"features": "embedding", "embedding_model": "opensmile:eGeMAPSv02"}
    tones.prepare("toy.csv")
    layered = {
        "embedding_model": f"transformers:{tmp_path / 'speech'}",
        "embedding_layer": "weighted",
        "embedding_pooling": "none",
    }
    tones.write_script(
        tones.settings | {"architecture": "mlp", "n_units": (8,)},
        tones.settings | layered | {"architecture": "cnn_small", "n_filters": (4, 4)},
        tones.settings | layered | {"architecture": "mlp", "embedding_pooling": "mean_deviation"},
        num_folds=2,
    )
    ended = tones.run("--folds", "1")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for number in (1, 2, 3):
        model = tones.results / f"instance_{number}" / "fold_1" / "model.keras"
        ended = tones.run_module("xval", "predict", str(model), "audio/0_0.wav")
        assert ended.returncode == 0, ended.stderr
        ended = tones.run_module("xval", "export", str(model), "--format", "onnx", "--output", f"{number}.onnx")
        assert ended.returncode == 0, ended.stderr


def test_tones_are_told_apart_by_embeddings(tones, in_process, write_onnx):
    tones.settings = SETTINGS
    tones.prepare("toy.csv")
    path, _ = write_onnx()
    layered = {"embedding_model": f"onnx:{path}", "embedding_layer": "weighted", "embedding_pooling": "none"}
    tones.write_script(
        SETTINGS | {"architecture": "mlp", "n_units": (8,)},
        SETTINGS | layered | {"architecture": "mlp", "n_units": (8,)},
        num_folds=2,
        num_epochs=25,
    )
    ended = tones.run("--folds", "1", "--details")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Embeddings of instance 1: resemblyzer" in ended.stdout
    assert "s per hour of audio on cpu" in ended.stdout
    said = " ".join(ended.stdout.split())
    for name in ("resemblyzer", f"onnx:{path}"):
        assert f"pretrained part of unknown origin: {name}" in said
    assert "possible leakage: embedding_model resemblyzer: trained on LibriSpeech" in said
    ended = tones.run_module("xval", "audit", str(tones.results))
    for rule in ("earlier models", "seen audio"):
        assert f"not checkable {rule}: " in ended.stdout
    records = tones.records()
    assert records[1, 1]["metrics"]["test"]["accuracy"] > 0.75  # a real encoder hears two pitches; chance is 0.5
    model = tones.results / "instance_1" / "fold_1" / "model.keras"
    described = json.loads(model.with_suffix(".json").read_text())
    assert described["embedder"]["hash"] == records[1, 1]["embedder_hash"]
    assert described["embedder"]["sample_rate_hz"] == 16000  # what the encoder wants, whatever the setting
    torch.set_num_threads(1)
    for number in (1, 2):
        fold = tones.results / f"instance_{number}" / "fold_1"
        stored = pd.read_parquet(fold / "predictions.parquet")
        stored = stored[stored["side"] == "test"].set_index("clip")["probability_low"].iloc[:6]
        files = [f"audio/{clip}" for clip in stored.index]
        ended = tones.run_module("xval", "predict", str(fold / "model.keras"), *files, "--output", "answers.csv")
        assert ended.returncode == 0, ended.stderr
        answers = pd.read_csv("answers.csv").set_index("path")["probability_low"]
        assert abs(answers.loc[files].to_numpy() - stored.to_numpy()).max() < 1e-4
    # Other weights at the same path: finished results no longer hold, and the model refuses them.
    write_onnx(seed=1)
    ended = tones.run_module("xval", "predict", str(fold / "model.keras"), "audio")
    assert ended.returncode == 2
    assert "was trained on embeddings of onnx:" in ended.stderr
    ended = tones.run(2)
    assert ended.returncode == 2
    assert f"another model was at embedding_model='onnx:{path}'" in ended.stderr
