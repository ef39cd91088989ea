"""Examples as positions in one array, for a device that holds the array."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xval.data.store_memory import HeldStore

_MOST_VALUES = 2**31  # places are int32


@dataclass(frozen=True)
class Indexed:
    """Where examples are.

    Attributes:
        everything: float32 (n_all, ...), read-only, the same array for all sides, folds and instances that use the store.
        places: Returns the places of the examples at some positions, int32: (n_positions,) rows of `everything`; or, of an
            `everything` (n_samples,), (n_positions, 3) as of `segment_places`.
        shape: Of an example that is a segment; None: examples are rows.
    """

    everything: NDArray[np.float32]
    places: Callable[[NDArray[np.int64]], NDArray[np.int32]]
    shape: tuple[int, ...] | None = None


def index_segments(
    held: object, places: Callable[[NDArray[np.int64]], NDArray[np.int32]], shape: tuple[int, ...]
) -> Indexed | None:
    """Return where examples are that are segments of samples; None: they are streamed, or too many samples for int32."""
    if not isinstance(held, HeldStore) or held.everything.size >= _MOST_VALUES:
        return None
    return Indexed(held.everything, places, shape)


def segment_places(
    first: NDArray[np.int64], n_samples: NDArray[np.int64], length: int, *, continued: bool = False
) -> NDArray[np.int32]:
    """Return the places of segments.

    Args:
        first: Where each begins, int64 (n,).
        n_samples: How many samples each has, int64 (n,).
        length: How many an example has.
        continued: A shorter segment is continued by itself; otherwise it is followed by zeros.

    Returns:
        int32 (n, 3): where it begins; after how many samples it begins again, at least one; how many of `length` are no zeros.
    """
    filled = np.where(n_samples > 0, length, 0) if continued else n_samples
    return np.stack([first, np.maximum(n_samples, 1), filled], axis=1).astype(np.int32)
