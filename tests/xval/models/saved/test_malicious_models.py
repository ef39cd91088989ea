"""Archives and architectures that no experiment saves: each is refused for its reason, nothing runs, nothing is written."""

import base64
import importlib
import json
import marshal
import os
import pickle
import stat
import struct
import warnings
import zipfile

import keras
import numpy as np
import pytest

from preprocessing.features.feature_settings import FeatureSettings
from xval.base.errors import UnsafeModelError
from xval.models.frontend import build_frontend
from xval.models.saved.check_layers import _ALLOWED, _ALLOWED_MODULES, HARMS, LARGEST_DEPTH
from xval.models.saved.keras_file import open_model
from xval.models.saved.load import read_keras_model

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
MEGABYTE = 1 << 20


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "model.keras")
    with pytest.raises(OSError, match=r"not a regular file.*model\.keras"), open_model(tmp_path / "model.keras"):
        pass


def patched(path, name, offset, form, value):
    """Change a field of a member in the directory of an archive."""
    content = bytearray(path.read_bytes())
    at = content.rindex(name.encode()) - 46  # the directory is at the end; the name follows a header of 46 bytes
    assert content[at : at + 4] == b"PK\x01\x02"
    struct.pack_into(form, content, at + offset, value)
    path.write_bytes(content)
    return path


def refused(path, match):
    with pytest.raises(UnsafeModelError, match=match) as caught:
        read_keras_model(path)
    assert str(path) in str(caught.value)


def test_the_traps_of_these_tests_work(tmp_path, monkeypatch, payload):
    """Without this a payload that never runs would prove nothing."""
    (tmp_path / "evil_trap.py").write_text(f"open({str(tmp_path / 'marker')!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.import_module("evil_trap")
    assert (tmp_path / "marker").exists()
    pickle.loads(pickle.dumps(payload(tmp_path / "second"))).close()  # noqa: S301
    assert (tmp_path / "second").exists()


# What is no archive of a model


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "it is empty"),
        (b"a model, honestly\n", "it is not a zip archive"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file, the older format of Keras models, which may contain code"),
        (b"PK\x03\x04" + bytes(200), "cut short or damaged"),
    ],
)
def test_what_is_no_archive_is_refused(trap, tmp_path, content, match):
    path = tmp_path / "model.keras"
    path.write_bytes(content)
    refused(path, match)


def test_a_renamed_pickle_is_refused(trap, tmp_path, payload):
    path = tmp_path / "model.keras"
    path.write_bytes(pickle.dumps(payload(trap)))
    refused(path, "it is a pickle, which runs code when it is read")


def test_a_real_model_of_the_older_form_is_refused(trap, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "elsewhere.h5")
    path = (tmp_path / "elsewhere.h5").rename(tmp_path / "model.keras")
    refused(path, "an HDF5 file, the older form")


@pytest.mark.parametrize("kept", [0.2, 0.9, 0.999])
def test_a_truncated_archive_is_refused(trap, tiny_parts, write_model, kept):
    path = write_model(tiny_parts)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    refused(path, "cut short or damaged")


def test_an_archive_behind_a_script_is_refused(trap, tiny_parts, write_model):
    path = write_model(tiny_parts)
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    refused(path, "it is not a zip archive")


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
def test_a_wrong_checksum_is_refused(trap, tiny_parts, write_model, name):
    path = write_model(tiny_parts)
    content = bytearray(path.read_bytes())
    content[content.index(tiny_parts[name]) + 60] ^= 1
    path.write_bytes(content)
    refused(path, rf"member {name} is damaged \(Bad CRC-32")


# Members


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("../escaped", "has a path outside the archive"),
        ("assets/../../escaped", "has a path outside the archive"),
        ("/tmp/escaped", "has a path outside the archive"),  # noqa: S108
        ("..\\escaped", "has a path outside the archive"),
        ("C:escaped", "has a path outside the archive"),
        ("assets/layers/text/vocabulary.txt", "does not belong in such a file"),
        ("evil_module.py", "does not belong in such a file"),
        ("bomb.zip", "does not belong in such a file"),
        ("model.weights.npz", "does not belong in such a file"),
    ],
)
def test_members_of_other_names_are_refused(trap, tiny_parts, write_model, name, match):
    refused(write_model(tiny_parts | {name: b"payload"}), match)


