"""A limit of time for what may be interrupted and goes on later: it ends as if Ctrl-C had been pressed.

Comes in: seconds. Goes out: a `TimeLimit`, which says whether it was the time that ended it.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TimeLimit:
    """How much time is left.

    Attributes:
        is_over: The time has ended what ran.
    """

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._end = time.monotonic() + seconds

    @property
    def left_s(self) -> float:
        """The seconds that are left, at least 0."""
        return max(0.0, self._end - time.monotonic())

    def interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """End what runs in the main thread, by the same way as Ctrl-C."""
        self.is_over = True
        signal.raise_signal(signal.SIGINT)


@contextmanager
def time_limit(seconds: float) -> Iterator[TimeLimit]:
    """Raise a KeyboardInterrupt within the block after so many seconds, in the main thread; elsewhere only count them."""
    limit = TimeLimit(seconds)
    try:
        before = signal.signal(signal.SIGALRM, limit.interrupt)
    except (AttributeError, ValueError):  # Windows, another thread
        yield limit
        return
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3))
    try:
        yield limit
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
