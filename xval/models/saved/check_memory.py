"""Check how much memory the layers of a saved model would take, before one of them is run or given weights.

Comes in: the checked config.json of a .keras file, and how many numbers its weights are. Goes out: nothing, or the name of the
layer that would take too much. A layer needs no weights to fill a memory: RepeatVector(10**8) is 300 bytes of a file.
"""

import math
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xval.backend.keras_internals import all_layers, shapes_alone, shapes_of, shapes_within
from xval.base.errors import UnsafeModelError

if TYPE_CHECKING:
    import keras

LARGEST_OUTPUT = 1 << 28
"""Values that a layer may make of one example: 1 GB of float32. Networks for audio make up to 4 x 10^7 of 10 s."""

_UNSAVED_VALUES = 1 << 16  # states of random layers, which are not among the weights; 2 each
_TRIED_LENGTHS = (1 << 10, 1 << 16)
"""Of inputs of any length: of spectrograms; of samples, of which some networks need more."""


def check_memory(config: dict[str, Any], path: Path, n_values: int) -> None:
    """Refuse a model whose layers need more weights than its file has, or make too much of an example.

    Inputs of any length are tried at a length of 1024, or 65536 where the layers cannot be built for fewer.

    Args:
        config: The checked config.json.
        path: The .keras file, in messages.
        n_values: How many numbers its weights are.

    Raises:
        UnsafeModelError: There is such a layer.
        Exception: Whatever Keras raises where the layers do not fit together.
    """
    with shapes_alone():
        built = _build(config)
        wanted = sum(math.prod(variable.shape) for variable in getattr(built, "variables", ()))
        if wanted > n_values + _UNSAVED_VALUES:
            raise UnsafeModelError(f"{path}: not loaded, because its layers need {wanted} weights, but it has {n_values}.")
        length = _TRIED_LENGTHS[0]
        _check_outputs(built, path, length)
        has_any_length = any(None in settings["batch_shape"][1:] for settings in _inputs(config))
        for length in _TRIED_LENGTHS if has_any_length else ():
            try:
                tried = _build(_with_length(config, length))
            except Exception:  # noqa: BLE001, S112 - what is too short for some layer fails anywhere
                continue
            _check_outputs(tried, path, length)
            break


def _build(config: dict[str, Any]) -> "keras.Model":
    import keras

    return keras.saving.deserialize_keras_object(deepcopy(config), safe_mode=True)


def _inputs(config: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the settings of the input layers of a model; not of the models within."""
    inner = config.get("config")
    layers = inner.get("layers", ()) if isinstance(inner, dict) else ()
    candidates = [
        layer.get("config") for layer in layers if isinstance(layer, dict) and layer.get("class_name") == "InputLayer"
    ]
    return [settings for settings in candidates if isinstance(settings, dict) and isinstance(settings.get("batch_shape"), list)]


def _with_length(config: dict[str, Any], length: int) -> dict[str, Any]:
    """Return the config with a length in place of any length."""
    changed = deepcopy(config)
    for settings in _inputs(changed):
        first, *others = settings["batch_shape"]
        settings["batch_shape"] = [first, *(length if size is None else size for size in others)]
    return changed


def _check_outputs(model: "keras.Model", path: Path, length: int) -> None:
    """Refuse a layer whose output, or whose attention, has too many values; a size that is not known counts as a length."""
    for layer, inputs, outputs in _calls(model):
        n_values = max(_most_values(layer, inputs, outputs, length), default=0)
        if n_values > LARGEST_OUTPUT:
            named = f"its layer {layer.name!a:.80} ({type(layer).__name__})"
            raise UnsafeModelError(
                f"{path}: not loaded, because {named} makes {n_values:.3g} values from one example ({4 * n_values / 1e9:.3g} "
                f"GB); at most {LARGEST_OUTPUT} are allowed."
            )


def _calls(model: "keras.Model") -> Iterator[tuple[Any, list[Any], list[Any]]]:
    """Yield the layers and operations of a model, and of models within, with the shapes of each call, inputs and outputs."""
    followed: set[int] = set()
    if getattr(model, "inputs", None):
        for call in shapes_within(model, model.inputs):
            followed.add(id(call[0]))
            yield call
    layers = [*all_layers(model), *(operation for layer in all_layers(model) for operation in getattr(layer, "operations", ()))]
    for layer in {id(operation): operation for operation in layers}.values():  # those within layers, too
        if id(layer) not in followed:
            yield from ((layer, inputs, outputs) for inputs, outputs in shapes_of(layer))


def _most_values(layer: Any, inputs: list[Any], outputs: list[Any], length: int) -> Iterator[int]:
    """Yield how many values a layer makes of an example in one call: its outputs, and what is larger within."""
    sizes = [_size(shape[1:], length) for shape in outputs]
    yield from sizes
    if "Attention" in type(layer).__name__ and inputs:
        heads = getattr(layer, "num_heads", None) or getattr(layer, "num_query_heads", None) or 1
        times = [_size(shape[1:-1], length) for shape in inputs]
        yield heads * times[0] * max(times)
    if n_mels := getattr(layer, "num_mel_bins", 0):
        n_bins = layer.fft_length // 2 + 1
        yield n_mels * n_bins
        yield from (size // n_mels * n_bins for size in sizes)


def _size(shape: tuple[int | None, ...], length: int) -> int:
    return math.prod(length if size is None else int(size) for size in shape)
