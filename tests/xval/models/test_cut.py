import keras
import numpy as np
import pytest
from keras import layers

from xval.base.errors import SettingsError
from xval.models.cut import cut_model, predict_and_embed, read_by_last_layer

ONES = np.random.default_rng(0).normal(size=(3, 8, 6)).astype(np.float32)


def whole(network):
    """Return a network as xval saves it: features in, scaling, reshaping, network, activation."""
    inputs = keras.Input((8, 6), name="features")
    scaled = layers.BatchNormalization(center=False, scale=False, trainable=False, name="normalization")(inputs)
    shaped = layers.Reshape((8, 6, 1), name="reshaping")(scaled)
    return keras.Model(inputs, layers.Activation("softmax", name="prediction")(network(shaped)))


@pytest.fixture
def flat():
    """Return a network whose last map is flattened, of which two dense layers read."""
    inputs = x = keras.Input((8, 6, 1))
    x = layers.Conv2D(5, 3, padding="same", name="conv")(x)
    x = layers.ReLU(name="after_conv")(layers.BatchNormalization()(x))
    x = layers.Dropout(0.5)(layers.Flatten()(x))
    x = layers.LeakyReLU(name="after_dense")(layers.Dense(7, name="dense")(x))
    x = layers.Dropout(0.5)(x)
    return keras.Model(inputs, layers.Dense(3, name="last")(x))


def of_layer(model, network, name):
    """Return what a layer of the network gives for the ones."""
    shaped = model.get_layer("reshaping")(model.get_layer("normalization")(ONES))
    return keras.ops.convert_to_numpy(keras.Model(network.input, network.get_layer(name).output)(shaped))


def test_nothing_dropped_is_the_prediction(flat):
    model = whole(flat)

    np.testing.assert_allclose(cut_model(model, 0, where="m").predict_on_batch(ONES), model.predict_on_batch(ONES), rtol=1e-6)


def test_one_dropped_is_what_the_last_dense_layer_reads(flat):
    model = whole(flat)

    np.testing.assert_allclose(
        cut_model(model, 1, where="m").predict_on_batch(ONES), of_layer(model, flat, "after_dense"), rtol=1e-5
    )


def test_a_model_predicts_and_embeds_in_one_pass(flat):
    model = whole(flat)

    answers, embeddings = predict_and_embed(model, where="m").predict_on_batch(ONES)

    np.testing.assert_allclose(answers, model.predict_on_batch(ONES), rtol=1e-6)
    np.testing.assert_allclose(embeddings, of_layer(model, flat, "after_dense"), rtol=1e-5)


def test_what_the_last_layer_reads_is_computed_without_a_trace_in_the_model(flat):
    model = whole(flat)

    def count_nodes():
        return [len(layer._inbound_nodes) for layer in (*model.layers, *flat.layers)]

    before = count_nodes()

    found = read_by_last_layer(model, where="m")(ONES)

    assert count_nodes() == before
    np.testing.assert_allclose(found, cut_model(model, 1, where="m").predict_on_batch(ONES), rtol=1e-5)


def test_a_map_is_averaged_also_where_it_is_flattened_before_it_is_read(flat):
    model = whole(flat)

    found = cut_model(model, 2, where="m").predict_on_batch(ONES)

    assert found.shape == (3, 5)
    np.testing.assert_allclose(found, of_layer(model, flat, "after_conv").mean(axis=(1, 2)), rtol=1e-5, atol=1e-6)


def test_more_layers_than_there_are_is_an_error_that_lists_them(flat):
    with pytest.raises(SettingsError, match=r"layers_dropped=4: m has 3 .*\(conv, dense, last\); allowed: 0 to 3"):
        cut_model(whole(flat), 4, where="m")


def test_a_network_within_the_network_cannot_be_counted(flat):
    inputs = keras.Input((8, 6, 1))
    nested = whole(keras.Model(inputs, layers.Dense(3)(flat(inputs))))

    with pytest.raises(SettingsError, match=r"m: the layers of its network .* cannot be counted"):
        cut_model(nested, 1, where="m")
    assert cut_model(nested, 0, where="m").output_shape == (None, 3)
