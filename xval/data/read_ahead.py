"""Read the next batches from disk while the current one trains.

Keras's own `workers` are not usable: they start an epoch before its order is drawn, and keep batches of an earlier order for
the next epoch. With one worker, the default, only TensorFlow reads ahead.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache

import numpy as np
from numpy.typing import NDArray

_BATCHES_AHEAD = 2


class ReadAhead:
    """The predictors of batches; a thread reads the next ones ahead, which does not change the batches.

    Args:
        read: Function from positions to predictors; two threads may call it at the same time.
        enabled: Whether to read ahead, which is of no use for examples in memory.
    """

    def __init__(self, read: Callable[[NDArray[np.int64]], NDArray[np.float32]], *, enabled: bool) -> None:
        self._read = read
        self._enabled = enabled
        self._lock = threading.Lock()
        self._coming: dict[int, Future[NDArray[np.float32]]] = {}

    def predictors(self, batches: Sequence[NDArray[np.int64]], index: int) -> NDArray[np.float32]:
        """Return the predictors of a batch, and start reading the next ones.

        ``batches`` has the positions of all batches, the same ones until `forget` is called.
        """
        if not self._enabled:
            return self._read(batches[index])
        with self._lock:
            ready = self._coming.pop(index, None)
            ahead = range(index + 1, min(index + 1 + _BATCHES_AHEAD, len(batches)))
            for number in self._coming.keys() - set(ahead):
                self._coming.pop(number).cancel()
            for number in ahead:
                if number not in self._coming:
                    self._coming[number] = _reader().submit(self._read, batches[number])
        return self._read(batches[index]) if ready is None else ready.result()

    def forget(self) -> None:
        """Stop reading and drop the batches that were read ahead, before batches or examples change."""
        with self._lock:
            for coming in self._coming.values():
                coming.cancel()
            wait(self._coming.values())
            self._coming.clear()


@cache
def _reader() -> ThreadPoolExecutor:
    """Return the one thread of this process that reads ahead."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="read ahead")
