"""Name what is wrong with single values of an instance: where each was set, what was received and what is allowed.

Comes in: what pydantic refused, or a name that no setting has. Goes out: a line for each.
"""

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from xval.base.config_file import describe_missing, read_defaults
from xval.base.errors import SettingsError, suggestion
from xval.base.literals import read_literal
from xval.base.synonyms import describe_synonym
from xval.settings.options import Architecture, Option
from xval.settings.schema import EXPERIMENT_KEYS, Settings

_LONGEST_SHOWN = 200
_BESIDE = {"early_stopping": " After how many epochs without improvement training ends is set by patience."}


def describe_unknown(name: str, architecture: Architecture, is_of_instance: bool) -> str:
    """Return that no parameter has this name, and which one was perhaps meant.

    An instance sets options of its own architecture; something that holds for several instances sets those of theirs.
    """
    if synonym := describe_synonym(name):
        return f"unknown parameter '{name}'. {synonym}"
    near = suggestion(name, [*Settings.model_fields, *architecture.options]).partition(" Did you mean")
    if near[2]:
        return f"unknown parameter '{name}'. Did you mean{near[2]}"
    options = ""
    if not is_of_instance:
        options = ", and the options that the architectures of all instances have"
    elif architecture.options:
        options = f", and the options of {architecture.name} ({', '.join(architecture.options)})"
    return f"unknown parameter '{name}'. Allowed are the keys of config.ini, comment_1, comment_2{options}."


def describe_setting(fault: Any, where: str, place: Callable[[str], str]) -> str:
    """Turn one error of pydantic into a line; `where` is the instance, `place` says where a setting was set."""
    reason = (
        str(fault["msg"])
        .removeprefix("Value error, ")
        .removeprefix("Input should be ")
        .rstrip(".")
        .partition(", unable to parse")[0]
    )
    if not fault["loc"]:
        return f"{where}: {_ended(reason)}"
    name = str(fault["loc"][0])
    if fault["type"] == "missing" and len(fault["loc"]) == 1:
        return describe_missing(name, _sections_around(name))
    received = fault["input"]
    if several := _describe_several(name, received):
        return f"{place(name)}: {name}: received {received!r:.{_LONGEST_SHOWN}}; {several}"
    if fault["type"].startswith("bool_"):
        return f"{place(name)}: {name}: received {received!r:.{_LONGEST_SHOWN}}; allowed: true or false.{_BESIDE.get(name, '')}"
    allowed = fault.get("ctx", {}).get("expected")
    if fault["type"] == "literal_error" and allowed is not None and isinstance(received, str):
        names = [part.strip(" '") for part in str(allowed).replace(" or ", ",").split(",")]
        return f"{place(name)}: {name}: received '{received}'. {suggestion(received, names)}"
    wanted = "allowed: " if fault["msg"].startswith("Input should be") else ""
    return f"{place(name)}: {name}: received {received!r:.{_LONGEST_SHOWN}}; {wanted}{_ended(reason)}"


def describe_option(option: Option, value: object, error: ValidationError | SettingsError) -> str:
    """Return what is wrong with the value of an option of the architecture."""
    if (several := _describe_several(option.name, value)) and not option.annotation.startswith("tuple"):
        return f"received {value!r}; {several}"
    if isinstance(error, SettingsError):
        return str(error)
    fault: Any = error.errors()[0]
    reason = str(fault["msg"]).lower()
    if fault["type"] == "tuple_type":
        kind = option.annotation.removeprefix("tuple[").partition(",")[0]
        reason = f"expected one value ({kind}) or several, such as {option.default!r}"
    return f"received {value!r}; {reason}."


def _describe_several(name: str, received: object) -> str:
    """Return what to write where several values were given to a setting that has one; empty: one was given."""
    if isinstance(received, str):
        try:
            received = read_literal(received.strip())
        except (ValueError, SyntaxError):
            return ""
    if not isinstance(received, list | tuple | range):
        return ""
    values = list(received)
    if name == "seed":
        n_seeds = len(values)
        return f"expected one number. To train each fold with {n_seeds} seeds and average their scores, set repeats={n_seeds}."
    if name in EXPERIMENT_KEYS:
        return "expected one value, which all instances share."
    return f"expected one value. For an instance with each of them, write experiment.grid({name}={values!r:.{_LONGEST_SHOWN}})."


def _sections_around(missing: str) -> list[str]:
    """Return the sections of config.ini that have the neighbours of a key which it lacks, in the order of the settings."""
    section_of_key = {key: section for section, values in read_defaults().items() for key in values}
    names = list(Settings.model_fields)
    place = names.index(missing)
    before = [section_of_key[name] for name in names[:place] if name in section_of_key]
    after = [section_of_key[name] for name in names[place + 1 :] if name in section_of_key]
    return list(dict.fromkeys([*before[-1:], *after[:1]]))


def _ended(sentence: str) -> str:
    """Return a sentence with its full stop, if it has no other end."""
    return sentence if sentence.endswith(("?", ".")) else f"{sentence}."
