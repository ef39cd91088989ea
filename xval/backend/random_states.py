"""Save and restore the random states of Python, NumPy, Keras and torch in this process, as plain values and arrays.

A layer with its own seed stores its state in a variable of its model, which is saved with the model.
"""

import random
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from xval.backend.keras_internals import global_seed_state, set_global_seed_state


def get_state() -> dict[str, Any]:
    """Return the random states by library (python, numpy, keras; torch if it is the backend), as numbers, texts and arrays."""
    version, numbers, spare = random.getstate()
    name, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002 - what others draw from
    states: dict[str, Any] = {
        "python": {"version": version, "numbers": np.array(numbers, np.uint64), "spare": spare},
        "numpy": {"name": name, "keys": np.array(keys), "rest": rest},
        "keras": global_seed_state(),
    }
    if keras.backend.backend() == "torch":
        import torch

        devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
        states["torch"] = [state.numpy().copy() for state in (torch.get_rng_state(), *devices)]
    return states


def set_state(states: Mapping[str, Any]) -> None:
    """Restore the random states that `get_state` has returned on the same backend.

    Raises:
        ValueError, TypeError, KeyError, RuntimeError: They are not such states.
    """
    set_global_seed_state(states["keras"])  # first, because making a seed generator draws from Python's random numbers
    python_state, numpy_state = states["python"], states["numpy"]
    random.setstate((python_state["version"], tuple(map(int, python_state["numbers"])), python_state["spare"]))
    np.random.set_state((numpy_state["name"], numpy_state["keys"], *numpy_state["rest"]))  # noqa: NPY002
    if keras.backend.backend() == "torch":
        import torch

        cpu_state, *device_states = (torch.from_numpy(state.copy()) for state in states["torch"])
        torch.set_rng_state(cpu_state)
        if device_states:
            torch.cuda.set_rng_state_all(device_states)
