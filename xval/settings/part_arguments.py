"""Every other argument of an optimizer or a schedule as a separate setting: ``optimizer_beta_1 = 0.95``.

All settings whose names begin with ``optimizer_`` or ``schedule_`` become one text for each of the two, such as
``beta_1=0.95, nesterov=True``. Its arguments are checked against the signature of the optimizer or schedule without loading
Keras.
"""

import ast
from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from xval.base.errors import SettingsError, suggestion
from xval.base.keras_names import OPTIMIZERS
from xval.base.literals import parse_expression, read_literal
from xval.base.user_code import definitions

Part = Literal["optimizer", "schedule"]
PARTS: tuple[Part, ...] = get_args(Part)

_GIVEN = {"optimizer": 1, "schedule": 2}  # arguments that are given by position: learning rate; epoch, learning rate
_OTHER_SETTINGS = {
    "learning_rate": "learning_rate", "momentum": "momentum", "weight_decay": "weight_decay", "global_clipnorm": "clip_norm",
    "use_ema": "weight_average", "ema_momentum": "weight_average", "ema_overwrite_frequency": "weight_average",
}  # fmt: skip
_WORDS = {"none": None, "true": True, "false": False}


def setting_of(part: Part) -> str:
    """Return the setting that holds all arguments of an optimizer or a schedule."""
    return f"{part}_arguments"


def is_argument(name: str, part: Part) -> bool:
    """Return whether a name that is no setting is an argument of an optimizer or a schedule."""
    return name.startswith(f"{part}_") and name != setting_of(part)


def join_arguments(part: Part, text: object, given: Mapping[str, object]) -> str | None:
    """Return one text of all arguments, in the order of their names; none: no arguments.

    The text of a layer is joined with settings of `is_argument`, which win. What is no list of arguments is refused.
    """
    arguments = split_arguments(part, None if text is None or str(text).strip().lower() in ("", "none") else str(text))
    arguments |= {name.removeprefix(f"{part}_"): _value(value) for name, value in given.items()}
    return ", ".join(f"{name}={value!r}" for name, value in sorted(arguments.items())) or None


def split_arguments(part: Part, text: str | None) -> dict[str, object]:
    """Return the arguments in a text of `join_arguments`."""
    try:
        call = parse_expression(f"f({text or ''})")
        if isinstance(call, ast.Call) and not call.args:
            return {str(keyword.arg): read_literal(keyword.value) for keyword in call.keywords}
    except (SyntaxError, ValueError):
        pass
    example = {"optimizer": "beta_1=0.95, nesterov=True", "schedule": "factor=0.5, every=10"}[part]
    raise SettingsError(f"{setting_of(part)}={text!r}; expected arguments with literal values, such as {example}")


def check_arguments(part: Part, name: str, text: str | None, settings: Iterable[str] = ()) -> None:
    """Raise an error for arguments that an optimizer or schedule lacks, that are separate settings, or of the wrong type.

    Args:
        part: Which of the two.
        name: Of the optimizer or schedule: one of `keras_names`, or a dotted path.
        text: Of `join_arguments`.
        settings: The other settings that begin as an argument does, one of which may be meant.
    """
    arguments = split_arguments(part, text)
    others = _OTHER_SETTINGS if part == "optimizer" else {}
    defaults, takes_others = _read_signature(part, name) if arguments else ({}, False)
    for argument, value in arguments.items():
        if argument in others:
            raise SettingsError(f"{part}_{argument}: this is the setting {others[argument]}. Set that instead")
        if argument not in defaults:
            if takes_others:
                continue
            known = [f"{part}_{each}" for each in defaults if each not in others]
            near = suggestion(f"{part}_{argument}", [*known, *settings])
            raise SettingsError(f"{part}_{argument}: {part} '{name}' has no argument '{argument}'. {near}")
        default = defaults[argument]
        for kind, wanted in ((bool, "true or false"), (int | float, "a number"), (str, "text")):
            if isinstance(default, kind):
                if not isinstance(value, kind) or isinstance(value, bool) != isinstance(default, bool):
                    raise SettingsError(f"{part}_{argument}={value!r}: {part} '{name}' expects {wanted} (default: {default!r})")
                break


def _value(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value.strip().lower() in _WORDS:
        return _WORDS[value.strip().lower()]
    try:
        return read_literal(value.strip())
    except (SyntaxError, ValueError):
        return value


def _read_signature(part: Part, name: str) -> tuple[dict[str, object], bool]:
    """Return the arguments in the source of an optimizer or schedule, with defaults, and whether they may be incomplete."""
    path = name
    if not definitions.is_dotted(name):
        if part == "schedule":
            return {}, False
        module = "schedule_free_adamw" if name == "schedulefreeadamw" else name
        path = f"keras.src.optimizers.{module}.{OPTIMIZERS[name]}"  # Keras says it publicly only once it is loaded
    node: ast.stmt | None = definitions.find_definition(path).node
    if isinstance(node, ast.ClassDef):
        node = next((member for member in node.body if isinstance(member, ast.FunctionDef) and member.name == "__init__"), None)
    if not isinstance(node, ast.FunctionDef):
        return {}, True
    takes_others = node.args.kwarg is not None and definitions.is_dotted(name)  # of Keras's own it takes names of old
    positional = [argument for argument in (*node.args.posonlyargs, *node.args.args) if argument.arg != "self"]
    positional_defaults = [None] * (len(positional) - len(node.args.defaults)) + [*node.args.defaults]
    further = [*zip(positional, positional_defaults, strict=False)][_GIVEN[part] :]
    named = [*further, *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)]
    return {argument.arg: _literal(default) for argument, default in named if argument.arg != "name"}, takes_others


def _literal(default: ast.expr | None) -> object:
    try:
        return None if default is None else read_literal(default)
    except ValueError:
        return None  # an expression, of which only running it tells the kind
