"""The lock on a job, which one process holds while it runs the job, and which any process may query.

Comes in: the path of a lock file. Goes out: whether this or any process holds it. It is a lock of the system (flock), which
ends with the process.

A query takes a shared lock for some microseconds, without writing the file; `hold` tries for a moment, so that a query never
keeps a worker from its job. (/proc/locks does not show processes of other containers or machines.)
"""

import fcntl
import os
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


def is_held(path: Path) -> bool:
    """Return whether some process holds a lock; nothing is created or changed.

    Args:
        path: The lock file; if it is missing, the lock has never been held.

    Raises:
        OSError: The file may not be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        # Held; or a file system without locks, where the file exists only while the lock is held.
        return True
    finally:
        os.close(descriptor)
    return False
