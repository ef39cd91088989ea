"""Layer sizes and weights of fma_cnn against those of the system it comes from."""

import keras

from architectures import fma_cnn


def test_it_has_the_weights_of_the_original():
    assert fma_cnn.build((259, 128, 1), (8,)).count_params() == 2_195_464


def test_four_blocks_halve_both_axes_and_end_in_dropout():
    model = fma_cnn.build((259, 128, 1), (8,), dropout=0.3)
    assert [type(layer).__name__ for layer in model.layers[1:13]] == ["Conv2D", "MaxPooling2D", "Dropout"] * 4
    maps = [layer.output.shape[1:] for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert maps == [(129, 64, 16), (64, 32, 32), (32, 16, 64), (16, 8, 128)]
    assert {layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)} == {0.3}


def test_an_axis_of_one_is_not_pooled():
    model = fma_cnn.build((3, 40, 1), (8,), n_filters=(2, 2, 2))
    maps = [layer.output.shape[1:] for layer in model.layers if isinstance(layer, keras.layers.MaxPooling2D)]
    assert maps == [(1, 20, 2), (1, 10, 2), (1, 5, 2)]
