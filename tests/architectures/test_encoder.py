"""Tiny encoders of each family, fine-tuned as the library would, saved, loaded, frozen, interrupted."""

import json
from pathlib import Path

import pytest
import transformers

from xval.base.errors import SettingsError
from xval.settings.resolve import Declaration, resolve

PROJECT_ROOT = Path(__file__).parents[2]
FAMILIES = ("wav2vec2", "wav2vec2 with stable norm", "hubert", "wavlm", "whisper", "ast")
MODULE_OF = {
    "convolutions": "model.feature_extractor",
    "projection": "model.feature_projection",
    "first": "model.encoder.layers.0",
}


@pytest.fixture(scope="module")
def left(make_once, run_on):
    """Return what the probe printed."""

    def run(folder):
        probe = Path(__file__).with_name("encoder_probe.py")
        (folder / "printed").write_text(run_on("torch", probe, folder, path=[PROJECT_ROOT]))

    return json.loads((make_once("fine_tuned", run) / "printed").read_text().splitlines()[-1])


@pytest.mark.parametrize("family", [*FAMILIES, "accumulated"])
def test_two_epochs_give_the_weights_of_a_loop_by_hand_bit_for_bit(family, left):
    both = left["equal"][family]

    assert both["weights"]
    assert both["n_weights"] > 30
    assert both["moved"] > 1e-4
    assert both["losses"] == pytest.approx(both["by_hand"], rel=1e-6)  # Keras sums them up in float32


@pytest.mark.parametrize("name", ["plain", "weighted", "checkpointed", "frozen"])
def test_a_saved_model_answers_without_its_folder_each_clip_at_its_own_length_as_in_padded_batches(name, left):
    job = left["jobs"][name]

    assert job["difference"] < 1e-5
    assert job["spread"] > 1e-3


@pytest.mark.parametrize(("name", "n_values"), [("plain", 32), ("weighted", 32), ("mixed", 64)])
def test_an_embedding_is_the_pooled_vector(name, n_values, left):
    job = left["jobs"][name]

    assert job["pooled"] == [6, n_values]
    assert job["from_pooled"] < (0.05 if name == "mixed" else 1e-5)


def test_mixed_precision_computes_in_half_and_keeps_weights_in_float32(left):
    job = left["jobs"]["mixed"]

    assert job["dtype"] == "bfloat16"
    assert job["difference"] < 0.05
    assert job["first_loss"] == pytest.approx(left["jobs"]["plain"]["first_loss"], abs=0.5)


def test_gradient_checkpointing_changes_no_loss(left):
    assert left["jobs"]["checkpointed"]["first_loss"] == left["jobs"]["plain"]["first_loss"]


def test_frozen_blocks_keep_their_weights(left):
    plain, weighted, frozen = (left["jobs"][name] for name in ("plain", "weighted", "frozen"))

    assert plain["kept"] == []
    assert len(frozen["kept"]) == frozen["n_weights"]
    assert frozen["record"]["layers_frozen"] == [f"transformer_{number}" for number in range(4)]
    assert weighted["record"]["layers_frozen"] == ["transformer_0"]
    assert weighted["record"]["layers_unfrozen"] == {"3": ["transformer_0"]}
    assert weighted["kept"] == []  # they were trained from epoch 3 on


def test_the_record_says_which_weights_training_started_from(left):
    hashes = {job["record"]["embedder_hash"] for job in left["jobs"].values()}

    assert len(hashes) == 1
    assert len(hashes.pop()) == 16


def test_an_interrupted_fine_tuning_goes_on_bit_for_bit(left):
    assert left["resumed"]["seen"] == [2, 3]
    assert left["resumed"]["is_same"]


def of(**own):
    """Resolve an instance that fine-tunes."""
    given = {"dataset": "toy", "backend": "torch", "architecture": "encoder", "encoder": "transformers:nowhere"}
    return resolve(Declaration("exp.py", "exp.py", "a test", given, {1: own}))[0]


def test_one_setting_brings_what_an_encoder_needs():
    instance = of()

    assert {name: getattr(instance.settings, name) for name in ("features", "normalization", "padding")} == {
        "features": "waveform",
        "normalization": "none",
        "padding": "masked",
    }
    assert instance.sources["features"] == "architectures/encoder.py"
    assert of(normalization="per_bin").settings.normalization == "per_bin"
    assert instance.settings_hash != of(encoder="transformers:elsewhere").settings_hash


@pytest.mark.parametrize(
    ("own", "match"),
    [
        ({"backend": "jax"}, r"'encoder' runs only on torch; received backend=jax\. Set backend = torch"),
        ({"encoder": None}, r"fine-tunes an encoder. Set encoder = wav2vec2-base"),
        ({"architecture": "mlp", "padding": "auto", "features": "logmel"}, r"encoder=transformers:nowhere needs"),
        ({"architecture": "sincnet", "encoder": None, "features": "waveform", "padding": "masked"},
            "does not support masking."),
        ({"augment_mixup": 0.2}, r"augment_mixup does not support padding=masked"),
        ({"augment_time_shift_s": 0.1}, r"augment_time_shift_s does not support padding=masked"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused_with_what_to_write(own, match):
    with pytest.raises(SettingsError, match=match):
        of(**own)


@pytest.mark.parametrize(
    ("family", "why"), [("clap", "gives no frames"), *((name, "hear what is padded") for name in ("conformer", "data2vec"))]
)
def test_models_that_cannot_be_pooled_or_masked_are_refused(family, why, pretrained_models, tmp_path):
    from architectures._transformer import pretrained_layer

    pretrained_models.write(family, tmp_path)
    with pytest.raises(SettingsError, match=rf"^encoder=transformers:.*{why}.*features = embedding"):
        pretrained_layer(str(tmp_path), setting="encoder", is_weighted=False, gradient_checkpointing=False)


def test_frozen_blocks_need_no_initial_model_where_an_encoder_is_pretrained():
    assert of(frozen_layers=2).settings.frozen_layers == 2
    with pytest.raises(SettingsError, match=r"would freeze random weights\. Set"):
        of(architecture="sincnet", encoder=None, padding="auto", frozen_layers=2)


def test_saved_settings_of_a_model_run_no_code_and_read_no_file(pretrained_models, tmp_path, monkeypatch):
    from preprocessing.embeddings.families.transformers import load_frames
    from preprocessing.embeddings.transformer_frames import make_frames, settings_of

    pretrained_models.write("wav2vec2", tmp_path)
    config, extractor = settings_of(load_frames(str(tmp_path)))
    assert not {"auto_map", "_name_or_path", "architectures"} & set(config)
    harm = {
        "auto_map": {"AutoModel": "evil.Model"},
        "_name_or_path": "evil/model",
        "quantization_config": {"quant_method": "gptq"},
    }
    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", None)

    made = make_frames(config | harm | {"_attn_implementation": "evil/kernel"}, extractor | {"auto_map": "evil"})

    assert type(made.model).__module__ == "transformers.models.wav2vec2.modeling_wav2vec2"
    assert made.model.config._name_or_path == ""
    with pytest.raises(SettingsError, match="settings of a model of type 'llama'"):
        make_frames({"model_type": "llama"}, {})
