"""What the fields of all settings are made of: types of numbers and texts, and the settings as a file of results has them.

A field has the type of a setting with its limits and marks of its scope (`xval.base.setting_scope`), its default, and its
meaning and unit (``description``). ``python docs/_reference.py`` writes config.ini from the fields.
"""

from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, TypeVar, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, create_model

Model = TypeVar("Model", bound="SettingsModel")


def none_from_text(value: object) -> object:
    """Return None for the text ``none`` (any case) or an empty text; any other value as it is."""
    return None if isinstance(value, str) and value.strip().lower() in {"", "none"} else value


def refuse_bool(value: object) -> object:
    """Raise an error for True and False where a number is expected; pydantic itself would read them as 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("expected a number, not true or false")  # noqa: TRY004 - pydantic reports ValueErrors
    return value


def _below_one(value: float | None) -> float | None:
    if value is not None and value >= 1:
        raise ValueError("expected a number above 0 and below 1, or none")
    return value


PositiveInt = Annotated[int, BeforeValidator(refuse_bool), Field(gt=0)]
NonNegativeInt = Annotated[int, BeforeValidator(refuse_bool), Field(ge=0)]
PositiveFloat = Annotated[float, BeforeValidator(refuse_bool), Field(gt=0, allow_inf_nan=False)]
NonNegativeFloat = Annotated[float, BeforeValidator(refuse_bool), Field(ge=0, allow_inf_nan=False)]
Factor = Annotated[NonNegativeFloat, Field(lt=1)]
Share = Annotated[PositiveFloat, Field(lt=1)]
OptionalPositiveFloat = Annotated[PositiveFloat | None, BeforeValidator(none_from_text)]
OptionalPositiveInt = Annotated[PositiveInt | None, BeforeValidator(none_from_text)]
OptionalFactor = Annotated[Factor | None, BeforeValidator(none_from_text)]
OptionalShare = Annotated[OptionalPositiveFloat, AfterValidator(_below_one)]
OptionalText = Annotated[str | None, BeforeValidator(none_from_text)]


@dataclass(frozen=True)
class Later:
    """Marks a setting that is missing from results which are older than the setting.

    Attributes:
        value: The value that those results were made with; ``...``: the default of the field.
    """

    value: object = ...


class SettingsModel(BaseModel):
    """Settings whose fields have the defaults of config.ini."""

    # Deferred: a program validates few of these classes, and building a validator takes as long as reading many files.
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, defer_build=True)


@cache
def later_values(model: type[SettingsModel]) -> dict[str, Any]:
    """Return the settings that older results lack, each with the value that those results were made with."""
    values = {}
    for name, field in model.model_fields.items():
        for mark in field.metadata:
            if isinstance(mark, Later):
                values[name] = field.default if mark.value is ... else mark.value
    return values


@cache
def written_type(model: type[Model]) -> Any:
    """Return the type of settings as files of results have them: complete, except for settings that are later than the file.

    A default of today need not be the value that a damaged file has lost, so only later settings may be missing.
    """
    fields: Any = {
        name: (Annotated[(field.annotation, *field.metadata, None)], later_values(model).get(name, ...))  # None: at least one
        for name, field in model.model_fields.items()
    }
    complete = create_model(model.__name__, __base__=model, **fields)
    # The subclass has only checked the values: settings of different classes are never equal.
    return Annotated[complete, AfterValidator(lambda settings: model.model_construct(**dict(settings)))]


@cache
def _written(model: type[Model]) -> TypeAdapter[Any]:
    return TypeAdapter(written_type(model))


def read_written(model: type[Model], values: object) -> Model:
    """Return the settings that a file of results has.

    Raises:
        pydantic.ValidationError: A setting is missing, unknown, of the wrong type or out of range.
    """
    return cast("Model", _written(model).validate_python(values))
