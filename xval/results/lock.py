"""The lock on a job, which one process holds while it runs the job, and which any process may query.

Comes in: the path of a lock file. Goes out: whether this process holds it. It is a lock of the system, which ends with the
process.

A query (`xval.operating_system.is_locked`) takes the lock for some microseconds; `hold` tries for a moment, so that a query
never keeps a worker from its job. (/proc/locks does not show processes of other containers or machines.)
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

_TRY_FOR_S = 0.25
_TRY_EVERY_S = 0.01


@contextmanager
def hold(path: Path) -> Iterator[bool]:
    """Hold a lock until the block or the process ends.

    Args:
        path: The lock file; it is made if it is missing, and stays.

    Yields:
        True: this process holds it. False: another process holds it.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=_TRY_FOR_S, poll_interval=_TRY_EVERY_S)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
