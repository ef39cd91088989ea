"""The settings of ``xval augment`` and of its command ``mix``.

The keys of [offline_augmentation] are read from the transforms: ``<file>_probability`` and ``<file>_<option>`` for every option
that the file's draw has. A key that config.ini lacks has the default of the signature.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

from pydantic import Field, create_model, model_validator

from augmentation.transforms import find_transform, transform_names
from augmentation.transforms._options import Decibels
from preprocessing.options.settings_section import read_settings_section
from xval.base.config_file import CONFIG_PATH
from xval.base.errors import SettingsError, counted, verb_of
from xval.base.setting_fields import (
    NonNegativeFloat,
    NonNegativeInt,
    OptionalPositiveInt,
    PositiveFloat,
    PositiveInt,
    SettingsModel,
)

AUGMENTATION_SECTION = "offline_augmentation"
MIXING_SECTION = "mixing"


class _Ranges(SettingsModel):
    """Checks that no ``min_x`` is above its ``max_x``, also within a longer name."""

    @model_validator(mode="after")
    def _check_ranges(self) -> Self:
        values = self.model_dump()
        for name, lowest in values.items():
            upper = name.replace("min_", "max_", 1)
            if upper != name and upper in values and lowest > values[upper]:
                raise ValueError(f"{name}={lowest:g} is above {upper}={values[upper]:g}")
        return self


class MixingSettings(_Ranges):
    """The settings of ``xval augment mix``: how events are placed into backgrounds."""

    mixture_duration_s: PositiveFloat = Field(10, description="Length of a mixture (s).")
    mixture_min_events: PositiveInt = Field(
        1, description="Fewest events in a mixture (number); fewer if no more fit, and in the last one of an item."
    )
    mixture_max_events: PositiveInt = Field(3, description="Most events in a mixture (number).")
    mixture_min_gap_s: NonNegativeFloat = Field(0.5, description="Shortest background before, between and after events (s).")
    mixture_min_snr_db: Decibels = Field(
        0, description="Lowest ratio of the power of an event to that of the background beneath it (dB)."
    )
    mixture_max_snr_db: Decibels = Field(15, description="Highest ratio (dB).")
    mixture_uses: PositiveInt = Field(1, description="How often every event is used (number).")
    mixture_sample_rate_hz: OptionalPositiveInt = Field(
        None,
        description=(
            "Sample rate of the mixtures (Hz); none: the lowest of all recordings, so that events cannot be recognised by "
            "their bandwidth."
        ),
    )


@dataclass(frozen=True)
class AugmentationSettings:
    """The settings of ``xval augment``.

    Attributes:
        min_transforms: Smallest number of transforms of a copy.
        probabilities: ``{transform: share of the copies}``, 0 to 1.
        options: ``{transform: {option: value}}``.
        values: All settings as values that JSON can hold, by the keys of config.ini.
    """

    min_transforms: int
    probabilities: Mapping[str, float]
    options: Mapping[str, Mapping[str, Any]]
    values: Mapping[str, Any]

    def folders(self) -> dict[str, Path]:
        """Return the folders of recordings that transforms in use read, by the keys of config.ini."""
        return {
            f"{name}_{option}": value
            for name, options in self.options.items()
            for option, value in options.items()
            if isinstance(value, Path) and self.probabilities[name]
        }


def read_augmentation_settings(overrides: Sequence[str] = (), config_path: Path = CONFIG_PATH) -> AugmentationSettings:
    """Return the settings of ``xval augment``: those of ``--set KEY=VALUE``, else of config.ini.

    Raises:
        SettingsError: A setting is not valid, or fewer than min_transforms transforms have a probability above 0.
    """
    read = read_settings_section(augmentation_model(), AUGMENTATION_SECTION, overrides, config_path)
    values = read.model_dump()
    settings = AugmentationSettings(
        min_transforms=values["min_transforms"],
        probabilities={name: values[f"{name}_probability"] for name in transform_names()},
        options={
            name: {option: values[f"{name}_{option}"] for option in find_transform(name).options} for name in transform_names()
        },
        values=read.model_dump(mode="json"),
    )
    n_possible = sum(probability > 0 for probability in settings.probabilities.values())
    if n_possible < settings.min_transforms:
        raise SettingsError(
            f"min_transforms = {settings.min_transforms}, but only {counted(n_possible, 'transform')} "
            f"{verb_of(n_possible, 'have')} a probability above 0. Lower it, or raise a probability."
        )
    return settings


def read_mixing_settings(overrides: Sequence[str] = (), config_path: Path = CONFIG_PATH) -> MixingSettings:
    """Return the settings of ``xval augment mix``: those of ``--set KEY=VALUE``, else of config.ini.

    Raises:
        SettingsError: A setting is not valid.
    """
    return read_settings_section(MixingSettings, MIXING_SECTION, overrides, config_path)


_MIN_TRANSFORMS = (
    "Only xval augment reads this section and the next.\n"
    "Fewest transforms of a copy (number); 0: some copies are like their source."
)


@cache
def augmentation_model() -> type[SettingsModel]:
    """Return the pydantic model whose fields are the options of all transforms."""
    fields: dict[str, Any] = {"min_transforms": (NonNegativeInt, Field(1, description=_MIN_TRANSFORMS))}
    for name in transform_names():
        transform = find_transform(name)
        fields[f"{name}_probability"] = transform.probability
        fields |= {f"{name}_{option}": described for option, described in transform.options.items()}
    return create_model("OfflineAugmentation", __base__=_Ranges, **fields)
