"""Cut a saved network at one of its layers, so that its embeddings can serve as features: float32 (n_examples, n_features).

The cut model is one of Keras, and reads the stored features (or samples).
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
        model: As `model.build_model` made it: one layer behind the other, of which one is the architecture.
        layers_dropped: 0: its prediction; n: what the n-th last layer with a kernel (dense, convolutional, recurrent) reads. A
            map is averaged over all axes but the last, also where it is flattened before that layer reads it.
        where: Named in errors.
        layer: Name of a layer of the architecture, whose output is taken instead, averaged in the same way.

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
    """Return the function that gives what the last layer with a kernel reads, as `cut_model` with layers_dropped=1.

    It computes layer by layer, so that nothing is compiled for the few examples that it is asked for, and adds nothing to the
    graph of a model that trains again.

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
    """Return a model that answers with its prediction and with what its last layer with a kernel reads.

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
    """Return how many layers with a kernel the network of a saved model has, the most that `cut_model` can drop."""
    return len(_with_kernel(_graph(_split(model, where)[1], where)))


def compile_for_prediction(model: keras.Model) -> None:
    """Compile a model as for training: no XLA for TensorFlow, which would compile anew for every length of clips."""
    model.compile(jit_compile=False if keras.backend.backend() == "tensorflow" else "auto")


def _split(model: keras.Model, where: str) -> tuple[list[keras.layers.Layer], keras.Model, list[keras.layers.Layer]]:
    """Return what is before the network of a model, the network, and what is behind it."""
    chain = [layer for layer in model.layers if not isinstance(layer, layers.InputLayer)]
    for position, layer in enumerate(chain):
        if isinstance(layer, keras.Model) and not is_part_before(layer):
            return chain[:position], layer, chain[position + 1 :]
    raise SettingsError(f"{where}: it has no network saved by xval. Set layers_dropped=0 to use its predictions.")


def _after(chain: Sequence[keras.layers.Layer], tensor: keras.KerasTensor) -> keras.KerasTensor:
    """Return what layers make of a tensor, one after the other."""
    for layer in chain:
        tensor = layer(tensor)
    return tensor


def _graph(network: keras.Model, where: str) -> keras.Model:
    """Return a network as a graph of layers, which can be counted."""
    try:
        return layer_graph(network)
    except NoGraphError as error:
        raise SettingsError(
            f"{where}: the layers of its network '{network.name}' cannot be counted, because {error}. Set layers_dropped=0 "
            "to use its predictions; or let build() return a functional model, keras.Model(inputs, outputs), and train it "
            "again."
        ) from error


def _read_by(graph: keras.Model, number: int, where: str, *, averaged: bool = True) -> keras.KerasTensor:
    """Return the input of the layer with a kernel that is `number`-th from the end, averaged to one axis or as it is."""
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
    """Return values averaged over all axes but the first and the last."""
    return _AveragePooling[len(values.shape)](name="averaged")(values) if len(values.shape) > 2 else values


_AveragePooling: dict[int, Any] = {
    3: layers.GlobalAveragePooling1D,
    4: layers.GlobalAveragePooling2D,
    5: layers.GlobalAveragePooling3D,
}
