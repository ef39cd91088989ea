"""Cut a saved network at one of its layers, to use its embeddings as features: float32 (n_examples, n_features).

The result is a Keras model that reads the stored features (or samples).
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from xval.backend.keras_internals import calls_in
from xval.base.errors import SettingsError, suggestion
from xval.models.build import KERNELS
from xval.models.graph import NoGraphError, functional, is_part_before, layer_graph, names_kept

# These only pass values on when a model predicts: behind them stands what a map looked like.
_FLATTENING = (layers.Flatten, layers.Dropout, layers.SpatialDropout1D, layers.SpatialDropout2D)


def cut_model(model: keras.Model, layers_dropped: int, *, where: str, layer: str | None = None) -> keras.Model:
    """Return a model that ends in the input of one of the last layers, or in the output of a named layer.

    Args:
        model: A model of `model.build_model`: a chain of layers, one of which is the architecture.
        layers_dropped: 0: its prediction; n: the input of the n-th last layer with a kernel (dense, convolutional, recurrent).
            A map is averaged over all axes except the last, even if it is flattened before that layer.
        where: A name for errors.
        layer: Name of a layer of the architecture whose output is used instead, averaged in the same way.

    Returns:
        A model from the same input to float32 (n_examples, n_features), compiled for prediction.
    """
    if layer is None and layers_dropped == 0:
        features = layers.Flatten(name="flattened")(model.output)
    else:
        before, network, _ = _split(model, where)
        if layer is None:
            graph = _graph(network, where)
            chosen = _read_by(graph, layers_dropped, where)
        else:
            graph, chosen = _output_of(network, layer, where)
        cut = keras.Model(graph.inputs[0], chosen, name="network")
        features = cut(_after(before, model.input))
    outputs = layers.Activation("linear", dtype="float32", name="embedding")(features)
    cut_network = keras.Model(model.input, outputs, name="cut_network")
    compile_for_prediction(cut_network)
    return cut_network


def read_by_last_layer(model: keras.Model, *, where: str) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Return the function that computes the input of the last layer with a kernel, as `cut_model` with layers_dropped=1.

    It computes layer by layer, so that nothing is compiled for a few examples, and the graph of a model in training does not
    change.

    Raises:
        SettingsError: The layers of the network cannot be counted.
    """
    before, network, _ = _split(model, where)
    with names_kept(network):
        graph = _graph(network, where)
        inner = keras.Model(graph.inputs[0], _read_by(graph, 1, where, averaged=False))

    def embed(predictors: NDArray[np.float32]) -> NDArray[np.float32]:
        hidden = keras.ops.convert_to_tensor(predictors)
        for layer in [*before, inner]:
            hidden = layer(hidden, training=False) if isinstance(layer, keras.Model) else layer(hidden)
        values = keras.ops.convert_to_numpy(hidden)
        return np.asarray(values.mean(axis=tuple(range(1, values.ndim - 1))), np.float32)

    return embed


def predict_and_embed(model: keras.Model, *, where: str) -> keras.Model:
    """Return a model with two outputs: its prediction and the input of its last layer with a kernel.

    Raises:
        SettingsError: The layers of the network cannot be counted.
    """
    before, network, after = _split(model, where)
    graph = _graph(network, where)
    both = keras.Model(graph.inputs[0], [graph.outputs[0], _read_by(graph, 1, where)], name="network")
    answers, embedding = both(_after(before, model.input))
    joined = keras.Model(model.input, [_after(after, answers), layers.Activation("linear", dtype="float32")(embedding)])
    compile_for_prediction(joined)
    return joined


def count_kernel_layers(model: keras.Model, *, where: str) -> int:
    """Return the number of layers with a kernel in a saved model's network, which is the most that `cut_model` can drop."""
    return len(_with_kernel(_graph(_split(model, where)[1], where)))


def compile_for_prediction(model: keras.Model) -> None:
    """Compile a model as for training, without XLA on TensorFlow, which would compile again for every length of clips."""
    model.compile(jit_compile=False if keras.backend.backend() == "tensorflow" else "auto")


