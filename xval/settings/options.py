"""What an architecture and each of its options declare."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, Literal, get_args

import numpy as np
from pydantic import ConfigDict, TypeAdapter

from xval.base.errors import SettingsError
from xval.base.literals import read_literal
from xval.base.synonyms import estimator_name
from xval.base.user_code import definitions

ReshapingType = Literal["conv", "rnn", "none"]

_SCALAR_TYPES: dict[str, Any] = {
    "int": int,
    "float": float,
    "bool": bool,
    "str": str,
    "tuple[int, ...]": tuple[int, ...],
    "tuple[float, ...]": tuple[float, ...],
    "tuple[str, ...]": tuple[str, ...],
}


@dataclass(frozen=True)
class Option:
    """One keyword-only option of an architecture.

    Attributes:
        annotation: Its type as written in the source.
    """

    name: str
    annotation: str
    default: object

    def check(self, value: object) -> object:
        """Return `value` as the type of the option; numbers and lists may be text, and a single value may stand for a list.

        Raises:
            pydantic.ValidationError: The value does not fit.
            SettingsError: True or False where a number is expected.
        """
        wanted = type_of(self.annotation)
        if isinstance(value, bool) and wanted is not bool:
            raise SettingsError(f"received {value}; expected {self.annotation}.")
        if isinstance(value, str) and self.annotation.startswith("tuple"):
            value = [part.strip(" '\"") for part in value.strip("()[] ").split(",") if part.strip(" '\"")]
        elif isinstance(value, np.ndarray):
            value = value.tolist()
        elif isinstance(value, Real) and self.annotation.startswith("tuple"):
            value = (value,)  # the one value of an option that may have several
        if isinstance(value, list | tuple) and wanted == tuple[str, ...]:
            value = [str(part) if isinstance(part, Real) and not isinstance(part, bool) else part for part in value]
        if isinstance(value, str) and self.annotation.startswith("Literal"):
            value = next((choice for choice in get_args(wanted) if _is_called(str(choice), value)), value)
        if wanted is str and not isinstance(value, str):
            raise SettingsError(f"received {value!r}; expected text.")
        return TypeAdapter(wanted, config=ConfigDict(allow_inf_nan=False)).validate_python(value)


@dataclass(frozen=True)
class Architecture:
    """What the file of an architecture declares.

    Attributes:
        name: The name of its file in architectures/, or its dotted path.
        options: Keyword-only options of its `build`.
        reshaping_type: The form of input that it wants.
        build_path: The dotted path of its `build`.
        features: The features that it reads, without a front end; None: any.
        backends: That it runs on; none named: every one.
        defaults: Settings that it has, unless the experiment sets them.
        feature_keys: Feature settings that its `build` takes under their own names; the engine gives them, no instance sets
            them as options.
        file: Where its options have their defaults, of what is no network.
    """

    name: str
    options: dict[str, Option]
    reshaping_type: ReshapingType
    task_types: tuple[str, ...]
    build_path: str
    features: str | None = None
    backends: tuple[str, ...] = ()
    defaults: Mapping[str, object] = field(default_factory=dict)
    feature_keys: tuple[str, ...] = ()
    file: str = ""

    @property
    def is_pretrained(self) -> bool:
        """Whether its weights are those of the encoder that a setting names."""
        return "encoder" in self.feature_keys

    @property
    def source(self) -> str:
        """The file or module that has the defaults of its options."""
        if self.file:
            return self.file
        module = self.build_path.rpartition(".")[0]
        return module if definitions.is_dotted(self.name) else f"architectures/{self.name}.py"


def _is_called(estimator: str, value: str) -> bool:
    """Return whether a value is another name of an estimator: ``SVC`` of ``svm``."""
    meant = estimator_name(value)
    return meant is not None and meant == estimator_name(estimator)


def type_name(default: object) -> str:
    """Return the annotation of a default: ``int`` of 3, ``tuple[int, ...]`` of (3, 4), ``NoneType`` of None."""
    if isinstance(default, tuple) and default:
        return f"tuple[{type(default[0]).__name__}, ...]"
    return type(default).__name__


def type_of(annotation: str) -> Any:
    """Return the type that an annotation of an option stands for.

    Raises:
        ValueError: Options cannot have this type.
    """
    if annotation in _SCALAR_TYPES:
        return _SCALAR_TYPES[annotation]
    if annotation.startswith("Literal["):
        values = read_literal(f"({annotation[len('Literal[') : -1]},)")
        return Literal[values]
    raise ValueError(f"type {annotation}; allowed: {', '.join(_SCALAR_TYPES)}, Literal[...]")
