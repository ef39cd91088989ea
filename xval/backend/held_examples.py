"""Build the batches of a training on the device, from an array that holds all examples there; with mixup, mixed in pairs.

An example is named by its position in the array. The values equal those of batches that the host sends.
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
        array: float32 tensor of the backend: (n_all, ...), a row for each example; or (n_samples,), of which examples are
            segments.
        shape: Shape of an example that is a segment; None: examples are rows.
    """

    array: Any
    shape: tuple[int, ...] | None = None

    def is_same(self, other: "HeldExamples") -> bool:
        """Return whether steps that were compiled for these examples can be used for ``other``."""
        return self.array is other.array and self.shape == other.shape

    def examples(self, given: Sequence[Any], array: Any = None) -> Any:
        """Return the examples of a batch, float32 (n_examples, ...).

        Args:
            given: The places of the examples and, with mixup, the places of their partners and the partners' shares, as
                `xval.data.batches.Batches.by_places` returns them, on the device.
            array: Used instead of the attribute in a function that is compiled, where an array has to be an argument.
        """
        array = self.array if array is None else array
        own = self._at(array, given[0])
        if len(given) == 1:
            return own
        _, partners, shares = given
        change = self._at(array, partners) - own
        return change * ops.reshape(shares, (-1, *(1,) * (len(own.shape) - 1))) + own

    def _at(self, array: Any, places: Any) -> Any:
        """Return the examples at some places, which are rows, or segments as in `xval.data.indexed.segment_places`."""
        if self.shape is None:
            return _take(array, places)
        length = 1
        for size in self.shape:
            length *= size
        samples = ops.arange(length, dtype=keras.backend.standardize_dtype(places.dtype))
        first, period, n_filled = places[:, 0:1], places[:, 1:2], places[:, 2:3]
        # An empty segment may begin after the last sample.
        inside = ops.minimum(first + samples % period, array.shape[0] - 1)
        examples = ops.where(samples < n_filled, _take(array, inside), 0.0)
        return ops.reshape(examples, (-1, *self.shape))


def _take(array: Any, places: Any) -> Any:
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.gather(array, places)
    return array[places]
