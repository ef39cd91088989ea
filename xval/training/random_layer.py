"""The base class of layers that change examples only in training.

Random numbers are drawn on the device by `keras.random`: the same seed gives the same numbers on a backend.
"""

from typing import Any

import keras
from keras import ops


def whole_numbers(shares: Any, highest: Any) -> Any:
    """Return whole numbers 0 to ``highest`` as float32, all equally likely, from numbers drawn uniformly from [0, 1)."""
    return ops.minimum(ops.floor(shares * (highest + 1)), highest)


class RandomLayer(keras.layers.Layer):  # type: ignore[misc]
    """A layer that changes examples only in training, in float32 with every precision of the other layers.

    Attributes:
        is_masked: Whether NaN follows the ends of clips (``padding = masked``); it stays there.
    """

    is_masked = False

    def __init__(self, *, seed: int, **keywords: Any) -> None:
        super().__init__(**{"dtype": "float32", **keywords})
        self._seeds = keras.random.SeedGenerator(seed)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return the inputs, changed if ``training`` is true."""
        if not training:
            return inputs
        if not self.is_masked:
            return self.change(inputs)
        is_behind = ops.isnan(inputs)
        return ops.where(is_behind, inputs, self.change(ops.where(is_behind, 0.0, inputs)))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the inputs."""
        return input_shape

    def change(self, examples: Any) -> Any:
        """Return changed examples in the shape of the inputs; each subclass defines it."""
        raise NotImplementedError

    def shares(self, examples: Any, *shape: int) -> Any:
        """Draw numbers uniformly from [0, 1), float32 (batch, *shape); without a shape, one per example that broadcasts."""
        shape = shape or (1,) * (len(examples.shape) - 1)
        return keras.random.uniform((ops.shape(examples)[0], *shape), dtype="float32", seed=self._seeds)

    def noisy(self, examples: Any, noise_share: float, level: Any) -> Any:
        """Add Gaussian noise with a standard deviation drawn from 0 to ``noise_share`` times the level of each example."""
        deviation = noise_share * level * self.shares(examples)
        return examples + deviation * keras.random.normal(ops.shape(examples), dtype="float32", seed=self._seeds)

    def shifted(self, examples: Any, axis: int, furthest: int) -> Any:
        """Shift each example along an axis by a whole number drawn from -furthest to furthest, filled with zeros.

        A slice per binary digit of the number shifts the examples in which the digit is set, which works along any axis.
        """
        n_digits = (2 * furthest).bit_length()
        padding = [(0, 0)] * len(examples.shape)
        padding[axis] = (furthest, 2**n_digits - 1 - furthest)
        moved = ops.pad(examples, padding)
        start = whole_numbers(self.shares(examples), 2 * furthest)
        before = (slice(None),) * axis
        for step in (2**digit for digit in reversed(range(n_digits))):
            is_set = ops.floor(start / step) % 2 == 1
            moved = ops.where(is_set, moved[(*before, slice(step, None))], moved[(*before, slice(None, -step))])
        return moved
