"""Presets by name: what each file says, and what a name becomes."""

from pathlib import Path

import pytest

from preprocessing.embeddings.embedder import identify
from preprocessing.encoders import family_of, find_preset, preset_names, resolve_encoder
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.options.named_files import file_names
from xval.base.errors import SettingsError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the cache of the hub, which is empty."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.mark.parametrize("name", preset_names())
def test_each_preset_can_be_used_or_says_why_not(name: str) -> None:
    preset = find_preset(name)
    assert preset.purpose
    assert preset.licence != "unknown"
    if preset.family is None:
        assert preset.obstacle
        return
    assert not preset.obstacle
    assert preset.family in file_names("preprocessing.embeddings.families")
    assert preset.is_of_hub == (preset.family in ("transformers", "onnx"))
    assert not preset.is_of_hub or preset.weights.endswith((".safetensors", ".onnx"))


def test_a_preset_of_a_package_is_its_family_and_the_name_of_its_model() -> None:
    assert resolve_encoder("opensmile-egemaps") == "opensmile:eGeMAPSv02"
    assert family_of("opensmile-egemaps") == family_of("opensmile:eGeMAPSv02") == "opensmile"
    section = {"features": "embedding"}
    of_preset, of_family = (
        identify(FeatureSettings(**section | {"embedding_model": name}))
        for name in ("opensmile-egemaps", "opensmile:eGeMAPSv02")
    )
    assert of_preset == of_family
    assert resolve_encoder("onnx:no_such.onnx") == "onnx:no_such.onnx"
    assert family_of("no-such") == "no-such"


def test_a_preset_of_the_hub_is_its_folder_in_the_cache(cache: Path) -> None:
    with pytest.raises(SettingsError, match=r"^encoder=wav2vec2-base: .*xval prepare encoders fetch wav2vec2-base$"):
        resolve_encoder("wav2vec2-base", "encoder")
    repository = cache / "models--facebook--wav2vec2-base"
    revision = find_preset("wav2vec2-base").revision or "0" * 40
    folder = repository / "snapshots" / revision
    folder.mkdir(parents=True)
    (folder / "model.safetensors").touch()
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    assert resolve_encoder("wav2vec2-base") == f"transformers:{folder}"
    assert family_of("wav2vec2-base") == "transformers"


def test_an_unknown_name_is_refused_with_what_was_meant() -> None:
    with pytest.raises(SettingsError, match=r"embedding_model=wav2vec2_base: .*Did you mean 'wav2vec2-base'.*FAMILY:NAME"):
        resolve_encoder("wav2vec2_base")