def _split(model: keras.Model, where: str) -> tuple[list[keras.layers.Layer], keras.Model, list[keras.layers.Layer]]:
    """Return the layers before the network of a model, the network, and the layers after it."""
    chain = [layer for layer in model.layers if not isinstance(layer, layers.InputLayer)]
    for position, layer in enumerate(chain):
        if isinstance(layer, keras.Model) and not is_part_before(layer):
            return chain[:position], layer, chain[position + 1 :]
    raise SettingsError(f"{where}: it has no network saved by xval. Set layers_dropped=0 to use its predictions.")


def _after(chain: Sequence[keras.layers.Layer], tensor: keras.KerasTensor) -> keras.KerasTensor:
    """Apply layers to a tensor, one after the other."""
    for layer in chain:
        tensor = layer(tensor)
    return tensor


def _graph(network: keras.Model, where: str) -> keras.Model:
    """Return a network as a graph of layers that can be counted."""
    try:
        return layer_graph(network)
    except NoGraphError as error:
        raise SettingsError(
            f"{where}: the layers of its network '{network.name}' cannot be counted, because {error}. Set layers_dropped=0 "
            "to use its predictions; or let build() return a functional model, keras.Model(inputs, outputs), and train it "
            "again."
        ) from error


def _read_by(graph: keras.Model, number: int, where: str, *, averaged: bool = True) -> keras.KerasTensor:
    """Return the input of the `number`-th last layer with a kernel, averaged to one axis or unchanged."""
    with_kernel = _with_kernel(graph)
    if number > len(with_kernel):
        listed = ", ".join(layer.name for layer in with_kernel)
        raise SettingsError(
            f"layers_dropped={number}: {where} has {len(with_kernel)} dense, convolutional or recurrent layers ({listed}); "
            f"expected 0 to {len(with_kernel)}."
        )
    calls = calls_in(graph)
    read = next(inputs[0] for called, inputs, _ in calls if called is with_kernel[-number])
    while len(read.shape) == 2:
        before = next(
            (inputs for called, inputs, outputs in calls if outputs[0] is read and isinstance(called, _FLATTENING)), None
        )
        if before is None:
            break
        read = before[0]
    return _averaged(read) if averaged else read


def _with_kernel(graph: keras.Model) -> list[keras.layers.Layer]:
    """Return the layers with a kernel; that of an encoder has the sum of layers ahead of it, which is not counted."""
    return [
        layer
        for layer in graph.layers
        if not is_part_before(layer) and any(variable.name in KERNELS for variable in layer.weights)
    ]


def _output_of(network: keras.Model, name: str, where: str) -> tuple[keras.Model, keras.KerasTensor]:
    """Return a graph that has a layer of the network or of a model within it, and the output of it, averaged to one axis."""
    try:
        graphs = [functional(network), layer_graph(network)]
    except NoGraphError as error:
        raise SettingsError(
            f"layer '{name}': the layers of {where} cannot be distinguished, because {error}. Set layers_dropped=0 to use "
            "its predictions."
        ) from error
    given = [(graph, called, outputs[0]) for graph in graphs for called, _, outputs in calls_in(graph)]
    found = [(graph, output) for graph, called, output in given if called.name == name]
    if not found:
        names = {called.name for _, called, _ in given if isinstance(called, layers.Layer)}
        raise SettingsError(f"layer '{name}': {where} has no such layer. {suggestion(name, names)}")
    graph, output = found[0]
    return graph, _averaged(output)


def _averaged(values: keras.KerasTensor) -> keras.KerasTensor:
    """Return values averaged over all axes except the first and the last."""
    return _AveragePooling[len(values.shape)](name="averaged")(values) if len(values.shape) > 2 else values


_AveragePooling: dict[int, Any] = {
    3: layers.GlobalAveragePooling1D,
    4: layers.GlobalAveragePooling2D,
    5: layers.GlobalAveragePooling3D,
}
