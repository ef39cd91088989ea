"""Handle the signals by which schedulers announce the end of a process's time (SIGUSR1, SIGUSR2), so that they do not end it.

Training then writes a checkpoint (xval.jobs.checkpoints).
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from xval.base.operating_system import WARNING_SIGNALS


@contextmanager
def warnings_to(tell: Callable[[int], None]) -> Iterator[None]:
    """Have a function told the number of each warning signal, until the block ends; signals reach the main thread alone."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, lambda number, _: tell(number)) for number in WARNING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
