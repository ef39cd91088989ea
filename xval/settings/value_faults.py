"""Describe what is wrong with single values of an instance: where each was set, what was received and what is allowed."""

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from xval.base.errors import SettingsError, suggestion
from xval.base.literals import read_literal
from xval.base.setting_fields import SettingsModel
from xval.base.synonyms import VALUES, describe_synonym
from xval.settings.options import Architecture, Option
from xval.settings.schema import EXPERIMENT_KEYS, Settings

_LONGEST_SHOWN = 200
_FURTHER_ADVICE = {"early_stopping": " Set patience to choose after how many epochs without improvement training ends."}


def describe_unknown(name: str, architecture: Architecture, is_of_instance: bool) -> str:
    """Return a sentence that no parameter has this name, with the name that was perhaps meant.

    An instance sets options of its own architecture; something that holds for several instances sets those of theirs.
    """
    if synonym := describe_synonym(name):
        return f"unknown parameter '{name}'. {synonym}"
    from augmentation.offline_settings import MixingSettings, augmentation_model  # here, because it loads all transforms

    copies: dict[str, type[SettingsModel]] = {"xval augment": augmentation_model(), "xval augment mix": MixingSettings}
    for command, model in copies.items():
        if name in model.model_fields:
            return f"'{name}' is no parameter of a run: only {command} reads it. Give it there: {command} ... --set {name}=..."
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
    """Turn one error of pydantic into a line; `where` is the instance, `place` returns where a setting was set."""
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
    received = fault["input"]
    if several := _describe_several(name, received):
        return f"{place(name)}: {name}: received {received!r:.{_LONGEST_SHOWN}}; {several}"
    if fault["type"].startswith("bool_"):
        advice = _FURTHER_ADVICE.get(name, "")
        return f"{place(name)}: {name}: received {received!r:.{_LONGEST_SHOWN}}; allowed: true or false.{advice}"
    allowed = fault.get("ctx", {}).get("expected")
    if fault["type"] == "literal_error" and allowed is not None and isinstance(received, str):
        names = [part.strip(" '") for part in str(allowed).replace(" or ", ",").split(",")]
        known = suggestion(received, names)
        if (meant := VALUES.get(received.lower())) in names and "Did you mean" not in known:
            known += f" Did you mean '{meant}'?"
        return f"{place(name)}: {name}: received '{received}'. {known}"
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
    """Return what to write if several values were passed to a setting of one value; empty: one value was passed."""
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


def _ended(sentence: str) -> str:
    """Return a sentence that ends with a full stop, unless it ends with a question mark."""
    return sentence if sentence.endswith(("?", ".")) else f"{sentence}."
