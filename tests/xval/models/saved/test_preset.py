"""What a preset names as heard by a pretrained encoder is held against the names of the corpus in use."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from preprocessing.corpus import make_corpus
from preprocessing.encoders import find_preset
from xval.experiment.check_instance import check_embedder
from xval.models.saved.preset import judge_preset


@pytest.fixture
def corpus_read_by(tmp_path):
    """Return a function that gives the folder of a small corpus that a reader has listed."""
    for number in range(2):
        soundfile.write(tmp_path / f"{number}.wav", np.random.default_rng(number).normal(size=800) / 9, 8000)

    def make(reader: str) -> Path:
        clips = pd.DataFrame({"path": ["0.wav", "1.wav"], "item": ["a", "b"], "label": ["x", "y"]})
        made = {"dataset": f"own name of {reader}", "data_folder": tmp_path / "data", "corpus": reader}
        return make_corpus(clips, tmp_path, **made)[0].folder

    return make


@pytest.mark.parametrize(
    ("encoder", "reader", "state", "reason"),
    [
        ("praat", "ravdess", "clean", "nothing (hand-crafted features)"),
        ("wav2vec2-base", "ravdess", "unknown", "trained on LibriSpeech, and perhaps more (no complete list is known)"),
        ("resemblyzer", "voxceleb", "leaked", "its preset lists VoxCeleb1, VoxCeleb2 among its training data"),
        ("wavlm-base-plus", "esc50", "leaked", "its preset lists Freesound among its training data"),
        ("emotion2vec", "iemocap", "unknown", "its training data are not known"),
        ("wav2vec2-base", "table", "unknown", "the reader 'table' reads any dataset"),
        ("transformers:facebook/wav2vec2-base", "ravdess", "unknown", "trained on LibriSpeech, and perhaps more"),
    ],
)
def test_the_verdict_on_a_preset(encoder, reader, state, reason, corpus_read_by):
    verdict = judge_preset(encoder, corpus_read_by(reader))
    assert verdict.state == state
    assert reason in verdict.reason


def test_only_a_list_that_a_source_calls_complete_is_clean(corpus_read_by, monkeypatch):
    sourced = find_preset("wav2vec2-base").model_copy(update={"list_source": "a paper"})
    monkeypatch.setattr("xval.models.saved.preset.preset_of", lambda _: sourced)
    verdict = judge_preset("wav2vec2-base", corpus_read_by("ravdess"))
    assert (verdict.state, verdict.reason) == ("clean", "trained on LibriSpeech, and nothing else according to a paper")


def test_what_is_no_preset_has_no_list(corpus_read_by, monkeypatch, tmp_path):
    corpus = corpus_read_by("ravdess")
    assert judge_preset("transformers:somebody/wav2vec2-base", corpus) is None
    monkeypatch.chdir(tmp_path)
    (tmp_path / "facebook" / "wav2vec2-base").mkdir(parents=True)
    assert judge_preset("transformers:facebook/wav2vec2-base", corpus) is None


@pytest.mark.parametrize(
    ("encoder", "vouched", "warned"),
    [
        ("praat", None, None),
        ("resemblyzer", None, "(no complete list is known). If it was trained on tested clips or speakers"),
        ("resemblyzer", "no actor of this corpus", None),
        ("onnx:a.onnx", None, "its training data are not known. If it was trained"),
    ],
)
def test_a_run_warns_where_the_verdict_is_not_clean(encoder, vouched, warned, corpus_read_by, make_settings):
    settings = make_settings(features="embedding", embedding_model=encoder, pretrained_on=vouched)
    lines = check_embedder(settings, [], corpus_read_by("ravdess"))
    assert len(lines) == (warned is not None)
    assert warned is None or f"possible leakage: embedding_model {encoder}: " in lines[0]
    assert warned is None or warned in lines[0]


def test_a_run_warns_of_a_corpus_that_was_heard_whatever_the_user_says(corpus_read_by, make_settings):
    settings = make_settings(features="embedding", embedding_model="resemblyzer", pretrained_on="other speakers")
    assert "its preset lists VoxCeleb1, VoxCeleb2 among" in check_embedder(settings, [], corpus_read_by("voxceleb"))[0]
