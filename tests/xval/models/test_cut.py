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
    with pytest.raises(SettingsError, match=r"layers_dropped=4: m has 3.*\(conv, dense, last\); expected 0 to 3"):
        cut_model(whole(flat), 4, where="m")


def nested(flat):
    """Return a network that calls another one, whose layer has the name of one outside."""
    inputs = keras.Input((8, 6, 1))
    return keras.Model(inputs, layers.Dense(4, name="dense")(keras.Sequential([flat])(inputs)))


def test_the_layers_of_networks_within_the_network_are_counted(flat):
    model = whole(nested(flat))

    assert [cut_model(model, number, where="m").output_shape[-1] for number in range(5)] == [4, 3, 7, 5, 1]
    np.testing.assert_allclose(
        cut_model(model, 2, where="m").predict_on_batch(ONES), of_layer(model, flat, "after_dense"), rtol=1e-5
    )


def test_a_layer_within_is_named_with_its_network_where_another_one_has_its_name(flat):
    model = whole(nested(flat))

    assert cut_model(model, 0, where="m", layer="dense").output_shape == (None, 4)
    assert cut_model(model, 0, where="m", layer="conv").output_shape == (None, 5)
    with pytest.raises(SettingsError, match=rf"layer 'dens': m has no such layer.*{flat.name}_dense"):
        cut_model(model, 0, where="m", layer="dens")
    assert cut_model(model, 0, where="m", layer=f"{flat.name}_dense").output_shape == (None, 7)


def test_names_stay_while_a_model_trains(flat):
    model = whole(nested(flat))
    before = [layer.name for layer in flat.layers]

    read_by_last_layer(model, where="m")

    assert [layer.name for layer in flat.layers] == before


class Own(keras.Model):
    """Layers in another order than that of the calls, and perhaps more than layers."""

    def __init__(self, *, has_weight=False, is_code=False):
        super().__init__()
        self.last, self.first = layers.Dense(3, name="last"), layers.Dense(7, name="first")
        self.flatten, self.has_weight, self.is_code = layers.Flatten(), has_weight, is_code

    def build(self, shape):
        if self.has_weight:
            self.shift = self.add_weight(shape=(3,), name="shift")
        self.built = True

    def call(self, x, training):
        if self.is_code:
            x = x * float(keras.ops.convert_to_numpy(x).mean())
        return self.last(keras.ops.relu(self.first(self.flatten(x))) * (2.0 if training else 1.0))


def test_the_layers_of_an_own_class_are_counted_as_it_calls_them_to_predict():
    network = Own()
    inputs = keras.Input((8, 6))
    hidden = layers.Reshape((8, 6, 1), name="reshaping")(inputs)
    model = keras.Model(inputs, layers.Activation("softmax", name="prediction")(network(hidden, training=False)))
    read = keras.ops.relu(network.first(ONES.reshape(3, -1)))

    assert cut_model(model, 2, where="m").output_shape == (None, 1)
    found = cut_model(model, 1, where="m").predict_on_batch(ONES)
    np.testing.assert_allclose(found, keras.ops.convert_to_numpy(read), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "why"),
    [({"has_weight": True}, "weight outside of its layers, 'shift'"), ({"is_code": True}, "call\\(\\) cannot")],
)
def test_layers_that_cannot_be_counted_are_an_error_that_says_why(options, why):
    inputs = keras.Input((8, 6), name="features")
    network = Own(**options)
    network.built = False
    if "is_code" in options:
        network.compute_output_shape = lambda shape: (None, 3)
    model = keras.Model(inputs, layers.Activation("softmax", name="prediction")(network(inputs, training=False)))

    with pytest.raises(SettingsError, match=rf"m: the layers of its network .* cannot be counted.*{why}.*functional model"):
        cut_model(model, 1, where="m")
    assert cut_model(model, 0, where="m").output_shape == (None, 3)
