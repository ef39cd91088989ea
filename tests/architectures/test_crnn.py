"""What crnn hands from its convolutions to its recurrent layer."""

import keras
import pytest

from architectures import crnn


def test_the_columns_of_a_labelled_frame_are_pooled_ahead_of_the_gru():
    model = crnn.build((64, 40, 1), (8, 3))
    recurrent = next(layer for layer in model.layers if isinstance(layer, keras.layers.Bidirectional))
    assert recurrent.input.shape[1] == 8
    assert model.output.shape == (None, 8, 3)


@pytest.mark.parametrize(("pool_frames", "n_frames"), [(True, 8), (False, 64)])
@pytest.mark.parametrize(("bidirectional", "n_outputs"), [(True, 64), (False, 32)])
def test_the_gru_reads_the_frames_that_pooling_leaves(pool_frames, n_frames, bidirectional, n_outputs):
    model = crnn.build((64, 40, 1), (10,), n_units=32, pool_frames=pool_frames, bidirectional=bidirectional)
    kind = keras.layers.Bidirectional if bidirectional else keras.layers.GRU
    recurrent = next(layer for layer in model.layers if isinstance(layer, kind))
    assert recurrent.input.shape == (None, n_frames, 5 * 64)
    assert recurrent.output.shape == (None, n_frames, n_outputs)
