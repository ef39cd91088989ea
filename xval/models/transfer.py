"""Start from the weights of a saved model, and freeze the first blocks of a network.

Weights are copied into the freshly built model of a fold. What is normalised by stays that of the fold's own training items,
and an output layer for other classes stays new.

A block is a layer with a kernel (convolution, dense or recurrent) and all layers behind it up to the next such layer, batch
normalisation included; what comes ahead of the first kernel belongs to the first block. The block of the output layer is the
last one and is never frozen. Transfer by copying and freezing the first layers: Yosinski et al. 2014, "How transferable are
features in deep neural networks?".
"""

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

import keras
import numpy as np

from preprocessing.store import FeatureStore
from xval.backend.torch_module import TorchBlock, TorchModule
from xval.base.errors import ResultsError, SettingsError, counted
from xval.models.build import CONSTANT_LAYERS, KERNELS, class_names
from xval.models.graph import called_layers
from xval.models.saved.initial import InitialModel
from xval.models.saved.load import read_keras_model
from xval.settings.schema import Settings

Pair = tuple[keras.layers.Layer, keras.layers.Layer]
Block = list[keras.layers.Layer]


def start_from(model: keras.Model, initial: InitialModel, settings: Settings, store: FeatureStore) -> dict[str, Any]:
    """Copy the weights of an initial model into a fresh one and freeze the blocks that the settings name.

    The output layer is copied where both models answer the same task with the same classes (or the same targets) in the same
    order, and stays new otherwise. Where they scale targets otherwise, it is changed so that the answers are the same; one that
    is no Dense layer with a bias stays new then. With initial_model_match=all every other layer has to fit; otherwise those
    of `match_layers` are copied, from any layer of the initial model, and the rest stays new. A frozen batch normalisation
    keeps its moving statistics and normalises by them in training too, also once its block is trained (unfreeze_every): its
    statistics are those that the weights were trained with (https://keras.io/guides/transfer_learning).

    Args:
        model: Of `build_model`, not compiled yet.
        initial: The model to start from. It is loaded in Keras's safe mode.
        settings: Of them architecture, task_type, initial_model_match, frozen_layers, frozen and unfreeze_every.
        store: It names the classes or targets.

    Returns:
        The names of the layers with weights: ``layers_copied``, ``layers_new`` (not copied), ``layers_unused`` (of the initial
        model) and ``layers_frozen``; with unfreeze_every ``layers_unfrozen``, by the epoch, from 1, that they learn from.
    """
    blocks = network_blocks(model)
    if whole := [layer for block in blocks for layer in block if isinstance(layer, keras.Model)]:
        raise SettingsError(
            f"initial_model: the class {type(whole[0]).__name__} of the network has weights outside of its layers, which "
            "cannot be copied layer by layer. Move them into a layer"
        )
    frozen = blocks_to_freeze(blocks, settings)
    initial_model = _load(initial)
    pairs = _copy(model, initial_model, initial, settings, store)
    touched = {id(layer) for pair in pairs for layer in pair}  # names may come twice where a model is in a model
    untrained = [layer.name for layer in _with_weights(frozen) if id(layer) not in touched]
    if untrained:
        raise SettingsError(
            f"initial_model: layer '{untrained[0]}' would be frozen, but no layer of {initial.path} matches it. Freeze fewer "
            "blocks with frozen_layers"
        )
    return {
        "layers_copied": [layer.name for layer, _ in pairs],
        "layers_new": [layer.name for layer in _with_weights(blocks) if id(layer) not in touched],
        "layers_unused": [layer.name for layer in _with_weights(network_blocks(initial_model)) if id(layer) not in touched],
        **_freeze(frozen, settings),
    }


def freeze_blocks(model: keras.Model, settings: Settings) -> dict[str, Any]:
    """Freeze the blocks that the settings name, of a network that is pretrained without an initial model.

    Returns:
        Of the facts of `start_from` those on frozen layers; none where nothing is frozen.
    """
    frozen = blocks_to_freeze(network_blocks(model), settings)
    return _freeze(frozen, settings) if frozen else {}


def _freeze(frozen: list[Block], settings: Settings) -> dict[str, Any]:
    for layer in (layer for block in frozen for layer in block):
        if not settings.unfreeze_every or _is_batch_normalisation(layer):
            layer.trainable = False
    unfrozen_layers = {
        str(number * settings.unfreeze_every + 1): [layer.name for layer in block if layer.trainable_weights]
        for number, block in enumerate(reversed(frozen), start=1)
    }
    layers_frozen = [layer.name for layer in _with_weights(frozen)]
    return {"layers_frozen": layers_frozen, **({"layers_unfrozen": unfrozen_layers} if settings.unfreeze_every else {})}


