"""Put a batch together on the device that holds all examples, mixed with their partners if mixup is on.

The values are the same as from the host. An example is given by its position in the array on the device.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops


@dataclass(frozen=True, eq=False)
class HeldExamples:
    """An array on the device whose rows or segments are examples.

    Attributes:
        array: float32 (n_all, ...).
        shape: Of an example that is a segment of an array (n_samples,); None: examples are rows.
    """

    array: Any
    shape: tuple[int, ...] | None = None

    def is_same(self, other: "HeldExamples") -> bool:
        """Return whether steps that are compiled for this do for another one."""
        return self.array is other.array and self.shape == other.shape

    def examples(self, given: Sequence[Any], array: Any = None) -> Any:
        """Return the examples of a batch, float32 (n_examples, ...).

        Args:
            given: As of `xval.data.batches.Batches.by_places`, on the device.
            array: In place of the own one, within a function that is compiled.
        """
        array = self.array if array is None else array
        own = self._at(array, given[0])
        if len(given) == 1:
            return own
        _, partners, shares = given
        change = self._at(array, partners) - own
        return change * ops.reshape(shares, (-1, *(1,) * (len(own.shape) - 1))) + own

    def _at(self, array: Any, places: Any) -> Any:
        """Return the examples at some places of the array; see `xval.data.indexed.Indexed`."""
        if self.shape is None:
            return _take(array, places)
        length = 1
        for size in self.shape:
            length *= size
        samples = ops.arange(length, dtype=keras.backend.standardize_dtype(places.dtype))
        first, period, n_filled = places[:, 0:1], places[:, 1:2], places[:, 2:3]
        # An empty segment may begin behind the last sample.
        inside = ops.minimum(first + samples % period, array.shape[0] - 1)
        examples = ops.where(samples < n_filled, _take(array, inside), 0.0)
        return ops.reshape(examples, (-1, *self.shape))


def _take(array: Any, places: Any) -> Any:
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.gather(array, places)
    return array[places]
