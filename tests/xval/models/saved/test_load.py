import json
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import xval
from architectures import sincnet
from xval.base.errors import ResultsError, UnsafeModelError
from xval.base.json_files import write_json
from xval.models.saved.load import read_keras_model

PROJECT_ROOT = Path(xval.__file__).parents[1]
SAMPLES = np.random.default_rng(0).standard_normal((2, 3, 60, 1)).astype(np.float32)

# Run in a fresh process, which has not imported the architecture: first without model.json beside the model, then with it.
LOADS = """
import json, sys
from pathlib import Path
import numpy as np
from xval.base.errors import ResultsError
from xval.models.saved.load import read_keras_model

folder = Path(sys.argv[1])
(folder / "model.json").rename(folder / "away.json")
try:
    read_keras_model(folder / "model.keras")
    alone = "loaded"
except ResultsError as error:
    alone = str(error)
(folder / "away.json").rename(folder / "model.json")
model = read_keras_model(folder / "model.keras")
with np.load(folder / "known.npz", allow_pickle=False) as known:
    difference = np.abs(model.predict_on_batch(known["inputs"]) - known["predictions"]).max()
print(json.dumps({"alone": alone, "difference": float(difference), "imported": sorted(sys.modules)}))
"""


@pytest.fixture
def folder(tmp_path):
    """Return a fold folder with a model that has a layer of its own."""
    model = sincnet.build((3, 60, 1), (3, 2), n_filters=4, kernel_length=9, n_conv_filters=(4,), n_units=(4,))
    model.save(tmp_path / "model.keras")
    np.savez(tmp_path / "known.npz", inputs=SAMPLES, predictions=model.predict_on_batch(SAMPLES))
    write_json(tmp_path / "model.json", {"format_version": 1, "architecture": "sincnet"})
    return tmp_path


def test_layers_of_its_own_are_found_by_the_name_of_the_architecture(folder, run_on):
    (folder / "loads.py").write_text(LOADS)

    found = json.loads(run_on("tensorflow", folder / "loads.py", folder, path=[PROJECT_ROOT]))

    assert "names 'xval>SincConv'" in found["alone"]
    assert "needs model.json next to the model" in found["alone"]
    assert found["difference"] < 1e-6
    assert "architectures.sincnet" in found["imported"]
    assert "architectures.denet" not in found["imported"]


def test_a_model_of_keras_alone_needs_no_description(tmp_path):
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "model.keras")

    assert read_keras_model(tmp_path / "model.keras").input_shape == (None, 2)
    write_json(tmp_path / "model.json", {"format_version": 1, "task_type": "classification"})
    assert read_keras_model(tmp_path / "model.keras").input_shape == (None, 2)


@pytest.mark.parametrize("name", ["sincnett", "_sinc_conv", "../sincnet", "os", ["sincnet"], ""])
def test_nothing_but_an_architecture_is_imported(tmp_path, name):
    (tmp_path / "model.keras").touch()
    write_json(tmp_path / "model.json", {"format_version": 1, "architecture": name})

    with pytest.raises(ResultsError, match=r"model\.json: unknown architecture .*Available: .*sincnet"):
        read_keras_model(tmp_path / "model.keras")


def test_what_is_no_model_is_named(tmp_path):
    with pytest.raises(ResultsError, match="no such model"):
        read_keras_model(tmp_path / "model.keras")
    (tmp_path / "model.keras").write_bytes(b"not a model")
    with pytest.raises(ResultsError, match=r"model\.keras: not loaded, because it is not a zip archive"):
        read_keras_model(tmp_path / "model.keras")


@pytest.mark.parametrize("is_nested", [False, True])
def test_layers_that_need_more_weights_than_the_file_has_raise_an_error(trap, tmp_path, write_model, is_nested):
    inputs = keras.Input((4, 3))
    outputs = layers.LSTM(2)(inputs)
    inner = keras.Model(inputs, outputs)
    model = keras.Model(inputs, layers.Activation("relu")(inner(inputs))) if is_nested else inner
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = parts["config.json"].replace(b'"units": 2', b'"units": 1000000')
    assert json.loads(config) != json.loads(parts["config.json"])

    with pytest.raises(UnsafeModelError, match=r"its layers need 400\d{10} weights, but it has 48"):
        read_keras_model(write_model(parts | {"config.json": config}))
