"""Replace the Fourier transform of a front end by two matrix products, for formats without that transform.

Comes in: a model. Goes out: a model with the same layers and weights, and matrix products for transforms.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops


class FourierMatrices(keras.Operation):  # type: ignore[misc]
    """`keras.ops.rfft` as matrix products, by the definition of the discrete Fourier transform.

    Takes float32 (..., n_fft); returns the real and the imaginary part, each float32 (..., n_fft // 2 + 1).
    """

    def call(self, frames: Any) -> tuple[Any, Any]:
        """Transform the last axis."""
        n_fft = frames.shape[-1]
        # The modulo of integers keeps the angles exact.
        angles = 2 * np.pi * (np.outer(np.arange(n_fft), np.arange(n_fft // 2 + 1)) % n_fft) / n_fft
        return ops.matmul(frames, np.cos(angles).astype(np.float32)), ops.matmul(frames, -np.sin(angles).astype(np.float32))

    def compute_output_spec(self, frames: Any) -> tuple[Any, Any]:
        """Return the shapes of both parts."""
        shape = (*frames.shape[:-1], frames.shape[-1] // 2 + 1)
        return keras.KerasTensor(shape, frames.dtype), keras.KerasTensor(shape, frames.dtype)


def without_rfft(model: keras.Model, keeps: Callable[[int], bool]) -> keras.Model:
    """Return a model whose transforms are matrix products.

    Args:
        model: The returned model shares its layers and weights.
        keeps: Whether the transform of so many samples stays as it is.
    """

    def replace(operation: Any) -> Any:
        if _is_rfft(operation):
            return FourierMatrices(name=operation.name) if not keeps(int(operation.input.shape[-1])) else operation
        return without_rfft(operation, keeps) if _has_rfft(operation) else operation

    return keras.models.clone_model(model, clone_function=replace) if _has_rfft(model) else model


def _is_rfft(operation: Any) -> bool:
    # Keras names the class of keras.ops.rfft nowhere in its public interface.
    return type(operation).__name__ == "RFFT"


def _has_rfft(operation: Any) -> bool:
    """Return whether a transform is in a functional model, at any depth."""
    return any(_is_rfft(inner) or _has_rfft(inner) for inner in getattr(operation, "operations", ()))
