"""Check that the layers of a saved model need no more weights than its file has, before any of them takes memory."""

import math
from pathlib import Path
from typing import Any

from xval.backend.keras_internals import shapes_alone
from xval.base.errors import UnsafeModelError

_UNSAVED_VALUES = 1 << 16  # states of random layers, which are not among the weights; 2 each


def check_memory(config: dict[str, Any], path: Path, n_values: int) -> None:
    """Refuse a model whose layers need more weights than its file has.

    Args:
        config: The checked config.json; Keras changes it.
        path: The .keras file, in messages.
        n_values: How many numbers its weights are.

    Raises:
        UnsafeModelError: They do.
        Exception: Whatever Keras raises where the layers do not fit together.
    """
    import keras

    with shapes_alone():
        built = keras.saving.deserialize_keras_object(config, safe_mode=True)
        expected = sum(math.prod(variable.shape) for variable in getattr(built, "variables", ()))
    if expected > n_values + _UNSAVED_VALUES:
        raise UnsafeModelError(f"{path}: not loaded, because its layers need {expected} weights, but it has {n_values}.")
