"""Tiny random models of each family give what transformers gives for the same clip, alone or among others."""

import json
import os
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

PROJECT_ROOT = Path(__file__).parents[4]
FAMILIES = ("wav2vec2", "wav2vec2 with stable norm", "hubert", "wavlm", "data2vec", "whisper", "ast", "clap")
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
    refuses(
        "facebook/hubert-base-ls960", r"network access: xval prepare encoders fetch hubert-base, and write only hubert-base\."
    )
    refuses("", "expected a model or a folder")
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
    refuses(folder, "type 'bert' are not supported; expected wav2vec2")
    for damaged in ("{", "[]", '{"sampling_rate": 0}'):
        (folder / "preprocessor_config.json").write_text(damaged)
        refuses(folder, "preprocessor_config.json lacks sampling_rate")


def test_every_file_that_may_be_loaded_counts_and_no_link_leads_out(
    saved: Callable[..., Any], settings: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(saved("hubert")[0], folder)
    wanted = settings(f"transformers:{folder}")
    shards, index = folder / "shards", folder / "model.safetensors.index.json"
    shards.mkdir()

    def index_names(shard: str) -> None:
        index.write_text(json.dumps({"metadata": {}, "weight_map": dict.fromkeys(kept, shard)}))

    noise = np.random.default_rng(0).normal(size=(1, 4000)).astype(np.float32)
    kept = load_file(folder / "model.safetensors")
    hashes = [identify(wanted).hash]
    (folder / "processor_config.json").write_text("{}")
    hashes.append(identify(wanted).hash)
    (folder / "model.safetensors").rename(shards / "a.safetensors")
    index_names("shards/a.safetensors")
    hashes.append(identify(wanted).hash)
    first = load_embedder(wanted).embed(noise, 16000, (0,))
    save_file({name: 2 * value for name, value in kept.items()}, shards / "a.safetensors", metadata={"format": "pt"})
    hashes.append(identify(wanted).hash)
    assert not np.allclose(load_embedder(wanted).embed(noise, 16000, (0,)), first)
    (shards / "a.safetensors").rename(shards / "b.safetensors")
    index_names("shards/b.safetensors")
    hashes.append(identify(wanted).hash)
    assert len(set(hashes)) == len(hashes)

    for unread in ("README.md", "pytorch_model.bin", "modeling.py"):
        (folder / unread).write_text("{}")
    assert identify(wanted).hash == hashes[-1]

    def refuses(match: str) -> None:
        with pytest.raises(SettingsError, match=match):
            identify(wanted)

    outside = tmp_path / "outside.safetensors"
    shutil.copy(shards / "b.safetensors", outside)
    for shard in ("../outside.safetensors", "pytorch_model.bin", str(outside)):
        index_names(shard)
        refuses(f"names '{shard}', which is not a .safetensors file of the folder")
    index.write_text("[]")
    refuses("is not an index of weights")
    index_names("shards/b.safetensors")
    (folder / "adapter_config.json").write_text("{}")
    refuses("adapter_config.json loads another model")
    (folder / "adapter_config.json").unlink()
    for link, target in (("a.safetensors", outside), ("a.json", "nowhere"), ("below", tmp_path)):
        (folder / link).symlink_to(target)
        refuses(f"{link}: a link to a folder or to a file outside")
        (folder / link).unlink()
    os.mkfifo(folder / "a.json")
    refuses("a.json: .*not a regular file")


@pytest.mark.parametrize("hidden", [".cache", ".git"])
def test_weights_in_a_hidden_folder_that_the_config_names_count(
    hidden: str, saved: Callable[..., Any], settings: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(saved("hubert")[0], folder)
    wanted = settings(f"transformers:{folder}")
    weights = folder / hidden / "w.safetensors"
    weights.parent.mkdir()
    (folder / "model.safetensors").rename(weights)
    name_weights(folder, f"{hidden}/w.safetensors")
    noise = np.random.default_rng(0).normal(size=(1, 4000)).astype(np.float32)
    first_hash, first = identify(wanted).hash, load_embedder(wanted).embed(noise, 16000, (0,))
    doubled = {name: 2 * value for name, value in load_file(weights).items()}
    save_file(doubled, weights, metadata={"format": "pt"})
    assert identify(wanted).hash != first_hash
    assert not np.allclose(load_embedder(wanted).embed(noise, 16000, (0,)), first)


@pytest.mark.parametrize("named", ["adapter_model.bin", "../model.safetensors", "W.safetensors", "config.json", 7])
def test_weights_that_the_config_names_and_that_do_not_count_are_refused(
    named: object, saved: Callable[..., Any], settings: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(saved("hubert")[0], folder)
    torch.save(load_file(folder / "model.safetensors"), folder / "adapter_model.bin")
    name_weights(folder, named)
    with pytest.raises(SettingsError, match=rf"config\.json names '{named}' as transformers_weights, which is neither"):
        load_embedder(settings(f"transformers:{folder}"))


@pytest.mark.parametrize(
    ("file", "changes", "error"),
    [
        ("model.safetensors", None, "SafetensorError"),
        ("config.json", {"num_attention_heads": 0}, "ZeroDivisionError"),
        ("config.json", {"hidden_size": 0}, "[A-Za-z]+Error"),
        ("config.json", {"conv_kernel": ["a", "b"]}, "Strict[A-Za-z]+Error"),
        ("config.json", {"conv_kernel": [10, 3, 3]}, "Strict[A-Za-z]+Error"),
        (
            "preprocessor_config.json",
            {"feature_extractor_type": "WhisperFeatureExtractor", "hop_length": 0},
            "ZeroDivisionError",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_damaged_files_are_a_line_that_names_the_folder_and_the_error(
    file: str,
    changes: dict[str, Any] | None,
    error: str,
    saved: Callable[..., Any],
    settings: Callable[..., Any],
    tmp_path: Path,
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(saved("wav2vec2")[0], folder)
    content = (folder / file).read_bytes()
    (folder / file).write_bytes(content[:-100] if changes is None else json.dumps(json.loads(content) | changes).encode())
    with pytest.raises(
        SettingsError, match=rf"^embedding_model=transformers:.*model cannot be loaded \({error}: .+\)\. A file is damaged"
    ):
        load_embedder(settings(f"transformers:{folder}"))


@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json"])
def test_json_that_is_nested_too_deeply_is_refused(
    file: str, saved: Callable[..., Any], settings: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(saved("wav2vec2")[0], folder)
    (folder / file).write_text("[" * 200_000)
    match = {"config.json": "cannot be loaded .RecursionError", "preprocessor_config.json": "lacks sampling_rate"}[file]
    with pytest.raises(SettingsError, match=match):
        load_embedder(settings(f"transformers:{folder}"))


def name_weights(folder: Path, named: object) -> None:
    """Have the config of a model name the file of its weights."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"transformers_weights": named}))


def test_the_layout_of_the_hubs_cache_is_the_folder_itself(
    saved: Callable[..., Any], settings: Callable[..., Any], tmp_path: Path
) -> None:
    folder, *_ = saved("hubert")
    snapshot, blobs = tmp_path / "models--a--b" / "snapshots" / "rev", tmp_path / "models--a--b" / "blobs"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for number, path in enumerate(sorted(folder.iterdir())):
        shutil.copy(path, blobs / str(number))
        (snapshot / path.name).symlink_to(Path("../../blobs") / str(number))
    assert identify(settings(f"transformers:{snapshot}")) == identify(settings(f"transformers:{folder}"))
    (tmp_path / "elsewhere").write_text("{}")
    (snapshot / "generation_config.json").symlink_to("../../../elsewhere")
    with pytest.raises(SettingsError, match=r"generation_config\.json: a link"):
        identify(settings(f"transformers:{snapshot}"))


def test_the_library_opens_no_file_of_the_folder_that_does_not_count(
    saved: Callable[..., Any], tmp_path: Path, run_on: Callable[..., str]
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(saved("wav2vec2")[0], folder)
    for name in ("chat_template.jinja", "vocab.txt", "modeling_own.py", "pytorch_model.bin", "README.md"):
        (folder / name).write_text("damaged")
    config = json.loads((folder / "config.json").read_text())
    own = {"AutoModel": "modeling_own.Own", "AutoConfig": "modeling_own.Own"}
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": own}))
    (tmp_path / "note.py").write_text(
        "import os, sys\n"
        "folder, opened = sys.argv[1], set()\n"
        "def note(event, arguments):\n"
        "    if event == 'open' and str(arguments[0]).startswith(folder + os.sep):\n"
        "        opened.add(os.path.relpath(arguments[0], folder))\n"
        "sys.addaudithook(note)\n"
        "from preprocessing.embeddings.families.transformers import load\n"
        "load(folder, is_pooled=True)\n"
        "print(*sorted(opened))\n"
    )
    opened = run_on("torch", tmp_path / "note.py", folder, path=[PROJECT_ROOT]).split()
    assert "config.json" in opened
    assert {Path(name).suffix for name in opened} <= {".json", ".safetensors"}