def network_blocks(model: keras.Model) -> list[Block]:
    """Return the layers of a model's network in blocks, from the input to the output; the last block has the output layer.

    What xval puts ahead of the network and behind it, the layers of `CONSTANT_LAYERS`, is left out.
    """
    blocks: list[Block] = [[]]
    for layer in (inner for part in model.layers if part.name not in CONSTANT_LAYERS for inner in _layers_of(part)):
        if _has_kernel(layer) and any(map(_has_kernel, blocks[-1])):
            blocks.append([])
        blocks[-1].append(layer)
    return blocks


def _layers_of(layer: keras.layers.Layer) -> Block:
    """Return a layer, or the layers of a model in the order of their calls, those of models within it in their place."""
    inner = getattr(layer, "layer", None)
    if isinstance(inner, keras.Model):
        return _layers_of(inner)
    if isinstance(layer, TorchModule) and layer.blocks:
        return layer.blocks
    if not isinstance(layer, keras.Model):
        return [layer]
    parts = called_layers(layer)
    within = {id(weight) for part in parts for weight in part.weights}
    if any(id(weight) not in within for weight in layer.weights):
        return [layer]  # a class of the user's own with weights outside of its layers, which belong together
    return [inner_layer for part in parts for inner_layer in _layers_of(part)]


def _has_kernel(layer: keras.layers.Layer) -> bool:
    if isinstance(layer, keras.layers.TorchModuleWrapper | TorchBlock):
        return True  # all of a module is one layer, or has several with names of their own
    return _is_convolution(layer) or any(variable.name in KERNELS for variable in layer.weights)


def _is_convolution(layer: keras.layers.Layer) -> bool:
    """Return whether a layer, or the one that it repeats over time, is a convolution; Keras's and our own are named so."""
    if isinstance(layer, TorchBlock):
        return layer.is_convolution
    return "Conv" in type(getattr(layer, "layer", layer)).__name__


def _is_batch_normalisation(layer: keras.layers.Layer) -> bool:
    return isinstance(getattr(layer, "layer", layer), keras.layers.BatchNormalization)


def blocks_to_freeze(blocks: list[Block], settings: Settings) -> list[Block]:
    """Return the blocks of `network_blocks` that frozen_layers or frozen name, from the input to the output."""
    *hidden, _output = blocks
    if settings.frozen == "convolutions":
        chosen = [block for block in hidden if any(map(_is_convolution, block))]
        if not chosen:
            raise SettingsError("frozen='convolutions': the network has no convolution before its output layer")
        return chosen
    n_frozen = settings.frozen_layers
    if n_frozen > len(hidden):
        names = ", ".join(next(filter(_has_kernel, block)).name for block in hidden) or "none"
        raise SettingsError(
            f"frozen_layers={n_frozen}: the network has {counted(len(hidden), 'block')} that can be frozen ({names}); the "
            "output layer is never frozen"
        )
    return hidden[:n_frozen]


def _load(initial: InitialModel) -> keras.Model:
    """Load the initial model; the architecture of the instance, whose layers it may have, is imported by now."""
    try:
        return read_keras_model(initial.path)
    except ResultsError as error:
        raise SettingsError(f"initial_model: {error}") from error


def _copy(
    model: keras.Model, initial_model: keras.Model, initial: InitialModel, settings: Settings, store: FeatureStore
) -> list[Pair]:
    """Copy weights layer by layer, once all are known to fit; return each layer that has got some with where they are from."""
    blocks, initial_blocks = network_blocks(model), network_blocks(initial_model)
    hidden, initial_hidden = _with_weights(blocks[:-1]), _with_weights(initial_blocks[:-1])
    output, initial_output = _with_weights(blocks[-1:]), _with_weights(initial_blocks[-1:])
    if settings.initial_model_match == "all":
        pairs = _all_pairs(hidden, initial_hidden, initial, settings)
    else:
        # What is the output there, of an encoder say, may be a layer in the middle here.
        pairs = match_layers(hidden, [*initial_hidden, *initial_output], settings.initial_model_match)
    is_same = _answers(initial.provenance.described) == (settings.task_type, class_names(store, settings), store.target_names)
    initial_scale, scale = _target_scale(initial_model), _target_scale(model)
    is_same &= len(output) == len(initial_output) and all(map(is_alike, zip(output, initial_output, strict=True)))
    is_same &= initial_scale == scale or _is_linear(output)
    if is_same:
        pairs += zip(output, initial_output, strict=True)
    if not pairs and settings.initial_model_match == "all":
        raise SettingsError(
            f"initial_model: nothing of {initial.path} can be copied, because it has only an output layer for other classes"
        )
    if not pairs:
        theirs, ours = (
            ", ".join(f"'{layer.name}' ({described(layer)})" for layer in layers[:3])
            for layers in ([*initial_hidden, *initial_output], hidden)
        )
        raise SettingsError(
            f"initial_model_match='{settings.initial_model_match}': no layer matches. The first layers of {initial.path}: "
            f"{theirs}; of architecture '{settings.architecture}': {ours or 'none before its output layer'}. "
            "Build both alike, or choose another initial_model"
        )
    for layer, source in pairs:
        layer.set_weights(source.get_weights())
    if is_same and initial_scale != scale:
        kernel, bias = output[0].get_weights()
        factor = np.divide(initial_scale[0], scale[0])
        output[0].set_weights([kernel * factor, bias * factor + np.subtract(initial_scale[1], scale[1]) / scale[0]])
    return pairs


