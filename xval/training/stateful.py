"""Callbacks that give and take their state, so that another process can continue at the end of an epoch."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from xval.training.compiled import check_form


class Counting(keras.callbacks.Callback):  # type: ignore[misc]
    """A callback that gives and takes what it holds from an epoch to the next one: numbers, arrays, None.

    Attributes:
        held: The names of its attributes that are so.
    """

    held: tuple[str, ...] = ()

    def get_state(self) -> dict[str, Any]:
        """Return what it holds."""
        return {name: getattr(self, name, None) for name in self.held}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Hold what a state says.

        Raises:
            ValueError: It is of another kind of callback.
        """
        if set(state) != set(self.held):
            raise ValueError(f"it has {sorted(state)}")
        if not all(value is None or isinstance(value, int | float | list | np.ndarray) for value in state.values()):
            raise ValueError("it has a text")
        for name, value in state.items():
            setattr(self, name, value)


class EarlyStopping(Counting, keras.callbacks.EarlyStopping):  # type: ignore[misc]
    """Stops training early, as Keras does."""

    held = ("wait", "stopped_epoch", "best", "best_epoch", "best_weights")

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Hold what a state says; its best weights have the form of the model's."""
        if state["best_weights"] is not None:
            check_form(state["best_weights"], self.model.get_weights())
        super().set_state(state)


class Plateaus(Counting, keras.callbacks.ReduceLROnPlateau):  # type: ignore[misc]
    """Lowers the learning rate on plateaus, as Keras does."""

    held = ("wait", "best", "cooldown_counter")
