"""Callbacks of the user's own in the training of a fold.

Comes in: the parameter ``callbacks``, dotted paths. Goes out: Keras callbacks, whose errors name the path, the file and the
line.
"""

import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any

import keras

from xval.base import user_code
from xval.base.errors import JobError, SettingsError, XvalError
from xval.settings.further_metrics import split_names
from xval.settings.schema import Settings

_HOOKS = tuple(name for name in vars(keras.callbacks.Callback) if name.startswith("on_"))


def own_callbacks(settings: Settings) -> list[keras.callbacks.Callback]:
    """Return new callbacks of an instance.

    Raises:
        SettingsError: One is none of Keras's.
        Exception: Whatever the user's module raises.
    """
    found = []
    for path in split_names(settings.callbacks or "auto"):
        made = user_code.load(path)()
        if not isinstance(made, keras.callbacks.Callback):
            raise SettingsError(f"callback '{path}' gave {type(made).__name__}; a keras.callbacks.Callback is wanted.")
        for name in _HOOKS:  # what it has not changed stays as it is: Keras then need not call it after each batch
            if name in vars(made) or getattr(type(made), name) is not getattr(keras.callbacks.Callback, name):
                setattr(made, name, _named(getattr(made, name), path))
        found.append(made)
    return found


def _named(hook: Callable[..., Any], path: str) -> Callable[..., Any]:
    """Return a method of a callback whose errors say where they are from."""

    @wraps(hook)
    def call(*args: Any, **options: Any) -> Any:
        try:
            return hook(*args, **options)
        except XvalError:
            raise
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)[1:]  # none where the hook takes other arguments
            place = [f", {frame.filename}, line {frame.lineno}" for frame in frames if frame.filename == frames[0].filename]
            raise JobError(f"callback '{path}'{''.join(place[-1:])}: {type(error).__name__}: {error}") from error

    return call
