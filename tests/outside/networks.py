"""Networks in every form in which Keras networks are written: each function is the build() of an architecture.

All read (n_frames, n_values, ...) and answer in the shape that they are given: one row of numbers, or one for each frame.
"""

import math

import keras
from keras import layers, ops

reshaping_type = "none"
task_types = ("classification", "regression", "representation", "frame_classification")
N = 6


def rows(input_shape):
    """Return the layer that makes one axis of the values of a frame."""
    return layers.Reshape((input_shape[0], math.prod(input_shape[1:])))


def end(output_shape, name=None):
    """Return the layers that answer, from (frames, values)."""
    answer = layers.Dense(output_shape[-1], name=name)
    return [answer] if len(output_shape) > 1 else [layers.GlobalAveragePooling1D(), answer]


def chain(tensor, *parts):
    """Return what layers make of a tensor, one after the other."""
    for part in parts:
        tensor = part(tensor)
    return tensor


def within(input_shape, output_shape, *parts):
    """Return a functional network of some layers between the first and the last ones."""
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, chain(inputs, rows(input_shape), *parts, *end(output_shape)))


# Sequential


def sequential(input_shape, output_shape):
    return keras.Sequential(
        [keras.Input(input_shape), rows(input_shape), layers.Dense(N, activation="relu"), *end(output_shape)]
    )


def sequential_without_input(input_shape, output_shape):
    return keras.Sequential([rows(input_shape), layers.Dense(N, activation="relu"), *end(output_shape)])


def sequential_by_add(input_shape, output_shape):
    network = keras.Sequential()
    network.add(rows(input_shape))
    network.add(layers.Dense(N, activation="relu"))
    for layer in end(output_shape):
        network.add(layer)
    return network


def sequential_in_sequential(input_shape, output_shape):
    body = keras.Sequential([layers.Dense(N, activation="relu"), layers.Dense(N)], name="body")
    return keras.Sequential([rows(input_shape), body, *end(output_shape)])


def functional_in_sequential(input_shape, output_shape):
    inputs = keras.Input((input_shape[0], N))
    body = keras.Model(inputs, layers.Dense(N, activation="relu")(inputs), name="body")
    return keras.Sequential([keras.Input(input_shape), rows(input_shape), layers.Dense(N), body, *end(output_shape)])


# Functional


def functional(input_shape, output_shape):
    return within(input_shape, output_shape, layers.Dense(N, activation="relu"))


def functional_of_lists(input_shape, output_shape):
    inputs = keras.Input(input_shape)
    return keras.Model([inputs], chain(inputs, rows(input_shape), layers.Dense(N), *end(output_shape)))


def operators(input_shape, output_shape):
    inputs = keras.Input(input_shape)
    x = layers.Dense(N)(rows(input_shape)(inputs))
    y = ops.relu(x) + 0.5 * x - ops.mean(x, axis=-1, keepdims=True)
    z = ops.concatenate([y, ops.tanh(x[:, :, 1:])], axis=-1)
    return keras.Model(inputs, chain(z / 2, *end(output_shape)))


def residual(input_shape, output_shape):
    inputs = keras.Input(input_shape)
    x = layers.Dense(N)(rows(input_shape)(inputs))
    for _ in range(2):
        y = layers.Conv1D(N, 3, padding="same")(layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x)))
        x = layers.Add()([x, layers.Dropout(0.1)(y)])
    return keras.Model(inputs, chain(x, *end(output_shape)))


def sequential_in_functional(input_shape, output_shape):
    inputs = keras.Input(input_shape)
    body = keras.Sequential([layers.Dense(N, activation="relu"), layers.Dense(N)], name="body")
    return keras.Model(inputs, chain(inputs, rows(input_shape), body, *end(output_shape)))


def _backbone(n_frames, n_values, name):
    inputs = keras.Input((n_frames, n_values), name="input")
    x = layers.Conv1D(N, 3, padding="same", activation="relu", name="conv1")(inputs)
    return keras.Model(inputs, layers.Dense(N, name="dense")(x), name=name)


def backbones_of_equal_names(input_shape, output_shape):
    """As of keras.applications: models within the network, whose layers are called alike."""
    inputs = keras.Input(input_shape, name="input")
    x = layers.Dense(N, name="conv1")(rows(input_shape)(inputs))
    x = _backbone(input_shape[0], N, "first")(x)
    x = _backbone(input_shape[0], N, "second")(x)
    return keras.Model(inputs, chain(x, *end(output_shape, name="dense")))


