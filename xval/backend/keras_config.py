"""Read and restore the process-wide settings of keras.config, so that a change in a network's build() affects only its jobs."""

from collections.abc import Mapping

import keras

_NEWER_NAMES = ("max_epochs", "max_steps_per_epoch")  # only newer versions of Keras have them
_KEPT: dict[str, object] = {}


def read_config() -> dict[str, object]:
    """Return the settings of keras.config that change results, by their names."""
    config: dict[str, object] = {
        name: getattr(keras.config, name)()
        for name in ("floatx", "epsilon", "image_data_format", *_NEWER_NAMES)
        if hasattr(keras.config, name)
    }
    return config | {"dtype_policy": keras.config.dtype_policy().name}


def restore_config() -> None:
    """Restore the settings of the first call in this process, except the dtype policy; the first call only stores them."""
    if not _KEPT:
        _KEPT.update(read_config())
    set_config({name: value for name, value in _KEPT.items() if name != "dtype_policy"})


def set_config(config: Mapping[str, object]) -> None:
    """Set settings of keras.config, given as by `read_config`."""
    for name, value in config.items():
        getattr(keras.config, f"set_{name}")(value)


def changes(before: Mapping[str, object]) -> dict[str, object]:
    """Return the settings that differ from an earlier `read_config`, with their present values."""
    return {name: value for name, value in read_config().items() if value != before[name]}
