"""Tiny random models of each family give what transformers gives for the same clip, alone or among others."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from preprocessing.embeddings.compute import Work, embed_clips
from preprocessing.embeddings.embedder import identify, load_embedder
from preprocessing.embeddings.examples import Pieces, cut_pieces
from xval.base.errors import SettingsError

FAMILIES = ("wav2vec2", "wav2vec2 with stable norm", "hubert", "wavlm", "whisper", "ast", "clap")
LENGTHS = (9000, 12000, 9000, 4500)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, pretrained_models: Any) -> Callable[[str], tuple[Path, Any, Any]]:
    """Return a function that makes a model of a family, once; it gives its folder, the model and its extractor."""
    made: dict[str, tuple[Path, Any, Any]] = {}

    def make(family: str) -> tuple[Path, Any, Any]:
        if family not in made:
            folder = tmp_path_factory.mktemp("model")
            made[family] = folder, *pretrained_models.write(family, folder)
        return made[family]

    return make


def by_library(family: str, model: Any, extractor: Any, samples: np.ndarray) -> list[np.ndarray]:
    """Return what transformers gives for one clip, layer by layer, frames of its padding left out."""
    with torch.no_grad():
        given = extractor(samples, sampling_rate=extractor.sampling_rate, return_tensors="pt")
        if family == "clap":
            return [model.get_audio_features(**given).pooler_output.numpy()]
        network = model.encoder if family == "whisper" else model
        found = network(next(iter(given.values())), output_hidden_states=True)
    layers = [each[0].numpy() for each in (*found.hidden_states[:-1], found.last_hidden_state)]
    if family == "whisper":
        return [each[: -(-samples.size // 320)] for each in layers]
    if family == "ast":  # 2 rows of 12 patches, one for every 1600 samples, behind two other tokens
        return [each[2:].reshape(2, 12, -1).mean(axis=0)[: -(-samples.size // 1600)] for each in layers]
    return layers


@pytest.mark.parametrize("family", FAMILIES)
def test_clips_of_many_lengths_get_what_the_library_gives_for_each_alone(
    family: str, saved: Callable[..., Any], settings: Callable[..., Any], tmp_path: Path
) -> None:
    folder, model, extractor = saved(family)
    rng = np.random.default_rng(0)
    clips = [(0.1 * rng.normal(size=n)).astype(np.float32) for n in LENGTHS]
    expected = [by_library(family, model, extractor, samples) for samples in clips]
    n_layers = len(expected[0])
    wanted = settings(
        f"transformers:{folder}", embedding_layer="weighted" if n_layers > 1 else "last", embedding_pooling="none"
    )
    wanted = wanted.model_copy(update={"sample_rate_hz": extractor.sampling_rate})
    assert identify(wanted).sample_rate_hz == extractor.sampling_rate

    def read(samples: np.ndarray) -> Pieces:
        return cut_pieces(samples, wanted)

    found = list(embed_clips(clips, [1.0] * 4, read, wanted, max(LENGTHS), tmp_path, Work()))
    for outcome, layers in zip(found, expected, strict=True):
        assert not isinstance(outcome, str)
        frames = np.concatenate(layers, axis=1)
        np.testing.assert_allclose(outcome.predictors[0, : len(frames)], frames, atol=1e-4)
        assert not outcome.predictors[0, len(frames) :].any()
        assert outcome.predictors.shape[1] == max(map(len, (layers[0] for layers in expected)))


def test_a_long_clip_is_embedded_in_stretches_of_what_the_model_reads(
    saved: Callable[..., Any], settings: Callable[..., Any]
) -> None:
    folder, model, extractor = saved("whisper")
    samples = (0.1 * np.random.default_rng(0).normal(size=(1, 20000))).astype(np.float32)
    found = load_embedder(settings(f"transformers:{folder}")).embed(samples, 16000, (2,))[0, 0]
    parts = [by_library("whisper", model, extractor, part)[2] for part in (samples[0, :16000], samples[0, 16000:])]
    np.testing.assert_allclose(found, np.concatenate(parts), atol=1e-4)


def test_weights_that_are_missing_pickled_or_of_another_model_are_refused_with_the_way_out(
    saved: Callable[..., Any], settings: Callable[..., Any], tmp_path: Path
) -> None:
    def refuses(name: object, match: str) -> None:
        with pytest.raises(SettingsError, match=match):
            load_embedder(settings(f"transformers:{name}"))

    refuses("nobody/no-such-model", r"hf download nobody/no-such-model --include")
    refuses("", "name a model or a folder")
    folder = tmp_path / "model"
    shutil.copytree(saved("hubert")[0], folder)
    weights = folder / "model.safetensors"
    kept = load_file(weights)
    lost = next(name for name in kept if "attention" in name)
    save_file({name: value for name, value in kept.items() if name != lost}, weights, metadata={"format": "pt"})
    refuses(folder, rf"lack 1 of the model's weights \({lost}")
    torch.save(kept, folder / "pytorch_model.bin")
    weights.unlink()
    refuses(folder, r"no \*\.safetensors \(pytorch_model.bin is a pickle")
    save_file(kept, weights, metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "bert"}))
    refuses(folder, "type 'bert', from which no embeddings are taken. Allowed: wav2vec2")
    for damaged in ("{", "[]", '{"sampling_rate": 0}'):
        (folder / "preprocessor_config.json").write_text(damaged)
        refuses(folder, "preprocessor_config.json names no sampling_rate")
