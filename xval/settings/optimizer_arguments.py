"""Every further argument of an optimizer as a setting of its own: ``optimizer_beta_1 = 0.95``.

Comes in: settings whose names begin with ``optimizer_``. Goes out: one text, ``beta_1=0.95, nesterov=True``, which Settings
hold, and the arguments in it, checked against the signature of the optimizer without loading Keras.
"""

import ast
from collections.abc import Mapping

from xval.base import user_code
from xval.base.errors import SettingsError, suggestion
from xval.base.keras_names import OPTIMIZERS
from xval.base.literals import parse_expression, read_literal

PREFIX = "optimizer_"
SETTING = "optimizer_arguments"
_OTHER_SETTINGS = {
    "learning_rate": "learning_rate", "momentum": "momentum", "weight_decay": "weight_decay", "global_clipnorm": "clip_norm",
    "use_ema": "weight_average", "ema_momentum": "weight_average", "ema_overwrite_frequency": "weight_average",
}  # fmt: skip
_WORDS = {"none": None, "true": True, "false": False}


def is_argument(name: str) -> bool:
    """Return whether a setting is an argument of the optimizer."""
    return name.startswith(PREFIX) and name != SETTING


def join_arguments(text: object, given: Mapping[str, object]) -> str | None:
    """Return one text of all arguments, in the order of their names; none: no arguments.

    The text of a layer is joined with settings of `is_argument`, which win. What is no list of arguments is refused.
    """
    arguments = split_arguments(None if text is None or str(text).strip().lower() in ("", "none") else str(text))
    arguments |= {name.removeprefix(PREFIX): _value(value) for name, value in given.items()}
    return ", ".join(f"{name}={value!r}" for name, value in sorted(arguments.items())) or None


def split_arguments(text: str | None) -> dict[str, object]:
    """Return the arguments in a text of `join_arguments`."""
    try:
        call = parse_expression(f"f({text or ''})")
        if isinstance(call, ast.Call) and not call.args:
            return {str(keyword.arg): read_literal(keyword.value) for keyword in call.keywords}
    except (SyntaxError, ValueError):
        pass
    raise SettingsError(f"{SETTING}={text!r}; allowed: arguments with literal values, such as beta_1=0.95, nesterov=True")


def check_arguments(optimizer: str, text: str | None) -> None:
    """Refuse arguments that an optimizer does not have, that have a setting of their own, or that are of another kind.

    The optimizer is a name of `keras_names.OPTIMIZERS`, or a dotted path; the text is that of `join_arguments`.
    """
    arguments = split_arguments(text)
    defaults, takes_others = _read_signature(optimizer) if arguments else ({}, False)
    for name, value in arguments.items():
        if name in _OTHER_SETTINGS:
            raise SettingsError(f"{PREFIX}{name}: it is the setting {_OTHER_SETTINGS[name]}; set that")
        if name not in defaults:
            if takes_others:
                continue
            known = suggestion(name, set(defaults) - set(_OTHER_SETTINGS))
            raise SettingsError(f"{PREFIX}{name}: optimizer '{optimizer}' has no argument '{name}'. {known}")
        default = defaults[name]
        for kind, wanted in ((bool, "true or false"), (int | float, "a number"), (str, "text")):
            if isinstance(default, kind):
                if not isinstance(value, kind) or isinstance(value, bool) != isinstance(default, bool):
                    raise SettingsError(
                        f"{PREFIX}{name}={value!r}: optimizer '{optimizer}' expects {wanted} (default: {default!r})"
                    )
                break


def _value(value: object) -> object:
    """Return a value, read from text where it is one."""
    if not isinstance(value, str):
        return value
    if value.strip().lower() in _WORDS:
        return _WORDS[value.strip().lower()]
    try:
        return read_literal(value.strip())
    except (SyntaxError, ValueError):
        return value


def _read_signature(optimizer: str) -> tuple[dict[str, object], bool]:
    """Return the arguments of an optimizer in its source with their defaults; and whether only running it tells all of them."""
    path = optimizer
    if not user_code.is_dotted(optimizer):
        module = "schedule_free_adamw" if optimizer == "schedulefreeadamw" else optimizer
        path = f"keras.src.optimizers.{module}.{OPTIMIZERS[optimizer]}"  # Keras says it publicly only once it is loaded
    node: ast.stmt | None = user_code.find_definition(path).node
    if isinstance(node, ast.ClassDef):
        node = next((member for member in node.body if isinstance(member, ast.FunctionDef) and member.name == "__init__"), None)
    if not isinstance(node, ast.FunctionDef):
        return {}, True
    takes_others = node.args.kwarg is not None and user_code.is_dotted(optimizer)  # of Keras's own it takes names of old
    positional = node.args.args[len(node.args.args) - len(node.args.defaults) :]
    named = [*zip(positional, node.args.defaults, strict=True), *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)]
    return {
        argument.arg: _literal(default) for argument, default in named if argument.arg not in ("name", "self")
    }, takes_others


def _literal(default: ast.expr | None) -> object:
    try:
        return None if default is None else read_literal(default)
    except ValueError:
        return None  # an expression, of which only running it tells the kind
