"""What a saved network makes of examples: the output of one of its layers.

Comes in: a saved model, and which layer, or how many are dropped. Goes out: a Keras model from the stored features (or samples)
to float32 (n_examples, n_features).
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from xval.base.errors import SettingsError, suggestion
from xval.models.build import KERNELS, PARTS_BEFORE

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
        before, network = _split(model, where)
        chosen = _read_by(network, layers_dropped, where) if layer is None else _output_of(network, layer, where)
        cut = keras.Model(network.inputs[0], chosen, name="network")
        hidden = model.input
        for earlier in before:
            hidden = earlier(hidden)
        features = cut(hidden)
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
    before, network = _split(model, where)
    inner = keras.Model(network.inputs[0], _read_by(network, 1, where, averaged=False))

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
    before, network = _split(model, where)
    both = keras.Model(network.inputs[0], [network.outputs[0], _read_by(network, 1, where)], name="network")
    hidden = model.input
    for earlier in before:
        hidden = earlier(hidden)
    answers, embedding = both(hidden)
    for later in model.layers[model.layers.index(network) + 1 :]:
        answers = later(answers)
    joined = keras.Model(model.input, [answers, layers.Activation("linear", dtype="float32")(embedding)])
    compile_for_prediction(joined)
    return joined


def count_kernel_layers(model: keras.Model, *, where: str) -> int:
    """Return how many layers with a kernel the network of a saved model has, the most that `cut_model` can drop."""
    return len(_with_kernel(_split(model, where)[1]))


def compile_for_prediction(model: keras.Model) -> None:
    """Compile a model as for training: no XLA for TensorFlow, which would compile anew for every length of clips."""
    model.compile(jit_compile=False if keras.backend.backend() == "tensorflow" else "auto")


def _split(model: keras.Model, where: str) -> tuple[list[keras.layers.Layer], keras.Model]:
    """Return what stands before the architecture, and the architecture."""
    chain = [layer for layer in model.layers if not isinstance(layer, layers.InputLayer)]
    for position, layer in enumerate(chain):
        if isinstance(layer, keras.Model) and layer.name not in PARTS_BEFORE:
            if not _is_graph(layer) or any(isinstance(inner, keras.Model) for inner in _counted(layer)):
                raise SettingsError(
                    f"{where}: the layers of its network '{layer.name}' cannot be counted, as it is not a plain functional "
                    "Keras model. Set layers_dropped=0 for its predictions."
                )
            return chain[:position], layer
    raise SettingsError(f"{where}: it holds no network as xval saves it. Set layers_dropped=0 for its predictions.")


def _is_graph(network: keras.Model) -> bool:
    """Return whether a network is a graph of its layers, functional or sequential; the code of other classes is not seen.

    Its own ``inputs`` and ``outputs`` tell: ``input`` of a network that is a part of another model is a tensor of that model.
    """
    if isinstance(network, keras.Sequential):
        return bool(network.built)
    return hasattr(network, "operations") and len(network.inputs) == len(network.outputs) == 1


def _read_by(network: keras.Model, number: int, where: str, *, averaged: bool = True) -> keras.KerasTensor:
    """Return the input of the layer with a kernel that is `number`-th from the end, averaged to one axis or as it is."""
    with_kernel = _with_kernel(network)
    if number > len(with_kernel):
        listed = ", ".join(layer.name for layer in with_kernel)
        raise SettingsError(
            f"layers_dropped={number}: {where} has {len(with_kernel)} dense, convolutional or recurrent layers ({listed}); "
            f"allowed: 0 to {len(with_kernel)}."
        )
    read = _single(with_kernel[-number].input)
    while len(read.shape) == 2 and isinstance(producer := _producer(network, read), _FLATTENING):
        read = _single(producer.input)
    return _averaged(read) if averaged else read


def _with_kernel(network: keras.Model) -> list[keras.layers.Layer]:
    return [layer for layer in _counted(network) if any(variable.name in KERNELS for variable in layer.weights)]


def _counted(network: keras.Model) -> list[keras.layers.Layer]:
    """Return the layers of a network, but for what else stands before it: that of an encoder has the sum of layers within."""
    return [layer for layer in network.layers if layer.name not in PARTS_BEFORE]


def _output_of(network: keras.Model, name: str, where: str) -> keras.KerasTensor:
    """Return what a layer gives, averaged to one axis."""
    names = [layer.name for layer in network.layers if not isinstance(layer, layers.InputLayer)]
    if name not in names:
        raise SettingsError(f"layer '{name}': {where} has no such layer. {suggestion(name, names)}")
    return _averaged(_single(network.get_layer(name).output))


def _averaged(values: keras.KerasTensor) -> keras.KerasTensor:
    """Return values averaged over all axes but the first and the last."""
    return _AveragePooling[len(values.shape)](name="averaged")(values) if len(values.shape) > 2 else values


_AveragePooling: dict[int, Any] = {
    3: layers.GlobalAveragePooling1D,
    4: layers.GlobalAveragePooling2D,
    5: layers.GlobalAveragePooling3D,
}


def _producer(network: keras.Model, tensor: keras.KerasTensor) -> keras.layers.Layer | None:
    """Return the layer whose output a tensor is."""
    return next((layer for layer in network.layers if _single(layer.output) is tensor), None)


def _single(tensors: Any) -> Any:
    """Return the one tensor of a layer with one input or output; the first of several."""
    return tensors[0] if isinstance(tensors, list | tuple) else tensors
