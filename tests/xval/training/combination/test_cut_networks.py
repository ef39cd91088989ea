"""Networks of the catalogue, cut as a combination cuts them."""

import numpy as np

from xval.data.examples import StoredExamples
from xval.models.cut import cut_model
from xval.models.predict import predict
from xval.models.saved.load import read_keras_model


def test_the_layers_of_cnn_small_by_their_number(custom_store, make_network):
    model = read_keras_model(make_network(custom_store))

    shapes = [cut_model(model, number, where="m").output_shape for number in range(4)]

    assert shapes == [(None, 3), (None, 6), (None, 4), (None, 1)]


def test_a_recurrent_layer_counts_once(custom_store, make_network):
    model = read_keras_model(make_network(custom_store, architecture="crnn", n_filters=(4,), n_units=3))

    assert cut_model(model, 1, where="m").output_shape == (None, 6)
    assert cut_model(model, 2, where="m").output_shape == (None, 12), "frames of (3 bins, 4 filters) are averaged"


def test_examples_are_embedded_in_their_order_and_as_when_the_model_predicts(custom_store, make_network):
    model = cut_model(read_keras_model(make_network(custom_store, dropout=0.5)), 1, where="m")
    examples = StoredExamples(custom_store, ("s1", "s4"), augmented=True)

    found = predict(model, examples, 4)

    values = np.concatenate([custom_store.predictors("s1"), custom_store.predictors("s4")])
    assert (found.shape, found.dtype) == ((18, 6), np.float32)
    np.testing.assert_allclose(found, model.predict_on_batch(values), rtol=1e-4, atol=1e-5)