def test_a_symbolic_link_is_refused(trap, tiny_parts, write_model):
    path = write_model({name: content for name, content in tiny_parts.items() if name != WEIGHTS})
    link = zipfile.ZipInfo(WEIGHTS)
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    refused(path, "is a symbolic link")


def test_a_member_that_is_there_twice_is_refused(trap, tiny_parts, write_model):
    path = write_model(tiny_parts)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(CONFIG, tiny_parts[CONFIG])
    refused(path, "config.json is in it twice")


def test_an_encrypted_member_is_refused(trap, tiny_parts, write_model):
    refused(patched(write_model(tiny_parts), WEIGHTS, 8, "<H", 1), "is encrypted")


def test_another_compression_is_refused(trap, tiny_parts, write_model):
    refused(write_model(tiny_parts, compression=zipfile.ZIP_BZIP2), "is compressed by method 12")


def test_a_zip_bomb_is_not_unpacked(trap, tiny_parts, write_model):
    path = write_model(tiny_parts | {WEIGHTS: bytes(MEGABYTE)}, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 10_000
    refused(patched(path, WEIGHTS, 24, "<I", 2 << 30), r"it has 0\.0 MB but unpacks to 2\.1 GB; .* a zip bomb")


def test_a_bomb_that_declares_little_is_read_no_further_than_it_declares(trap, tiny_parts, write_model):
    path = write_model(tiny_parts | {WEIGHTS: bytes(64 * MEGABYTE)}, compression=zipfile.ZIP_DEFLATED)
    refused(patched(path, WEIGHTS, 24, "<I", 100_000), "model.weights.h5 is damaged")


def test_a_member_that_declares_too_much_is_refused(trap, tiny_parts, write_model):
    refused(patched(write_model(tiny_parts), CONFIG, 24, "<I", 0xF0000000), "declares 4026531840 bytes; at most 268435456")


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
def test_a_missing_member_is_named(trap, tiny_parts, write_model, name):
    parts = {member: content for member, content in tiny_parts.items() if member != name}
    refused(write_model(parts), f"it lacks {name}")


# config.json


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"{not json", "not readable as JSON"),
        (b"\xff\xfe\x00", "not readable as JSON"),
        (b"[1, 2]", "does not describe a model"),
        (b"{}", "does not describe a model"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"class_name": "Sequential", "class_name": "Lambda"}', "has the key 'class_name' twice"),
    ],
)
def test_a_config_that_is_none_is_refused(trap, tiny_parts, write_model, content, match):
    refused(write_model(tiny_parts | {CONFIG: content}), match)


def changed(parts, change):
    """Return the members with another architecture; `change` gets the layers of the model."""
    config = json.loads(parts[CONFIG])
    change(config["config"]["layers"])
    return parts | {CONFIG: json.dumps(config).encode()}


def layer(module, class_name, registered_name=None, **config):
    name = {"name": "payload"}
    return {"module": module, "class_name": class_name, "config": name | config, "registered_name": registered_name}


def function(module, name):
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def marshalled(marker):
    """Return a lambda as Keras saves it."""
    code = compile(f"open({str(marker)!r}, 'w')", "payload", "eval")
    inner = {"code": base64.b64encode(marshal.dumps(code)).decode(), "defaults": None, "closure": None}
    return {"class_name": "__lambda__", "config": inner}


