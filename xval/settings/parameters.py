"""The settings and options of an instance as the plain values that files hold, and back.

Comes in: a `Settings` and the options of its architecture. Goes out: one dict of both, which JSON can hold, and its hash; or
the settings and options of such a dict.
"""

from collections.abc import Collection, Mapping
from hashlib import blake2b
from json import dumps

from pydantic import ValidationError

from xval.settings.schema import NEUTRAL, RETIRED, UNHASHED_KEYS, Settings


def to_parameters(settings: Settings, options: Mapping[str, object]) -> dict[str, object]:
    """Return every setting and option with its value, as JSON can hold it."""
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}
    return settings.model_dump(mode="json") | plain


def from_parameters(parameters: Mapping[str, object], option_names: Collection[str]) -> tuple[Settings, dict[str, object]]:
    """Return the settings and the options that `to_parameters` was given; the parameters may come from JSON.

    Args:
        parameters: Every setting and option.
        option_names: Which of them are options of the architecture.

    Raises:
        KeyError: An option is missing.
        pydantic.ValidationError: A setting is missing, unknown, or of the wrong type.
    """
    settings = Settings.from_written({name: value for name, value in parameters.items() if name not in option_names})
    return settings, with_tuples({name: parameters[name] for name in option_names})


def with_tuples(options: Mapping[str, object]) -> dict[str, object]:
    """Return options with tuples for lists, which JSON has in their place."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}


def describe_faults(error: ValidationError) -> str:
    """Return which parameters are wrong, and why."""
    faults = error.errors(include_url=False)
    return "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'parameters'}: {fault['msg']}" for fault in faults)


def that_change_results(parameters: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters that can change a result, without those that are as before they could be set."""
    found = {name: value for name, value in parameters.items() if name not in UNHASHED_KEYS}
    return {name: value for name, value in found.items() if NEUTRAL.get(name, ...) != value}


def hash_parameters(parameters: Mapping[str, object]) -> str:
    """Return sixteen hex digits of the parameters that can change a result."""
    relevant = RETIRED | that_change_results(parameters)
    return blake2b(dumps(relevant, sort_keys=True).encode(), digest_size=8).hexdigest()
