"""The lock on a job: one process holds it while it runs the job, and any process may ask whether it is held.

Comes in: the path of a lock file. Goes out: whether it is ours, or anybody's. The lock is one of the system (flock), which
lets go of it with the process, however that ends.

Asking takes a shared lock for some microseconds, without creating or writing the file, and who wants to hold it tries again for
a moment; so asking never keeps a worker from its job. (/proc/locks would tell too, but shows no process of another container
and none on another machine of a network drive.)
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
    """Hold a lock until the block or the process ends, however it ends.

    Args:
        path: The lock file; it is made where it is missing, and stays.

    Yields:
        True: it is ours. False: another process holds it.
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
        path: The lock file; where there is none, nobody has ever held it.

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
        # Held; or a file system without locks, where filelock makes the file to hold it, and deletes it to let go.
        return True
    finally:
        os.close(descriptor)
    return False
