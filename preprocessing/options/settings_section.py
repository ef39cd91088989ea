"""Read and check the settings of a section of config.ini, with those of ``--set`` over them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from xval.base.config_file import CONFIG_PATH, read_defaults
from xval.base.errors import SettingsError, suggestion

_Model = TypeVar("_Model", bound=BaseModel)


def read_settings_section(
    model: type[_Model], section: str, overrides: Sequence[str] = (), config_path: Path = CONFIG_PATH
) -> _Model:
    """Return the settings of a section of config.ini with those of ``--set KEY=VALUE`` over them.

    Args:
        model: Its fields are the settings. A key that the file lacks has the default of the field.
        section: The section's name.
        overrides: ``KEY=VALUE``.
        config_path: The file with the defaults.
    """
    defaults = read_defaults(config_path).get(section, {})
    chosen: dict[str, str] = {}
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise SettingsError(f"--set {override}: expected KEY=VALUE, such as --set {next(iter(model.model_fields))}=...")
        chosen[key] = value
    place = f"{config_path.name}, [{section}]"
    for source, keys in ((place, defaults), ("--set", chosen)):
        for key in keys:
            if key not in model.model_fields:
                raise SettingsError(f"{source} {key}: unknown setting. {suggestion(key, model.model_fields)}")
    try:
        return model.model_validate({**defaults, **chosen})
    except ValidationError as error:
        faults: dict[str, list[str]] = {}
        for fault in error.errors(include_url=False):
            key = str(fault["loc"][0]) if fault["loc"] else ""
            faults.setdefault(key, []).append(fault["msg"].removeprefix("Value error, ").partition(", unable to parse")[0])
        messages = [_describe_fault(key, reasons, place, defaults, chosen) for key, reasons in faults.items()]
        raise SettingsError("\n".join(messages)) from error


def _describe_fault(
    key: str, reasons: Sequence[str], place: str, defaults: Mapping[str, str], chosen: Mapping[str, str]
) -> str:
    """Return one message about one setting, or about several that contradict each other (no key)."""
    reason = " or: ".join(dict.fromkeys(reasons))
    if not key:
        source = f"--set {' --set '.join(f'{name}={value}' for name, value in chosen.items())}" if chosen else place
        return f"{source}: {reason}."
    value = chosen.get(key, defaults.get(key, ""))
    source = f"--set {key}={value}" if key in chosen else f"{place} {key} = {value}"
    names = re.findall(r"'([^']+)'", reason)
    return f"{source}: {reason}. {suggestion(value, names) if len(names) > 1 else ''}".rstrip()
