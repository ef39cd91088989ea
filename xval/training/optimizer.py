"""The optimizer of a fold's model and its learning rate in each epoch."""

import math

import keras

from xval.backend.keras_optimizers import RateByBatch, has_settable_rate, mix_in
from xval.base.errors import SettingsError, XvalError, one_line
from xval.base.keras_names import OPTIMIZERS
from xval.base.user_code import definitions, imports
from xval.base.user_code.modules import describe_place
from xval.settings.optimizers import OPTIMIZER_OPTIONS, optimizer_name, schedule_name
from xval.settings.part_arguments import split_arguments
from xval.settings.schema import Settings


def make_optimizer(settings: Settings) -> "keras.optimizers.Optimizer":
    """Return the optimizer of an instance.

    Args:
        settings: The settings optimizer, learning_rate, momentum, weight_decay, clip_norm (for the norm of all gradients
            together) and weight_average are used; for those that are None, the optimizer has its own default.

    Raises:
        SettingsError: The optimizer cannot be made with these options, or a schedule would set its learning rate, but it cannot
            be set.
    """
    name = optimizer_name(settings.optimizer)
    given = {keyword: getattr(settings, key) for key, keyword in OPTIMIZER_OPTIONS.items()}
    options = {keyword: value for keyword, value in given.items() if value is not None}
    options |= split_arguments("optimizer", settings.optimizer_arguments)
    options |= {"use_ema": True} if settings.weight_average is not None else {}
    make = imports.load(name) if definitions.is_dotted(name) else getattr(keras.optimizers, OPTIMIZERS[name])
    try:
        optimizer = make(settings.learning_rate, **options)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"optimizer '{name}' with {', '.join(['learning_rate', *options])}: {error}") from error
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise SettingsError(f"optimizer '{name}' returned {type(optimizer).__name__}; expected a keras.optimizers.Optimizer.")
    if sets_rate(settings) and not has_settable_rate(optimizer):
        raise SettingsError(
            f"optimizer '{name}': its learning rate follows its own object or function, but {describe_schedule(settings)} "
            f"sets another one. {how_to_hold(settings)}, or pass the optimizer the number that your function receives."
        )
    if settings.schedule_unit == "batch":
        mix_in(RateByBatch, optimizer)
    return optimizer


def sets_rate(settings: Settings) -> bool:
    """Return whether a schedule or a warm-up of the settings changes the learning rate during training."""
    return bool(settings.warmup_epochs) or schedule_name(settings.schedule) != "constant"


def describe_schedule(settings: Settings) -> str:
    """Return the settings that change the learning rate, as a text for errors."""
    moving = [] if schedule_name(settings.schedule) == "constant" else [f"schedule={settings.schedule}"]
    return " with ".join(moving + [f"warmup_epochs={settings.warmup_epochs}"] * bool(settings.warmup_epochs))


def how_to_hold(settings: Settings) -> str:
    """Return the settings with which the learning rate stays constant, as advice in an error."""
    further = ["warmup_epochs=0"] * bool(settings.warmup_epochs) + ["schedule_unit=epoch"] * (settings.schedule_unit == "batch")
    return " and ".join(["Set schedule=constant", *further])


def check_schedule(settings: Settings, n_epochs: int | None = None) -> None:
    """Call a schedule of the user's own for every epoch, before the training, to find its errors.

    Args:
        settings: The settings of the instance.
        n_epochs: Number of epochs; None: num_epochs.

    Raises:
        SettingsError: The schedule raises an error for an epoch, or does not return a learning rate.
    """
    if definitions.is_dotted(schedule_name(settings.schedule)):
        for epoch in range(n_epochs or settings.num_epochs):
            learning_rate(settings, epoch)


