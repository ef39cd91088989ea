"""A loss or a metric with options as the text of a setting: ``keras:{"class_name": "Huber", "config": {"delta": 2.0}, ...}``.

It is what `keras.saving.serialize_keras_object` says of the object, as JSON without the defaults of its class, so that files
hold it and other processes make it again. A `KerasObject` is read from such a text and written as one; only to make the object
itself is Keras loaded. `xval.settings.described_objects` describes the objects that a script has made.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xval.base.errors import SettingsError
from xval.base.user_code import imports
from xval.base.user_code.definitions import OBJECT_PREFIX


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
            raise SettingsError(f"{self.class_name}: its get_config() has a value that JSON cannot store ({error}).") from error

    def make(self) -> Any:
        """Return the object itself; Keras is loaded, and the user's module where it is of a class in it."""
        import keras

        if self.own_path:
            return imports.load(self.own_path).from_config(dict(self.options))
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
        raise SettingsError(f"{text:.80}: not a Keras object; expected a name, or a text such as {form}") from error


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


def snake_case(class_name: str) -> str:
    """Return the name that Keras gives to an object of a class: ``f1_score`` for ``F1Score``."""
    apart = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", class_name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", apart).lower()
