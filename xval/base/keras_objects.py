"""A loss or a metric with options as the text of a setting: ``keras:{"class_name": "Huber", "config": {"delta": 2.0}, ...}``.

Comes in: an object of Keras, or of a class of the user's own that is made from one of Keras. Goes out: what
`keras.saving.serialize_keras_object` says of it, as JSON without the defaults of its class, so that files hold it and other
processes make it again. Such a text is read here without loading Keras.
"""

import inspect
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xval.base import user_code
from xval.base.errors import SettingsError
from xval.base.user_code import OBJECT_PREFIX

_ASIDE = ("name", "dtype")


@dataclass(frozen=True)
class KerasObject:
    """An object of Keras as a setting holds it.

    Attributes:
        module: Of its class: ``keras.losses``, or a module of the user's own.
        options: That are not the defaults of its class, as JSON can hold them.
    """

    module: str
    class_name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def own_path(self) -> str:
        """The dotted path of its class where that is the user's own; empty: it is Keras's."""
        return "" if is_of_keras(self.module) else f"{self.module}.{self.class_name}"

    def to_text(self) -> str:
        """Return the text of the setting, the same for the same object."""
        written = {"module": self.module, "class_name": self.class_name, "config": dict(self.options)}
        try:
            return OBJECT_PREFIX + json.dumps(written, sort_keys=True)
        except TypeError as error:
            raise SettingsError(f"{self.class_name}: its get_config() has a value that JSON cannot hold ({error}).") from error

    def make(self) -> Any:
        """Return the object itself; Keras is loaded, and the user's module where it is of a class in it."""
        import keras

        if self.own_path:
            return user_code.load(self.own_path).from_config(dict(self.options))
        written = {"module": self.module, "class_name": self.class_name, "config": dict(self.options), "registered_name": None}
        return keras.saving.deserialize_keras_object(written)


def is_object(text: str) -> bool:
    """Return whether a text of a setting stands for an object."""
    return text.startswith(OBJECT_PREFIX)


def parse(text: str) -> KerasObject:
    """Return what a text of `KerasObject.to_text` stands for.

    Raises:
        SettingsError: It is no such text.
    """
    try:
        written = json.loads(text.removeprefix(OBJECT_PREFIX))
        return KerasObject(str(written["module"]), str(written["class_name"]), dict(written["config"]))
    except (ValueError, TypeError, KeyError) as error:
        form = f'{OBJECT_PREFIX}{{"module": "keras.losses", "class_name": "Huber", "config": {{"delta": 2.0}}}}'
        raise SettingsError(f"{text:.80}: no object of Keras; wanted is a name, or a text such as {form}") from error


def split_texts(text: str) -> tuple[str, ...]:
    """Return the names of a setting that are parted by commas, among them texts of `KerasObject.to_text`, which have some."""
    parts = []
    rest = text.strip(" ,")
    while rest:
        if is_object(rest):
            try:
                _, end = json.JSONDecoder().raw_decode(rest, len(OBJECT_PREFIX))
            except ValueError:
                end = len(rest)
        else:
            end = rest.find(",") if "," in rest else len(rest)
        parts.append(rest[:end].strip())
        rest = rest[end:].lstrip(" ,")
    return tuple(parts)


def is_of_keras(module: str) -> bool:
    """Return whether a module belongs to Keras."""
    return module.partition(".")[0] == "keras"


def is_keras_type(kind: type) -> bool:
    """Return whether a class is one of Keras, or a class of the user's own that is made from one; Keras is not loaded."""
    return any(is_of_keras(base.__module__) for base in kind.__mro__)


def describe_object(setting: str, made: Any) -> KerasObject:
    """Return an object of Keras, the value of a setting, as the setting holds it.

    Raises:
        SettingsError: Its class has no name by which other processes find it, or its `get_config` leaves out an argument of
            that class, so that it cannot be made again.
    """
    import keras

    kind = type(made)
    try:
        written = keras.saving.serialize_keras_object(made)
    except (TypeError, NotImplementedError) as error:
        raise SettingsError(f"{kind.__name__} has no get_config(), so that other processes cannot make it again.") from error
    # Huber and others leave an argument out of their configuration.
    config, defaults = {**getattr(made, "_fn_kwargs", {}), **written["config"]}, _defaults(kind)
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
    path = f"{written['module']}.{kind.__name__}" if is_of_keras(kind.__module__) else user_code.path_of(kind, setting)
    return KerasObject(path.rpartition(".")[0], kind.__name__, options)


def snake_case(class_name: str) -> str:
    """Return the name that Keras gives to an object of a class: ``f1_score`` for ``F1Score``."""
    apart = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", class_name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", apart).lower()


def _own_arguments(kind: type) -> list[str]:
    """Return the arguments of a class of the user's own; none of one of Keras, which returns all that matter."""
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
    """Return a value as it is compared: a variable of Keras has kept a number in float32."""
    if isinstance(value, float):
        return float(np.float32(value))
    return list(value) if isinstance(value, tuple) else value


def _is_usual_name(name: str, kind: type, default: object) -> bool:
    """Return whether nobody has chosen a name: Keras numbers those that it makes up."""
    return name == default or re.fullmatch(rf"{re.escape(snake_case(kind.__name__))}(_\d+)?", name) is not None
