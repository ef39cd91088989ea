"""Layers of a saved model take no memory before it is known that the file has their weights."""

import json
import zipfile

import keras
import pytest
from keras import layers

from xval.base.errors import UnsafeModelError
from xval.models.saved.load import read_keras_model


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