def shared_layer(input_shape, output_shape):
    inputs = keras.Input(input_shape)
    shared = layers.Dense(N, activation="relu")
    x = layers.Dense(N)(rows(input_shape)(inputs))
    return keras.Model(inputs, chain(shared(shared(x)) + x, *end(output_shape)))


def shared_model(input_shape, output_shape):
    inputs = keras.Input(input_shape)
    shared = _backbone(input_shape[0], N, "twin")
    x = layers.Dense(N)(rows(input_shape)(inputs))
    return keras.Model(inputs, chain(layers.Concatenate()([shared(x), shared(-x)]), *end(output_shape)))


def names_of_xval(input_shape, output_shape):
    """Layers that are called as those that xval puts around a network."""
    inputs = keras.Input(input_shape, name="features")
    x = layers.BatchNormalization(momentum=0.9, name="normalization")(
        layers.Reshape((input_shape[0], math.prod(input_shape[1:])), name="reshaping")(inputs)
    )
    x = layers.Dense(N, activation="relu", name="frontend")(x)
    x = layers.Dense(N, name="temperature")(x)
    x = layers.Dense(N, name="network")(layers.Dense(N, name="target_scaling")(x))
    return keras.Model(inputs, chain(x, *end(output_shape, name="prediction")), name="network")


def network_called_normalization(input_shape, output_shape):
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, chain(inputs, rows(input_shape), layers.Dense(N), *end(output_shape)), name="normalization")


def network_called_prediction(input_shape, output_shape):
    return keras.Sequential([rows(input_shape), layers.Dense(N), *end(output_shape)], name="prediction")


# Layers


def time_distributed(input_shape, output_shape):
    inner = keras.Sequential([layers.Dense(N, activation="relu"), layers.Dense(N)], name="inner")
    return within(input_shape, output_shape, layers.TimeDistributed(layers.Dense(N)), layers.TimeDistributed(inner))


def recurrent(input_shape, output_shape):
    return within(
        input_shape,
        output_shape,
        layers.Bidirectional(layers.LSTM(3, return_sequences=True, stateful=False)),
        layers.GRU(N, return_sequences=True),
        layers.RNN(layers.SimpleRNNCell(N), return_sequences=True),
    )


def attention(input_shape, output_shape):
    inputs = keras.Input(input_shape)
    x = layers.Dense(N)(rows(input_shape)(inputs))
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 3)(x, x))
    return keras.Model(inputs, chain(x, *end(output_shape)))


def masking(input_shape, output_shape):
    return within(input_shape, output_shape, layers.Masking(), layers.GRU(N, return_sequences=True))


def embedding(input_shape, output_shape):
    inputs = keras.Input(input_shape)
    x = layers.Dense(1)(rows(input_shape)(inputs))
    numbers = ops.cast(ops.clip(rows(input_shape)(inputs)[:, :, 0] + 2, 0, 3), "int32")
    return keras.Model(inputs, chain(layers.Embedding(4, N)(numbers) + x, *end(output_shape)))


# Own layers


@keras.saving.register_keras_serializable("networks")
class Scale(layers.Layer):
    """A layer with a weight that build() makes."""

    def build(self, input_shape):
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="scale")

    def call(self, x):
        return x * self.scale


@keras.saving.register_keras_serializable("networks")
class Mixed(layers.Layer):
    """A layer with weights that are made at once, of a size that it is given."""

    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = units
        self.dense = layers.Dense(units)
        self.drop = layers.Dropout(0.1)

    def build(self, input_shape):
        self.dense.build(input_shape)

    def call(self, x, training=None):
        return self.drop(self.dense(x), training=training)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("networks")
class Block(layers.Layer):
    """A layer of layers, which are built when they are called."""

    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = units
        self.parts = [Mixed(units), layers.Dense(units)]

    def call(self, x):
        return chain(x, *self.parts)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("networks")
class Unbuilt(Block):
    """Layers that Keras does not build when it reads a file: it asks for the shape in place of calling them."""

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)


def own_layers(input_shape, output_shape):
    return within(input_shape, output_shape, layers.Dense(N), Scale(), Mixed(N))


def own_layer_of_layers(input_shape, output_shape):
    return within(input_shape, output_shape, Block(N))


# Own classes


@keras.saving.register_keras_serializable("networks")
class OwnModel(keras.Model):
    def __init__(self, input_shape, output_shape, **options):
        super().__init__(**options)
        self.shapes = tuple(input_shape), tuple(output_shape)
        self.answer = end(output_shape)  # before what it reads
        self.rows = rows(input_shape)
        self.hidden = layers.Dense(N, activation="relu")
        self.dropout = layers.Dropout(0.1)

    def call(self, x, training=None):
        return chain(self.dropout(self.hidden(self.rows(x)), training=training), *self.answer)

    def get_config(self):
        return {**super().get_config(), "input_shape": self.shapes[0], "output_shape": self.shapes[1]}


