"""Tiny random models of each family give what transformers gives for the same clip, alone or among others."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from preprocessing.embeddings.compute import Work, embed_clips
from preprocessing.embeddings.embedder import identify, load_embedder
from preprocessing.embeddings.examples import Pieces, cut_pieces
from xval.errors import SettingsError

CONVOLUTIONS = {"conv_dim": (16, 16), "conv_stride": (20, 16), "conv_kernel": (25, 16), "num_feat_extract_layers": 2}
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
SPEECH = {**SMALL, **CONVOLUTIONS, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}
WHISPER = {
    "d_model": 32, "encoder_layers": 2, "encoder_attention_heads": 4, "encoder_ffn_dim": 48, "max_source_positions": 50,
    "decoder_layers": 1, "decoder_attention_heads": 4, "decoder_ffn_dim": 48, "vocab_size": 9, "pad_token_id": 0,
    "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1,
}  # fmt: skip
CLAP = {
    "text_config": {**SMALL, "num_hidden_layers": 1, "vocab_size": 50},
    "audio_config": {"patch_embeds_hidden_size": 8, "hidden_size": 64, "depths": [1] * 4, "num_attention_heads": [1, 1, 2, 2]},
}
FAMILIES: dict[str, tuple[str, dict[str, Any], Any]] = {
    "wav2vec2": ("Wav2Vec2", SPEECH, lambda: transformers.Wav2Vec2FeatureExtractor()),
    "wav2vec2 with stable norm": (
        "Wav2Vec2",
        SPEECH | {"do_stable_layer_norm": True, "feat_extract_norm": "layer"},
        lambda: transformers.Wav2Vec2FeatureExtractor(),
    ),
    "hubert": ("Hubert", SPEECH, lambda: transformers.Wav2Vec2FeatureExtractor()),
    "wavlm": ("WavLM", SPEECH, lambda: transformers.Wav2Vec2FeatureExtractor()),
    "whisper": ("Whisper", WHISPER, lambda: transformers.WhisperFeatureExtractor(chunk_length=1)),
    "ast": (
        "AST",
        SMALL | {"max_length": 128, "num_mel_bins": 32},
        lambda: transformers.ASTFeatureExtractor(max_length=128, num_mel_bins=32),
    ),
    "clap": ("Clap", CLAP, lambda: transformers.ClapFeatureExtractor(padding="repeatpad", truncation="rand_trunc")),
}
LENGTHS = (9000, 12000, 9000, 4500)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Any, Any]]:
    """Return a function that makes a model of a family, once; it gives its folder, the model and its extractor."""
    made: dict[str, tuple[Path, Any, Any]] = {}

    def make(family: str) -> tuple[Path, Any, Any]:
        if family not in made:
            name, options, make_extractor = FAMILIES[family]
            torch.manual_seed(0)
            model = getattr(transformers, f"{name}Model")(getattr(transformers, f"{name}Config")(**options)).eval()
            folder, extractor = tmp_path_factory.mktemp("model"), make_extractor()
            model.save_pretrained(folder)
            extractor.save_pretrained(folder)
            made[family] = folder, model, extractor
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