@pytest.mark.parametrize(
    ("added", "match"),
    [
        (layer("keras.layers", "Lambda", function=function("keras.utils", "get_file")), "a Lambda layer is code"),
        (layer("keras.layers", "Lambda", function=function("keras.utils", "plot_model")), "a Lambda layer is code"),
        (layer("keras.src.layers.core.lambda_layer", "Lambda"), "a Lambda layer is code"),
        ({"class_name": "Lambda", "config": {"name": "payload", "function": ["x", None, None]}}, "a Lambda layer is code"),
        ({"class_name": "Dense", "config": {"name": "payload", "units": 2}}, "'Dense' at .* in the format of Keras 2"),
        (layer("os", "system"), "names os.system at config.layers"),
        (layer("subprocess", "Popen", args=["touch", "marker"]), "names subprocess.Popen at"),
        (layer("evil_module", "Dense"), "names evil_module.Dense at"),
        (layer("keras_hub.models", "Backbone"), "names keras_hub.models.Backbone at"),
        (layer("keras_cv", "Layer"), "names keras_cv.Layer at"),
        (layer("keras_nlp.layers", "Layer"), "names keras_nlp.layers.Layer at"),
        (layer("xval.models.saved.load", "read_keras_model"), "names xval.models.saved.load.read_keras_model at"),
        (layer("keras.utils", "get_file"), "names keras.utils.get_file at"),
        (layer("keras.config", "enable_unsafe_deserialization"), "names keras.config.enable_unsafe_deserialization at"),
        (layer("keras.saving", "load_model"), "names keras.saving.load_model at"),
        (layer("keras.initializers", "deserialize"), "names keras.initializers.deserialize at"),
        (layer("keras.layers", "TFSMLayer", filepath="evil"), "runs a TensorFlow program from a path"),
        (layer("keras.layers", "TorchModuleWrapper", lazy=True), "read by pickle, which runs code"),
        (layer("keras.layers", "JaxLayer"), "it is code"),
        (layer("keras.layers", "FlaxLayer"), "it is code"),
        (layer("keras.layers", "StringLookup", vocabulary="/etc/passwd"), "a vocabulary from a file or an address"),
        (layer("keras.layers", "TextVectorization", vocabulary="http://localhost/x"), "a vocabulary from a file or an address"),
        (layer("keras.layers", "Dense", registered_name="Custom>Evil", units=2), "'Custom>Evil' at .* code is not imported"),
        (layer("__main__", "Evil", registered_name="Evil"), "names __main__.Evil at"),
        (layer(["keras.layers"], "Dense", units=2), "something other than text"),
        ({"class_name": "__bytes__", "config": {"value": "x"}}, "names '__bytes__' at"),
        ({"class_name": "__typespec__", "module": "os", "spec_name": "system", "config": [], "registered_name": None}, "at"),
        ({"class_name": "__numpy__", "config": {"value": [1], "dtype": "V99999999999"}}, "__numpy__ of type 'V99999999999'"),
        ({"class_name": "__numpy__", "config": {"value": ["x"], "dtype": "object"}}, "__numpy__ of type 'object'"),
    ],
    ids=str,
)
def test_an_architecture_of_other_objects_is_refused(trap, tiny_parts, write_model, added, match):
    refused(write_model(changed(tiny_parts, lambda layers: layers.append(added))), match)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("subprocess", "check_output"),
        ("builtins", "eval"),
        ("evil_module", "run"),
        ("keras.utils", "get_file"),
        ("keras.config", "enable_unsafe_deserialization"),
    ],
)
def test_a_function_within_a_layer_is_refused(trap, tiny_parts, write_model, module, name):
    def change(layers):
        layers[1]["config"]["activation"] = function(module, name)

    refused(write_model(changed(tiny_parts, change)), rf"the function {module}\.{name} at config.layers\[1\].config.activation")


def test_a_marshalled_lambda_is_refused_wherever_it_stands(trap, tiny_parts, write_model):
    def change(layers):
        layers[2]["config"]["activation"] = {"deep": [marshalled(trap)]}

    refused(
        write_model(changed(tiny_parts, change)), r"__lambda__ at config.layers\[2\].config.activation.deep\[0\]: a lambda is"
    )


def test_a_model_with_a_lambda_that_keras_itself_saved_is_refused(trap, tmp_path):
    path = tmp_path / "model.keras"
    keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: open("marker", "w"), output_shape=(2,))]).save(path)  # noqa: PTH123, SIM115
    refused(path, "a Lambda layer is code")


def test_a_model_in_a_model_is_looked_through(trap, tiny_parts, write_model):
    def change(layers):
        inner = json.loads(tiny_parts[CONFIG])
        inner["config"]["layers"].append(layer("keras.layers", "Lambda"))
        layers.append(inner)

    refused(write_model(changed(tiny_parts, change)), r"layers\[3\].config.layers\[3\]: a Lambda layer is code")