def own_model(input_shape, output_shape):
    return OwnModel(input_shape, output_shape)


@keras.saving.register_keras_serializable("networks")
class OfLists(keras.Model):
    """Layers in a list and in a dict."""

    def __init__(self, n_frames, answer_shape, units=(N, N), **options):
        super().__init__(**options)
        self.arguments = {"n_frames": n_frames, "answer_shape": answer_shape, "units": units}
        self.rows = layers.Reshape((n_frames, -1))
        self.blocks = [layers.Dense(n, activation="relu") for n in units]
        self.ends = {"answer": keras.Sequential(end(answer_shape))}

    def call(self, x):
        return self.ends["answer"](chain(x, self.rows, *self.blocks))

    def get_config(self):
        return {**super().get_config(), **self.arguments}


def own_model_of_lists(input_shape, output_shape):
    return OfLists(input_shape[0], list(output_shape))


@keras.saving.register_keras_serializable("networks")
class OwnFunctional(keras.Model):
    def __init__(self, input_shape, output_shape, **options):
        self.shapes = tuple(input_shape), tuple(output_shape)
        inputs = keras.Input(input_shape)
        outputs = chain(inputs, rows(input_shape), layers.Dense(N, activation="relu"), *end(output_shape))
        super().__init__(inputs, outputs, **options)

    def get_config(self):
        return {"input_shape": self.shapes[0], "output_shape": self.shapes[1], "name": self.name}


def own_functional(input_shape, output_shape):
    return OwnFunctional(input_shape, output_shape)


@keras.saving.register_keras_serializable("networks")
class OwnWeights(keras.Model):
    """A model with a weight that is no layer's."""

    def __init__(self, n_frames, answer_shape, **options):
        super().__init__(**options)
        self.arguments = {"n_frames": n_frames, "answer_shape": answer_shape}
        self.rows = layers.Reshape((n_frames, -1))
        self.hidden = layers.Dense(N)
        self.answer = end(answer_shape)

    def build(self, input_shape):
        self.rows.build(input_shape)
        shape = self.rows.compute_output_shape(input_shape)
        self.hidden.build(shape)
        self.bias = self.add_weight(shape=(N,), name="shift")
        shape = (*shape[:-1], N)
        for layer in self.answer:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
        self.built = True

    def call(self, x):
        return chain(ops.relu(self.hidden(self.rows(x)) + self.bias), *self.answer)

    def get_config(self):
        return {**super().get_config(), **self.arguments}


def own_model_with_weights(input_shape, output_shape):
    return OwnWeights(input_shape[0], list(output_shape))


# Refused


def own_layer_without_build(input_shape, output_shape):
    return within(input_shape, output_shape, Unbuilt(N))


class Unregistered(Scale):
    pass


def own_layer_without_registration(input_shape, output_shape):
    return within(input_shape, output_shape, layers.Dense(N), Unregistered())


def own_model_without_get_config(input_shape, output_shape):
    class Plain(keras.Model):
        def __init__(self, *parts):
            super().__init__()
            self.parts = parts

        def call(self, x):
            return chain(x, *self.parts)

    return Plain(rows(input_shape), *end(output_shape))


def lambda_layer(input_shape, output_shape):
    return within(input_shape, output_shape, layers.Lambda(lambda x: 2 * x))


def own_training(input_shape, output_shape):
    class Trains(OwnModel):
        def train_step(self, data):
            return super().train_step(data)

    return Trains(input_shape, output_shape)


def fixed_batch(input_shape, output_shape):
    inputs = keras.Input(batch_shape=(4, *input_shape))
    return keras.Model(inputs, chain(inputs, rows(input_shape), *end(output_shape)))


def stateful(input_shape, output_shape):
    return within(input_shape, output_shape, layers.GRU(N, return_sequences=True, stateful=True))


def two_inputs(input_shape, output_shape):
    inputs = [keras.Input(input_shape), keras.Input(input_shape)]
    return keras.Model(inputs, chain(layers.Add()(inputs), rows(input_shape), *end(output_shape)))


def two_outputs(input_shape, output_shape):
    network = functional(input_shape, output_shape)
    return keras.Model(network.input, [network.output, network.output])


def dict_outputs(input_shape, output_shape):
    network = functional(input_shape, output_shape)
    return keras.Model(network.input, {"answer": network.output})


def wrong_shape(input_shape, output_shape):
    return functional(input_shape, (*output_shape[:-1], output_shape[-1] + 1))
