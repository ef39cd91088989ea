"""Load the callbacks and observers that users write (parameter ``callbacks``, dotted paths) for the training of a fold.

Their errors name the path, the file and the line.
"""

import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras

from xval.base.errors import JobError, SettingsError, XvalError
from xval.base.user_code import imports
from xval.base.user_code.modules import place_in_project
from xval.jobs.observers import METHODS
from xval.settings import optimizers
from xval.settings.further_metrics import split_names
from xval.settings.schema import Settings
from xval.training import optimizer

_Scheduler, _Plateau = keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau
_HOOKS = tuple(name for name in vars(keras.callbacks.Callback) if name.startswith("on_"))


def own_parts(settings: Settings) -> tuple[list[Any], list[keras.callbacks.Callback]]:
    """Return new observers and new Keras callbacks from the setting ``callbacks`` of an instance.

    Raises:
        SettingsError: A path does not make a callback or an observer, or a callback sets the learning rate as a schedule does.
    """
    observers, callbacks = [], []
    for path in split_names(settings.callbacks or "auto"):
        made = imports.load(path)()
        missing = [name for name in METHODS if not callable(getattr(made, name, None))]
        if isinstance(made, keras.callbacks.Callback):
            _refuse_second_schedule(made, path, settings)
            for name in _HOOKS:  # only methods that it overrides, because Keras need not call the others after each batch
                if name in vars(made) or getattr(type(made), name) is not getattr(keras.callbacks.Callback, name):
                    setattr(made, name, _named(getattr(made, name), f"callback '{path}'"))
            callbacks.append(made)
        elif missing:
            lacks = f", but it lacks {', '.join(missing)}" * (len(missing) < len(METHODS))
            raise SettingsError(
                f"callback '{path}' returned {type(made).__name__}; expected a keras.callbacks.Callback, or an observer with "
                f"the methods {', '.join(METHODS)}{lacks}. A subclass of xval.Observer has all of them."
            )
        else:
            named = {name: _named(getattr(made, name), f"observer '{path}'") for name in METHODS}
            observers.append(SimpleNamespace(part=path, **named))
    return observers, callbacks


def _refuse_second_schedule(callback: keras.callbacks.Callback, path: str, settings: Settings) -> None:
    """Raise SettingsError if both a callback and the settings set the learning rate: one of them would have no effect."""
    kind = next((kind for kind in (_Scheduler, _Plateau) if isinstance(callback, kind)), None)
    is_plateau = optimizers.schedule_name(settings.schedule) == "plateau"
    if kind is None or not optimizer.sets_rate(settings) or (kind is _Plateau and is_plateau):  # two plateaus both work
        return
    raise SettingsError(
        f"callback '{path}' is a {kind.__name__} and sets the learning rate, as does "
        f"{optimizer.describe_schedule(settings)}. {optimizer.how_to_hold(settings)}, or remove the callback."
    )


def _named(hook: Callable[..., Any], what: str) -> Callable[..., Any]:
    """Return a method whose errors name the callback or observer, and the file and the line."""

    @wraps(hook)
    def call(*args: Any, **options: Any) -> Any:
        try:
            return hook(*args, **options)
        except XvalError:
            raise
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)[1:]  # empty if the hook takes other arguments
            lines = [frame.lineno for frame in frames if frame.filename == frames[0].filename]
            place = f", {place_in_project(Path(frames[0].filename)).as_posix()}, line {lines[-1]}" if lines else ""
            raise JobError(f"{what}{place}: {type(error).__name__}: {error}") from error

    return call