def test_deep_nesting_is_refused(trap, tiny_parts, write_model):
    def change(layers):
        deep = []
        for _ in range(LARGEST_DEPTH):
            deep = [deep]
        layers[1]["config"]["units"] = deep

    refused(write_model(changed(tiny_parts, change)), f"nested deeper than {LARGEST_DEPTH} levels")


def test_layers_that_want_more_weights_than_there_are_take_no_memory(trap, tiny_parts, write_model):
    def change(layers):
        layers[1]["config"]["units"] = 10**13

    refused(write_model(changed(tiny_parts, change)), r"its layers need 40000000000000 weights, but it has 8")


def test_what_is_no_model_is_refused(trap, tiny_parts, write_model):
    config = json.loads(tiny_parts[CONFIG])["config"]["layers"][1]
    refused(write_model(tiny_parts | {CONFIG: json.dumps(config).encode()}), "holds a Dense; expected a model|do not match")


def test_layers_that_do_not_fit_together_are_refused(trap, tiny_parts, write_model):
    def change(layers):
        layers.append(layer("keras.layers", "Conv2D", filters=2, kernel_size=3))

    refused(write_model(changed(tiny_parts, change)), "do not match")


# What must still load


def test_a_good_model_loads_the_same_and_leaves_nothing(trap, tiny_parts, write_model):
    path = write_model(tiny_parts)
    examples = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)

    loaded = read_keras_model(path).predict_on_batch(examples)

    np.testing.assert_array_equal(loaded, keras.saving.load_model(path).predict_on_batch(examples))


def test_a_model_that_somebody_compressed_loads(trap, tiny_parts, write_model):
    assert read_keras_model(write_model(tiny_parts, compression=zipfile.ZIP_DEFLATED)).input_shape == (None, 3)


def test_a_loss_of_the_users_own_does_not_matter(trap, tiny_parts, write_model):
    config = json.loads(tiny_parts[CONFIG])
    training = {"optimizer": layer("keras.optimizers", "Adam"), "loss": function("my_losses", "my_loss")}
    config["compile_config"] = config["config"]["layers"][1]["compile_config"] = training

    assert read_keras_model(write_model(tiny_parts | {CONFIG: json.dumps(config).encode()})).compiled is False


def test_a_layer_of_the_users_own_loads_once_it_is_imported(trap, tmp_path):
    path = tmp_path / "model.keras"

    @keras.saving.register_keras_serializable(package="of_a_user")
    class Halved(keras.layers.Layer):
        def call(self, inputs):
            return inputs / 2

    @keras.saving.register_keras_serializable(package="of_a_user")
    def doubled(inputs):
        return inputs * 2

    inputs = keras.Input((2,))
    keras.Model(inputs, keras.layers.Dense(2, doubled)(Halved()(inputs))).save(path)
    try:
        assert isinstance(read_keras_model(path).layers[1], Halved)
    finally:
        for name in ("of_a_user>Halved", "of_a_user>doubled"):
            keras.saving.get_custom_objects().pop(name)
    refused(path, "'of_a_user>Halved' at .* whose code is not imported. Give --import MODULE")


@pytest.mark.parametrize(
    "features", [{"frontend": "logmel"}, {"frontend": "stft", "power": 1.0, "pre_emphasis": 0.97}], ids=str
)
def test_a_front_end_loads(trap, tmp_path, features):
    settings = FeatureSettings(**{"features": "waveform"} | features)
    path = tmp_path / "model.keras"
    frontend = build_frontend(4000, settings.spectral())
    frontend.save(path)
    samples = np.random.default_rng(0).normal(size=(1, 4000)).astype(np.float32)

    np.testing.assert_array_equal(read_keras_model(path).predict_on_batch(samples), frontend.predict_on_batch(samples))


def test_what_is_allowed_exists_in_keras():
    """A class that Keras renames would be refused in silence, and a name that is misspelt never be allowed."""
    for module in _ALLOWED:
        found = importlib.import_module(module)
        assert {name for name in _ALLOWED[module] if not isinstance(getattr(found, name, None), type)} == set(), module
        assert not set(HARMS) & _ALLOWED[module]
    for module in _ALLOWED_MODULES:
        importlib.import_module(module)
