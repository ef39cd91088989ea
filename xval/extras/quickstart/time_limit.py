"""A limit of time for what may be interrupted and goes on later: it ends as if Ctrl-C had been pressed.

Comes in: seconds. Goes out: a `TimeLimit`, which says whether it is over.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TimeLimit:
    """How much time is left."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left_s(self) -> float:
        """The seconds that are left, at least 0."""
        return max(0.0, self._end - time.monotonic())

    @property
    def is_over(self) -> bool:
        """Whether none is left."""
        return self.left_s == 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """End what runs in the main thread, by the same way as Ctrl-C."""
    if callable(signal.getsignal(signal.SIGINT)):
        signal.raise_signal(signal.SIGINT)
    else:  # ignored, as in what a shell script starts with &
        raise KeyboardInterrupt


@contextmanager
def time_limit(seconds: float) -> Iterator[TimeLimit]:
    """Raise a KeyboardInterrupt within the block after so many seconds, in the main thread; elsewhere only count them."""
    limit = TimeLimit(seconds)
    try:
        before = signal.signal(signal.SIGALRM, _interrupt)
    except (AttributeError, ValueError):  # Windows, another thread
        yield limit
        return
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3))
    try:
        yield limit
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
