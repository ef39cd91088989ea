"""Turn the settings and options of an instance into the plain values that files hold, and back.

One dict has both, as JSON can hold it. The dict that is read back may come from another version, or from a damaged file.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from hashlib import blake2b
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, PrivateAttr, ValidationError, create_model

from xval.base.errors import REMEDY, ResultsError
from xval.base.setting_fields import later_values, read_written
from xval.settings.classical import NEUTRAL_OPTIONS
from xval.settings.contradictions import checked_settings
from xval.settings.schema import NEUTRAL, RETIRED, UNHASHED_KEYS, Part, Settings


def to_parameters(settings: Settings, options: Mapping[str, object]) -> dict[str, object]:
    """Return every setting and option with its value, as JSON can hold it."""
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}
    return settings.model_dump(mode="json") | plain


def from_parameters(
    parameters: Mapping[str, object], option_names: Collection[str] | None = None, *, together: bool = False
) -> tuple[Settings, dict[str, object]]:
    """Return the settings and options of the parameters of `to_parameters`, which may come from JSON.

    Args:
        parameters: Every setting and option.
        option_names: Which of them are options of the architecture; None: all that are no settings.
        together: Whether it is also checked that the settings fit together, and that the parts they name exist. A process
            that only passes a job on need not find them.

    Raises:
        KeyError: An option is missing.
        pydantic.ValidationError: A setting is missing, unknown, or of the wrong type.
    """
    known = Settings.model_fields
    names = [name for name in parameters if name not in known] if option_names is None else option_names
    values = {name: value for name, value in parameters.items() if name not in names and name not in RETIRED}
    settings = checked_settings(values) if together else read_written(Settings, values)
    return settings, with_tuples({name: parameters[name] for name in names})


def settings_among(parameters: Mapping[str, object], path: Path) -> Settings:
    """Return the settings among the parameters of a settings.json or metrics.json.

    If some are missing or wrong, the others can still be read; reading a missing one raises a `ResultsError` that names the
    path.
    """
    try:
        return from_parameters(parameters)[0]
    except ValidationError:
        settings = _DamagedSettings.model_construct(**later_values(Settings) | dict(parameters))
    for name in Settings.model_fields.keys() - parameters.keys() - later_values(Settings).keys():
        del settings.__dict__[name]  # a default of today need not be the value of the file
    settings._path = path
    return settings


class _DamagedSettings(Settings):
    """Settings of a file in which some are missing or have impossible values."""

    _path: Path = PrivateAttr()

    def _part(self, kind: Callable[..., Part], names: Iterable[str]) -> Part:
        try:
            return super()._part(kind, names)
        except ValidationError as error:
            wrong = ", ".join(f"{'.'.join(map(str, fault['loc']))}={fault['input']!r:.40}" for fault in error.errors()[:3])
            raise ResultsError(f"{self._path}: damaged, it has {wrong}. {REMEDY}") from error

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in Settings.model_fields:
                raise ResultsError(f"{self._path}: damaged, '{name}' is missing. {REMEDY}")
            return super().__getattr__(name)


def settings_faults(parameters: Mapping[str, object]) -> str:
    """Return the first settings among the parameters that have a wrong type; empty: all are right."""
    known_values = {name: value for name, value in parameters.items() if value is not None}  # NaN is null in these files
    try:
        _types().__pydantic_validator__.validate_python(known_values)
    except ValidationError as error:
        return describe_values(known_values, list(dict.fromkeys(str(fault["loc"][0]) for fault in error.errors()))[:3])
    return ""


@cache
def _types() -> type[BaseModel]:
    """Return a model of the types of all settings without their limits, which another version may have changed."""
    return create_model("_Types", **{name: (field.annotation, None) for name, field in Settings.model_fields.items()})  # type: ignore[call-overload,no-any-return]


def describe_values(written: Mapping[str, object], names: Iterable[str]) -> str:
    """Return the values of some names in a file, or that they are missing."""
    return ", ".join(f"{name}={written[name]!r:.40}" if name in written else f"no {name}" for name in names)


def with_tuples(options: Mapping[str, object]) -> dict[str, object]:
    """Return options with tuples instead of lists, because JSON has only lists."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}


_NEUTRAL = {**NEUTRAL, **NEUTRAL_OPTIONS}


def that_change_results(parameters: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters that can change a result, without later ones at the value that older results were made with."""
    hashed = {name: value for name, value in parameters.items() if name not in UNHASHED_KEYS}
    return {name: value for name, value in hashed.items() if _NEUTRAL.get(name, ...) != value}


def hash_parameters(parameters: Mapping[str, object]) -> str:
    """Return sixteen hex digits of the parameters that can change a result."""
    relevant = RETIRED | that_change_results(parameters)
    return blake2b(dumps(relevant, sort_keys=True).encode(), digest_size=8).hexdigest()
