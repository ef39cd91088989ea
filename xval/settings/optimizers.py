"""The names of optimizers and learning rate schedules: Keras's names, or dotted paths of the user's functions.

Names are checked without loading Keras; xval/training/optimizer.py makes the optimizer.
"""

import ast
from collections.abc import Iterable

from xval.base.errors import SettingsError, suggestion
from xval.base.keras_names import OPTIMIZERS, SCHEDULES, TO_FINAL, WITH_MOMENTUM
from xval.base.keras_names import match as match_name
from xval.base.user_code import definitions
from xval.settings.part_arguments import check_arguments
from xval.settings.schema import Settings

OPTIMIZER_OPTIONS = {
    "momentum": "momentum", "weight_decay": "weight_decay", "clip_norm": "global_clipnorm", "weight_average": "ema_momentum",
}  # fmt: skip
"""The settings that are arguments of an optimizer, and their names in Keras."""


def optimizer_name(name: str) -> str:
    """Return the name of an optimizer in `keras_names.OPTIMIZERS`, or the dotted path of one of the user's own.

    A function takes only a learning rate.
    """
    return _known_name("optimizer(learning_rate)", name, match_name(name, OPTIMIZERS), OPTIMIZERS)


def schedule_name(name: str) -> str:
    """Return the name of a schedule, one of Keras's translated, or the dotted path of one of the user's own.

    That is a function of the epoch, from 0, and of the learning rate of the settings.
    """
    return _known_name("schedule(epoch, learning_rate)", name, SCHEDULES.get(name), SCHEDULES)


def _known_name(signature: str, name: str, known: str | None, names: Iterable[str]) -> str:
    """Return the known name, or the dotted path of the user's function or class with this signature."""
    if definitions.is_dotted(name):
        definitions.find_definition(name).check_signature(signature.count(",") + 1, signature)
        return name
    if known is None:
        kind = signature.partition("(")[0]
        raise SettingsError(f"unknown {kind} '{name}'. {suggestion(name, names)} {definitions.HOW_TO_NAME}")
    return known


def check_options(settings: Settings) -> None:
    """Raise an error for settings that the chosen optimizer or schedule does not use, as far as its source shows."""
    optimizer, schedule = optimizer_name(settings.optimizer), schedule_name(settings.schedule)
    check_arguments("optimizer", optimizer, settings.optimizer_arguments)
    schedule_settings = [name for name in Settings.model_fields if name.startswith("schedule_")]
    check_arguments("schedule", schedule, settings.schedule_arguments, schedule_settings)
    given = [name for name in OPTIMIZER_OPTIONS if getattr(settings, name) is not None]
    is_function = definitions.is_dotted(optimizer) and isinstance(definitions.find_definition(optimizer).node, ast.FunctionDef)
    if given and is_function:
        raise SettingsError(
            f"optimizer '{optimizer}' is a function of only the learning rate, so {given[0]} has no effect. Set it in the "
            "function"
        )
    if "momentum" in given and not definitions.is_dotted(optimizer) and optimizer not in WITH_MOMENTUM:
        raise SettingsError(
            f"momentum={settings.momentum}: optimizer '{optimizer}' has no momentum. These have it: {', '.join(WITH_MOMENTUM)}"
        )
    final = settings.final_learning_rate
    if final is None and schedule in TO_FINAL:
        raise SettingsError(f"schedule='{schedule}' needs final_learning_rate. Set it")
    if final is not None and schedule not in TO_FINAL:
        raise SettingsError(
            f"final_learning_rate={final} has no effect with schedule='{schedule}'. Remove it, or use one of these "
            f"schedules: {', '.join(TO_FINAL)}"
        )
    warmup = settings.warmup_epochs
    by_epoch = schedule == "plateau" or definitions.is_dotted(schedule) or (schedule == "constant" and not warmup)
    if settings.schedule_unit == "batch" and by_epoch:
        raise SettingsError(
            f"schedule_unit='batch' has no effect with schedule='{schedule}', which does not change with batches. Remove it"
        )
    if warmup and (schedule == "plateau" or definitions.is_dotted(schedule)):
        raise SettingsError(
            f"warmup_epochs={warmup} has no effect with schedule='{schedule}', which sets every epoch itself. Remove it"
        )
    if warmup and warmup >= settings.num_epochs:
        raise SettingsError(f"warmup_epochs={warmup} leaves none of num_epochs={settings.num_epochs}. Lower it")
