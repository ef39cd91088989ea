"""The Fourier transform of a front end as two matrix products, for formats that have no such transform.

Comes in: a model. Goes out: one with the same layers and weights, whose transforms are matrix products where that is asked for.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops


class FourierMatrices(keras.Operation):  # type: ignore[misc]
    """What `keras.ops.rfft` computes, from the definition of the discrete Fourier transform: n_fft times the work for a frame.

    Takes float32 (..., n_fft); returns the real and the imaginary part, each float32 (..., n_fft // 2 + 1).
    """

    def call(self, frames: Any) -> tuple[Any, Any]:
        """Transform the last axis."""
        n_fft = frames.shape[-1]
        # Whole turns are taken out while the numbers are integers, so that the angles are exact to the last digit of float64.
        angles = 2 * np.pi * (np.outer(np.arange(n_fft), np.arange(n_fft // 2 + 1)) % n_fft) / n_fft
        return ops.matmul(frames, np.cos(angles).astype(np.float32)), ops.matmul(frames, -np.sin(angles).astype(np.float32))

    def compute_output_spec(self, frames: Any) -> tuple[Any, Any]:
        """Return the shapes of both parts."""
        shape = (*frames.shape[:-1], frames.shape[-1] // 2 + 1)
        return keras.KerasTensor(shape, frames.dtype), keras.KerasTensor(shape, frames.dtype)


def without_rfft(model: keras.Model, keeps: Callable[[int], bool]) -> keras.Model:
    """Return a model whose transforms are matrix products.

    Args:
        model: Its layers and weights are shared with the model that is returned.
        keeps: Says of a number of samples whether their transform may stay as it is.
    """

    def replace(operation: Any) -> Any:
        if _is_rfft(operation):
            return FourierMatrices(name=operation.name) if not keeps(_n_fft(operation)) else operation
        return without_rfft(operation, keeps) if _has_rfft(operation) else operation

    return keras.models.clone_model(model, clone_function=replace) if _has_rfft(model) else model


def _is_rfft(operation: Any) -> bool:
    # Keras names the class of keras.ops.rfft nowhere in its public interface.
    return type(operation).__name__ == "RFFT"


def _n_fft(operation: Any) -> int:
    return int(operation.input.shape[-1])


def _has_rfft(operation: Any) -> bool:
    """Return whether a transform is in a functional model, at any depth."""
    return any(_is_rfft(inner) or _has_rfft(inner) for inner in getattr(operation, "operations", ()))
