"""The lock on a job, which one process holds while it runs the job, and which all processes may query.

It is a file lock of the operating system, which ends with the process (``lock = flock``), or, if leases.json is in the folder
of the experiment, a lease (``lock = lease``; leases.py).

A query (`xval.base.operating_system.is_locked`) takes the lock of the system for some microseconds; `hold` tries for a moment,
so that a query never keeps a worker from its job. (/proc/locks does not show processes of other containers or machines.)
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from xval.base.errors import ResultsError
from xval.base.json_files import read_json, write_if_changed
from xval.results import leases

_TRY_FOR_S = 0.25
_TRY_EVERY_S = 0.01
_LEASES = "leases.json"


def choose_lock(folder: Path, lock: Literal["flock", "lease"], lease_s: float) -> None:
    """Write leases.json into the folder of an experiment if its jobs are to be locked by leases.

    Otherwise leave it unchanged.
    """
    if lock == "lease":
        write_if_changed(folder / _LEASES, {"lease_s": lease_s})


def read_lease_s(folder: Path) -> float | None:
    """Return the duration of leases of an experiment (s), or None: it uses locks of the operating system."""
    written = read_json(folder / _LEASES)
    if written is None:
        return None
    lease_s = written.get("lease_s")
    if not isinstance(lease_s, int | float) or isinstance(lease_s, bool) or not 0 < lease_s <= leases.LONGEST_S:
        raise ResultsError(
            f"{folder / _LEASES}: lease_s={lease_s!r:.60}; expected a number of seconds above 0, up to {leases.LONGEST_S:g}. "
            "Delete the file while no process of the experiment is running; the next run with lock=lease writes it again."
        )
    return float(lease_s)


@contextmanager
def hold(path: Path, lease_s: float | None = None) -> Iterator[Callable[[], bool] | None]:
    """Hold a lock until the block or the process ends.

    Args:
        path: The path of the lock without its suffix, .lock for the file or .lease for the folder, which is made if missing,
            and stays.
        lease_s: As from `read_lease_s`.

    Yields:
        A function that returns whether this process still holds the lock, because a lease can be lost. None: another process
        holds it.
    """
    if lease_s is not None:
        lease = leases.take(lease_folder(path), lease_s)
        try:
            yield lease.renew if lease else None
        finally:
            if lease:
                lease.release()
        return
    lock = FileLock(lock_file(path))
    try:
        lock.acquire(timeout=_TRY_FOR_S, poll_interval=_TRY_EVERY_S)
    except Timeout:
        yield None
        return
    try:
        yield lambda: True
    finally:
        lock.release()


@contextmanager
def wait_for(path: Path, lease_s: float | None) -> Iterator[None]:
    """Hold a lock as `hold` does, after waiting for other processes."""
    while True:
        with hold(path, lease_s) as held:
            if held:
                yield
                return


def lock_file(path: Path) -> Path:
    """Return the file of a lock of the operating system."""
    return path.with_name(f"{path.name}.lock")


def lease_folder(path: Path) -> Path:
    """Return the folder of a lease."""
    return path.with_name(f"{path.name}.lease")
