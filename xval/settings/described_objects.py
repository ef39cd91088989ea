"""Turn losses, metrics and optimizers that a script has made with Keras into the objects that a setting holds."""

import inspect
import re
from typing import Any

import numpy as np

from xval.base.errors import SettingsError
from xval.base.keras_objects import KerasObject, is_of_keras, snake_case
from xval.base.user_code import definitions

_ASIDE = ("name", "dtype")


def describe_object(setting: str, made: Any) -> KerasObject:
    """Return an object of Keras, which a script passes for a setting, as the setting holds it.

    Raises:
        SettingsError: Its class has no name by which other processes find it, or its `get_config` leaves out an argument of
            that class, so that it cannot be made again.
    """
    import keras

    from xval.backend.keras_internals import wrapped_arguments

    kind = type(made)
    try:
        written = keras.saving.serialize_keras_object(made)
    except (TypeError, NotImplementedError) as error:
        raise SettingsError(f"{kind.__name__} has no get_config(), so other processes cannot create it. Add it.") from error
    config, defaults = wrapped_arguments(made) | written["config"], _defaults(kind)
    forgotten = [name for name in _own_arguments(kind) if name not in config]
    if forgotten:
        raise SettingsError(f"{kind.__name__}: its get_config() does not return '{forgotten[0]}'; add it.")
    options = {
        name: value
        for name, value in config.items()
        if name not in _ASIDE and (name not in defaults or _plain(value) != _plain(defaults[name]))
    }
    if (name := config.get("name")) and not _is_usual_name(str(name), kind, defaults.get("name")):
        options["name"] = name
    path = f"{written['module']}.{kind.__name__}" if is_of_keras(kind.__module__) else definitions.path_of(kind, setting)
    return KerasObject(path.rpartition(".")[0], kind.__name__, options)


def _own_arguments(kind: type) -> list[str]:
    """Return the arguments of the user's class; of a class of Keras none, because its get_config() returns all of them."""
    if is_of_keras(kind.__module__):
        return []
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    arguments = inspect.signature(kind).parameters.values()
    return [argument.name for argument in arguments if argument.kind not in several and argument.name not in _ASIDE]


def _defaults(kind: type) -> dict[str, Any]:
    """Return the defaults of the arguments of a class and of those it is made from."""
    defaults: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        if "__init__" in vars(base) and base is not object:
            for name, argument in inspect.signature(vars(base)["__init__"]).parameters.items():
                if argument.default is not inspect.Parameter.empty:
                    defaults[name] = argument.default
    return defaults


def _plain(value: Any) -> Any:
    """Return a value in a form that can be compared: a variable of Keras holds a number in float32."""
    if isinstance(value, float):
        return float(np.float32(value))
    return list(value) if isinstance(value, tuple) else value


def _is_usual_name(name: str, kind: type, default: object) -> bool:
    """Return whether a name is the default of Keras, which may end in a number."""
    return name == default or re.fullmatch(rf"{re.escape(snake_case(kind.__name__))}(_\d+)?", name) is not None
