"""Layers that would fill a memory are refused by name before they are run; models as they are used are not."""

import json
import zipfile

import keras
import pytest
from keras import layers

from xval.backend.keras_internals import shapes_of
from xval.base.errors import UnsafeModelError
from xval.models.saved import check_memory
from xval.models.saved.load import read_keras_model

GIANT = 10**8
AUDIO = {"fft_length": 2**22, "num_mel_bins": 10**5}


@pytest.mark.parametrize(
    ("shape", "layer", "changes"),
    [
        ((4,), layers.RepeatVector(2), {"n": GIANT}),
        ((3, 4), layers.UpSampling1D(2), {"size": GIANT}),
        ((None, 4), layers.UpSampling1D(2), {"size": GIANT}),
        ((3, 4, 1), layers.UpSampling2D(2), {"size": [GIANT, GIANT]}),
        ((3, 4), layers.ZeroPadding1D(2), {"padding": [GIANT, GIANT]}),
        ((None, 4, 1), layers.ZeroPadding2D(2), {"padding": [[GIANT, GIANT], [1, 1]]}),
        ((3, 4), layers.Conv1DTranspose(2, 3), {"strides": [GIANT]}),
        ((None, 4, 1), layers.Conv2DTranspose(2, 3), {"strides": [10**5, 10**5]}),
        ((3, 4, 1), layers.Resizing(2, 2), {"height": 10**5, "width": 10**5}),
        ((30, 4), layers.AdaptiveAveragePooling1D(2), {"output_size": [GIANT]}),
        ((3, 4), layers.TimeDistributed(layers.RepeatVector(2)), {"layer": {"n": GIANT}}),
        ((3000,), layers.MelSpectrogram(), AUDIO),
        ((None,), layers.MelSpectrogram(), AUDIO),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_layers_that_need_few_weights_and_much_memory_are_refused_by_name(trap, tmp_path, write_model, shape, layer, changes):
    inputs = keras.Input(shape)
    keras.Model(inputs, layer(inputs)).save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    changed = config["config"]["layers"][1]["config"]
    for name, value in changes.items():
        if isinstance(value, dict):
            changed[name]["config"] |= value
        else:
            changed[name] = value
    with pytest.raises(UnsafeModelError, match=rf"its layer '{layer.name}' \({type(layer).__name__}\) makes .* GB"):
        read_keras_model(write_model(parts | {"config.json": json.dumps(config).encode()}))


def test_attention_over_a_long_sequence_is_counted_by_its_scores(tmp_path):
    inputs = keras.Input((4,))
    repeated = layers.RepeatVector(20_000)(inputs)
    keras.Model(inputs, layers.MultiHeadAttention(2, 4)(repeated, repeated)).save(tmp_path / "model.keras")

    with pytest.raises(UnsafeModelError, match=r"MultiHeadAttention\) makes 8e\+08 values from one example \(3.2 GB\)"):
        read_keras_model(tmp_path / "model.keras")


def test_operations_and_models_within_are_looked_through(tmp_path):
    inner = keras.Input((4,))
    wide = keras.ops.tile(layers.RepeatVector(10**4)(inner), (1, 10**4, 1))
    inputs = keras.Input((4,))
    keras.Model(inputs, keras.Model(inner, layers.GlobalMaxPooling1D()(wide))(inputs)).save(tmp_path / "model.keras")

    with pytest.raises(UnsafeModelError, match=r"\(Tile\) makes 4e\+08 values"):
        read_keras_model(tmp_path / "model.keras")


def test_networks_of_inputs_of_any_length_are_tried_at_one_that_they_take(tmp_path, monkeypatch):
    inputs = keras.Input((None, 1))
    strided = layers.Conv1D(2, 3000, strides=100)(inputs)  # of 1024 samples nothing would be left
    keras.Model(inputs, layers.GlobalAveragePooling1D()(layers.UpSampling1D(3)(strided))).save(tmp_path / "model.keras")

    model = read_keras_model(tmp_path / "model.keras")
    assert model.input_shape == (None, None, 1)
    assert [outputs for _, outputs in shapes_of(model.layers[-1])] == [[(None, 2)]]

    monkeypatch.setattr(check_memory, "LARGEST_OUTPUT", (1 << 16) - 1)  # the input alone is larger at the second length
    with pytest.raises(UnsafeModelError, match=r"InputLayer\) makes 6.55e\+04 values"):
        read_keras_model(tmp_path / "model.keras")
