"""Replace the Fourier transforms of a model by matrix products, for export formats without that operation."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops


class FourierMatrices(keras.Operation):  # type: ignore[misc]
    """`keras.ops.rfft` as matrix products, by the definition of the discrete Fourier transform.

    It maps frames, float32 (..., n_fft), to the real and the imaginary part, each float32 (..., n_fft // 2 + 1).
    """

    def call(self, frames: Any) -> tuple[Any, Any]:
        """Return the real and the imaginary part of the transform along the last axis."""
        n_fft = frames.shape[-1]
        # The modulo of integers keeps the angles exact.
        angles = 2 * np.pi * (np.outer(np.arange(n_fft), np.arange(n_fft // 2 + 1)) % n_fft) / n_fft
        return ops.matmul(frames, np.cos(angles).astype(np.float32)), ops.matmul(frames, -np.sin(angles).astype(np.float32))

    def compute_output_spec(self, frames: Any) -> tuple[Any, Any]:
        """Return the shapes of both parts."""
        shape = (*frames.shape[:-1], frames.shape[-1] // 2 + 1)
        return keras.KerasTensor(shape, frames.dtype), keras.KerasTensor(shape, frames.dtype)


def without_rfft(model: keras.Model, keeps: Callable[[int], bool]) -> keras.Model:
    """Return a model with matrix products instead of Fourier transforms; it shares all other layers and the weights.

    Args:
        model: A functional model.
        keeps: Returns whether a transform of this length (samples) is not replaced.
    """

    def replace(operation: Any) -> Any:
        if _is_rfft(operation):
            return FourierMatrices(name=operation.name) if not keeps(int(operation.input.shape[-1])) else operation
        return without_rfft(operation, keeps) if _has_rfft(operation) else operation

    return keras.models.clone_model(model, clone_function=replace) if _has_rfft(model) else model


def _is_rfft(operation: Any) -> bool:
    # The class of keras.ops.rfft is not part of the public interface of Keras.
    return type(operation).__name__ == "RFFT"


def _has_rfft(operation: Any) -> bool:
    """Return whether a functional model contains a Fourier transform, at any depth."""
    return any(_is_rfft(inner) or _has_rfft(inner) for inner in getattr(operation, "operations", ()))
