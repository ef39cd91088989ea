"""Examples as positions in one array, for a device that holds the array."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xval.data.store_memory import HeldStore

_MOST_VALUES = 2**31  # places are int32


@dataclass(frozen=True)
class Indexed:
    """The places of examples in an array.

    Attributes:
        everything: float32 (n_all, ...), read-only, the common array of all sides, folds and instances that use the store.
        places: Function that returns the places of the examples at some positions, int32: (n_positions,) rows of `everything`;
            or, if `everything` is (n_samples,), (n_positions, 3) as from `segment_places`.
        shape: Shape of an example that is a segment; None: examples are rows.
    """

    everything: NDArray[np.float32]
    places: Callable[[NDArray[np.int64]], NDArray[np.int32]]
    shape: tuple[int, ...] | None = None


def index_segments(
    held: object, places: Callable[[NDArray[np.int64]], NDArray[np.int32]], shape: tuple[int, ...]
) -> Indexed | None:
    """Return the places of examples that are segments of samples; None: streamed, or too many samples for int32."""
    if not isinstance(held, HeldStore) or held.everything.size >= _MOST_VALUES:
        return None
    return Indexed(held.everything, places, shape)


def segment_places(
    first: NDArray[np.int64], n_samples: NDArray[np.int64], length: int, *, continued: bool = False
) -> NDArray[np.int32]:
    """Return the places of segments.

    Args:
        first: int64 (n,), the start of each segment.
        n_samples: int64 (n,), the number of samples of each segment.
        length: Number of samples of an example.
        continued: Whether a shorter segment is repeated; otherwise it is followed by zeros.

    Returns:
        int32 (n, 3): the start; the number of samples after which it repeats, at least 1; the number of samples of `length`
        that are not filled with zeros.
    """
    filled = np.where(n_samples > 0, length, 0) if continued else n_samples
    return np.stack([first, np.maximum(n_samples, 1), filled], axis=1).astype(np.int32)