def _all_pairs(hidden: Block, initial_hidden: Block, initial: InitialModel, settings: Settings) -> list[Pair]:
    """Return every layer ahead of the output with its counterpart, or refuse a model that is built otherwise."""
    if len(hidden) != len(initial_hidden):
        raise SettingsError(
            f"initial_model: {initial.path} has {counted(len(initial_hidden), 'layer')} with weights before its output layer, "
            f"but the network of architecture '{settings.architecture}' has {len(hidden)}. Build both alike, or set "
            "initial_model_match to names, shapes or prefix"
        )
    pairs = list(zip(hidden, initial_hidden, strict=True))
    for layer, source in pairs:
        if not is_alike((layer, source)):
            raise SettingsError(
                f"initial_model: layer '{layer.name}' is {described(layer)}, but layer '{source.name}' of {initial.path} is "
                f"{described(source)}. Set the same options of the architecture and features of the same shape; or set "
                "initial_model_match to names, shapes or prefix"
            )
    return pairs


def match_layers(layers: Sequence[keras.layers.Layer], sources: Sequence[keras.layers.Layer], match: str) -> list[Pair]:
    """Return pairs of a layer and the one whose weights it takes, in the order of `layers`.

    The networks may be built differently.

    Args:
        layers: Of the network.
        sources: Of the saved model.
        match: names: those of the same name. shapes: each layer takes the next one of `sources` that is like it, so that the
            order is kept. prefix: from the input on, one for one, until a pair differs.
    """
    if match == "names":
        named = {source.name: source for source in sources}
        pairs = [(layer, named[layer.name]) for layer in layers if layer.name in named]
        return [pair for pair in pairs if is_alike(pair)]
    if match == "prefix":
        return list(takewhile(is_alike, zip(layers, sources, strict=False)))
    pairs_in_order: list[Pair] = []
    first = 0
    for layer in layers:
        place = next((place for place in range(first, len(sources)) if is_alike((layer, sources[place]))), None)
        if place is not None:
            pairs_in_order.append((layer, sources[place]))
            first = place + 1
    return pairs_in_order


def is_alike(pair: Pair) -> bool:
    """Return whether two layers are of the same kind, with weights of the same shapes."""
    return form(pair[0]) == form(pair[1])


def form(layer: keras.layers.Layer) -> tuple[str, list[tuple[int, ...]]]:
    """Return the kind of a layer and the shapes of its weights."""
    return type(layer).__name__, [tuple(variable.shape) for variable in layer.weights]


def described(layer: keras.layers.Layer) -> str:
    """Return kind and shapes as a text."""
    kind, shapes = form(layer)
    return f"{kind} with weights of shape {', '.join(map(str, shapes))}"


def _target_scale(model: keras.Model) -> tuple[list[float], list[float]] | tuple[float, float]:
    """Return the deviation and mean of each number that a model predicts; 1 and 0 where it does not scale targets."""
    layer = next((layer for layer in model.layers if layer.name == "target_scaling"), None)
    if layer is None:
        return 1.0, 0.0
    deviation, mean = layer.get_weights()[:2]
    return deviation.tolist(), mean.tolist()


def _is_linear(output: Block) -> bool:
    return len(output) == 1 and isinstance(output[0], keras.layers.Dense) and output[0].use_bias


def _with_weights(blocks: list[Block]) -> Block:
    return [layer for block in blocks for layer in block if layer.weights]


def _answers(description: Mapping[str, Any]) -> tuple[object, tuple[str, ...], tuple[str, ...]]:
    """Return the task, classes and targets of a saved model."""
    classes, targets = (tuple(description.get(name, ())) for name in ("class_names", "target_names"))
    return description.get("task_type"), classes, targets
