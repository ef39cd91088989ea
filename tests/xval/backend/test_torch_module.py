"""Torch modules of a user's own: trained, saved as arrays, rebuilt by their code; never by pickle."""

import importlib.util
import json
import zipfile
from pathlib import Path

import keras
import pytest

from xval.backend.torch_module import TorchModule
from xval.base.errors import ResultsError, SettingsError, UnsafeModelError
from xval.models.saved.load import read_keras_model

HAS_TRANSFORMERS = importlib.util.find_spec("transformers") is not None
PROJECT_ROOT = Path(__file__).parents[3]
NETS = """
import keras
from torch import nn

from xval.backend.torch_module import TorchModule


@keras.saving.register_keras_serializable(package="torch_nets")
class Hidden(TorchModule):
    def make_module(self, n_units=4):
        return nn.Sequential(nn.Linear(160, n_units), nn.BatchNorm1d(n_units), nn.ReLU(), nn.Dropout(0.2))


@keras.saving.register_keras_serializable(package="torch_nets")
class Wav2Vec2(TorchModule):
    def make_module(self, hidden_size=8):
        import transformers

        config = transformers.Wav2Vec2Config(
            hidden_size=hidden_size, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, conv_dim=(4, 4),
            conv_kernel=(10, 3), conv_stride=(5, 2), num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2,
            mask_time_prob=0.0,
        )
        return Averaged(transformers.Wav2Vec2Model(config))


class Averaged(nn.Module):
    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, samples):
        return self.encoder(samples).last_hidden_state.mean(dim=1)


def _on_top(layer, input_shape, output_shape):
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, keras.layers.Dense(output_shape[-1])(layer(inputs)))


def own(input_shape, output_shape, *, n_units: int = 4):
    return _on_top(Hidden(n_units=n_units, name="hidden"), input_shape, output_shape)


def wav2vec2(input_shape, output_shape):
    return _on_top(Wav2Vec2(name="encoder"), input_shape, output_shape)


def plain(input_shape, output_shape):
    return _on_top(keras.layers.TorchModuleWrapper(nn.Linear(160, 4), output_shape=(None, 4)), input_shape, output_shape)
"""


@pytest.fixture(scope="module")
def left(make_once, run_on):
    """Return the folder in which torch modules have been trained, and what that left."""
    names = ["own", "plain", *(["wav2vec2"] if HAS_TRANSFORMERS else [])]

    def run(folder):
        (folder / "torch_nets.py").write_text(NETS)
        probe = Path(__file__).with_name("torch_probe.py")
        (folder / "printed").write_text(run_on("torch", probe, folder, *names, path=[PROJECT_ROOT]))

    folder = make_once("torch_modules", run)
    return folder, json.loads((folder / "printed").read_text().splitlines()[-1])


def test_a_module_is_trained_saved_and_loaded_and_answers_alike_bit_for_bit(left):
    found = left[1]["own"]

    assert (found["status"], found["difference"]) == ("done", 0.0), found["error"]
    assert found["spread"] > 1e-3  # or equal answers would show nothing
    assert left[1]["again"]["weights"] == found["weights"]


@pytest.mark.skipif(not HAS_TRANSFORMERS, reason="transformers is not installed")
def test_a_transformers_encoder_is_fine_tuned(left):
    found = left[1]["wav2vec2"]

    assert (found["status"], found["difference"]) == ("done", 0.0), found["error"]
    assert found["spread"] > 1e-4


def test_a_frozen_module_keeps_parameters_and_statistics_that_it_started_with(left):
    *module, kernel, bias = left[1]["frozen"][2:]  # behind the two of the normalisation

    assert module == [True] * 7  # weight and bias twice; mean, variance and number of batches
    assert (kernel, bias) == (False, False)


def test_a_module_that_only_pickle_could_save_is_refused_before_it_is_trained(left):
    assert left[1]["plain"]["status"] == "failed"
    assert "Derive it from xval.TorchModule" in left[1]["plain"]["error"]


def test_a_saved_module_is_arrays_alone_and_is_read_only_where_its_code_is_known(left):
    path = left[0] / "results" / "instance_1" / "fold_1" / "model.keras"
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == ["config.json", "metadata.json", "model.weights.h5"]
        (network,) = [
            each for each in json.loads(archive.read("config.json"))["config"]["layers"] if "layers" in each["config"]
        ]
    (layer,) = [each for each in network["config"]["layers"] if each["class_name"] == "Hidden"]
    assert {"name", "n_units", "output_shape"} <= set(layer["config"])
    assert "module" not in layer["config"]

    with pytest.raises(UnsafeModelError, match=r"torch_nets>Hidden.*whose code is not imported"):
        read_keras_model(path)


class Hidden(TorchModule):
    """Stands for the class of the user, imported in a process of another backend."""


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="here it runs")
def test_another_backend_says_why_it_cannot_run_a_module(left, monkeypatch):
    with pytest.raises(SettingsError, match=r"layer 'Hidden' is a torch module, which needs backend=torch"):
        Hidden(n_units=4)
    monkeypatch.setitem(keras.saving.get_custom_objects(), "torch_nets>Hidden", Hidden)
    with pytest.raises(ResultsError, match=r"model\.keras: layer 'Hidden' is a torch module.* has loaded tensorflow"):
        read_keras_model(left[0] / "results" / "instance_1" / "fold_1" / "model.keras")
