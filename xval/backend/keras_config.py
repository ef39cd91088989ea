"""What keras.config holds for a whole process, which a network's build() may change: only for its own instance."""

from collections.abc import Mapping

import keras

_READ_ALONE = ("max_epochs", "max_steps_per_epoch")  # newer versions of Keras have them
_KEPT: dict[str, object] = {}


def read_config() -> dict[str, object]:
    """Return the settings of Keras that change results, by their names."""
    config: dict[str, object] = {
        name: getattr(keras.config, name)()
        for name in ("floatx", "epsilon", "image_data_format", *_READ_ALONE)
        if hasattr(keras.config, name)
    }
    return config | {"dtype_policy": keras.config.dtype_policy().name}


def restore_config() -> None:
    """Put all back as it was when this was called for the first time in this process, but for the dtype policy."""
    if not _KEPT:
        _KEPT.update(read_config())
    set_config({name: value for name, value in _KEPT.items() if name != "dtype_policy"})


def set_config(config: Mapping[str, object]) -> None:
    """Set what `read_config` gave."""
    for name, value in config.items():
        getattr(keras.config, f"set_{name}")(value)


def changes(before: Mapping[str, object]) -> dict[str, object]:
    """Return what differs from what `read_config` gave before, with its value now."""
    return {name: value for name, value in read_config().items() if value != before[name]}
