"""Layers and weights of daf_cnn against those of the system it comes from."""

import keras
import pytest

from architectures import daf_cnn
from xval.base.errors import SettingsError


def test_it_has_the_weights_of_the_layer_table():
    convolutions = sum((25 * before + 1 + 4) * after for before, after in ((1, 32), (32, 64), (64, 128), (128, 256)))
    flattened = (60 // 16) * (128 // 16) * 256
    dense = (flattened + 1) * 1024 + (1024 + 1) * 256 + (256 + 1) * 10
    assert daf_cnn.build((60, 128, 1), (10,)).count_params() == convolutions + dense


def test_the_order_of_its_layers_and_both_rates_of_dropout():
    model = daf_cnn.build((16, 16, 1), (3,), n_filters=(2, 2), n_units=(4, 3), dropout=0.3, hidden_dropout=0.2)
    block = ["Conv2D", "BatchNormalization", "LeakyReLU", "MaxPooling2D"]
    dense = ["Dropout", "Dense", "LeakyReLU"]
    names = [type(layer).__name__ for layer in model.layers]
    assert names == ["InputLayer", *block * 2, "Flatten", *dense * 2, "Dense"]
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [0.3, 0.2]


def test_hidden_dropout_outside_0_to_1_is_refused_by_its_name():
    with pytest.raises(SettingsError, match=r"option 'hidden_dropout': received 1.0. Allowed: 0"):
        daf_cnn.build((16, 16, 1), (3,), hidden_dropout=1.0)
