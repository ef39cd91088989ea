"""Callbacks whose state can be saved and restored, so that another process can continue after an epoch."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from xval.training.compiled import check_form


class Counting(keras.callbacks.Callback):  # type: ignore[misc]
    """A callback that saves and restores some of its attributes, which are numbers, arrays or None.

    Attributes:
        held: The names of these attributes.
    """

    held: tuple[str, ...] = ()

    def get_state(self) -> dict[str, Any]:
        """Return the values of these attributes by their names."""
        return {name: getattr(self, name, None) for name in self.held}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore the attributes from a state of `get_state`.

        Raises:
            ValueError: The state belongs to another kind of callback.
        """
        if set(state) != set(self.held):
            raise ValueError(f"it has {sorted(state)}")
        if not all(value is None or isinstance(value, int | float | list | np.ndarray) for value in state.values()):
            raise ValueError("it has a text")
        for name, value in state.items():
            setattr(self, name, value)


class EarlyStopping(Counting, keras.callbacks.EarlyStopping):  # type: ignore[misc]
    """Keras's EarlyStopping, whose state can be saved and restored."""

    held = ("wait", "stopped_epoch", "best", "best_epoch", "best_weights")

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore a state; raise ValueError if its best weights have other shapes than those of the model."""
        if state["best_weights"] is not None:
            check_form(state["best_weights"], self.model.get_weights())
        super().set_state(state)


class Plateaus(Counting, keras.callbacks.ReduceLROnPlateau):  # type: ignore[misc]
    """Keras's ReduceLROnPlateau, whose state can be saved and restored."""

    held = ("wait", "best", "cooldown_counter")
