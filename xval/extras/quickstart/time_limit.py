"""A time limit that interrupts a block of code as Ctrl-C does, for work that can continue later."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from preprocessing.interrupts import take_back_noted


class TimeLimit:
    """A time limit, which begins when it is made.

    Args:
        seconds: Its length.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left_s(self) -> float:
        """The remaining time in seconds, at least 0."""
        return max(0.0, self._end - time.monotonic())

    @property
    def is_over(self) -> bool:
        """Whether no time is left."""
        return self.left_s == 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Interrupt the main thread in the same way as Ctrl-C."""
    if callable(signal.getsignal(signal.SIGINT)):
        signal.raise_signal(signal.SIGINT)
    else:  # SIGINT is ignored, for example in a command that a shell script started with &
        raise KeyboardInterrupt


@contextmanager
def time_limit(seconds: float) -> Iterator[TimeLimit]:
    """Raise a KeyboardInterrupt in the block when the time is up; where it is already, on Windows and in other threads not."""
    limit = TimeLimit(seconds)
    if limit.is_over:  # a timer could interrupt what follows the block
        yield limit
        return
    try:
        before = signal.signal(signal.SIGALRM, _interrupt)
    except (AttributeError, ValueError):  # Windows, another thread
        yield limit
        return
    signal.setitimer(signal.ITIMER_REAL, max(limit.left_s, 1e-3))
    try:
        yield limit
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if limit.is_over:
            take_back_noted()  # an error that follows comes of something else