def learning_rate(settings: Settings, epoch: int) -> float:
    """Return the learning rate of an epoch, for every schedule except `plateau`, which depends on the training.

    Args:
        settings: The settings schedule, schedule_arguments, learning_rate (here: start), final_learning_rate, schedule_decay,
            num_epochs and warmup_epochs are used.
        epoch: Number of the epoch, from 0.

    Returns:
        constant: start. cosine: from start to 0 over all epochs (Loshchilov & Hutter 2017, without restarts). exponential:
        start * decay^epoch. inverse_time: start / (1 + decay * epoch). linear, logarithmic: from start in the first epoch to
        the final learning rate in the last one, in equal steps or by equal factors. A schedule of the user's own: its return
        value for the epoch and start. In a warm-up, the learning rate rises to start in equal steps, and the schedule begins
        after it.

    Raises:
        SettingsError: A schedule of the user's own raises an error, or does not return a learning rate.
    """
    name = schedule_name(settings.schedule)
    start, n_epochs = settings.learning_rate, settings.num_epochs
    if definitions.is_dotted(name):
        return _asked_of(name, epoch, settings)
    n_warmup = settings.warmup_epochs
    if epoch < n_warmup:
        return float(start * (epoch + 1) / (n_warmup + 1))
    epoch, n_epochs = epoch - n_warmup, n_epochs - n_warmup
    return _scheduled(settings, epoch, n_epochs, share=epoch / max(n_epochs - 1, 1))


def _asked_of(path: str, epoch: int, settings: Settings) -> float:
    """Return the learning rate that a schedule of the user's own returns for an epoch."""
    arguments = split_arguments("schedule", settings.schedule_arguments)
    try:
        value = imports.load(path)(epoch, settings.learning_rate, **arguments)
    except XvalError:
        raise
    except Exception as error:
        place = describe_place(error)
        raise SettingsError(f"schedule '{path}', epoch {epoch} (counted from 0): {place}{one_line(error)}") from error
    rate = float(value) if _is_number(value) else math.nan
    if not math.isfinite(rate) or rate <= 0:
        raise SettingsError(
            f"schedule '{path}' returned {value!r} for epoch {epoch} (counted from 0); expected a number above 0."
        )
    return rate


def _is_number(value: object) -> bool:
    """Return whether a value is a number of Python or NumPy, or a scalar of a backend; a boolean is not."""
    is_scalar = hasattr(type(value), "__float__") and getattr(value, "ndim", 0) == 0
    return is_scalar and "bool" not in str(getattr(value, "dtype", type(value)))


def learning_rate_at(settings: Settings, place: float) -> float:
    """Return the learning rate at a time within an epoch, for ``schedule_unit = batch``.

    Args:
        settings: The settings, as for `learning_rate`.
        place: Time since the start of training in epochs, 0 to num_epochs.

    Returns:
        The learning rate of the schedule as a continuous curve: a warm-up begins at 0, and a schedule ends with the last batch.
    """
    n_warmup = settings.warmup_epochs
    if place < n_warmup:
        return settings.learning_rate * place / n_warmup
    n_epochs = settings.num_epochs - n_warmup
    return _scheduled(settings, place - n_warmup, n_epochs, share=(place - n_warmup) / n_epochs)


def _scheduled(settings: Settings, epoch: float, n_epochs: int, *, share: float) -> float:
    """Return the learning rate ``epoch`` epochs after the warm-up, at ``share`` (0 to 1) of the way to the final one."""
    start, decay = settings.learning_rate, settings.schedule_decay
    final = start if settings.final_learning_rate is None else settings.final_learning_rate  # linear, logarithmic have one
    match schedule_name(settings.schedule):
        case "cosine":
            return float(start * (1 + math.cos(math.pi * epoch / n_epochs)) / 2)
        case "exponential":
            return float(start * decay**epoch)
        case "inverse_time":
            return float(start / (1 + decay * epoch))
        case "linear":
            return float(start + (final - start) * share)
        case "logarithmic":
            return float(start * (final / start) ** share)
    return float(start)
