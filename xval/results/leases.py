"""Leases: a lock for file systems whose own locks are not reliable, such as NFS and those of some clusters.

The folder of a lease has numbered files. The process that created the highest number has the lease; another one takes it by
creating the next number, which only one of several processes can (``O_EXCL``). Only its owner writes to a file: the owner's
name, and a count that increases with every heartbeat. A process that wants the lease watches the newest file: if its content
changes, its owner is alive; if it has not changed for the duration of the lease, by the clock of the watching process, or if
its owner is a process of this machine that has ended, the lease is free. Clocks of two machines are never compared. An owner
that was suspended finds the next number taken (`Lease.renew`).

Source: C. G. Gray and D. R. Cheriton, "Leases: an efficient fault-tolerant mechanism for distributed file cache
consistency", SOSP 1989; the numbers are the fencing tokens of M. Kleppmann, "How to do distributed locking", 2016.
"""

import os
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from xval.base.json_files import has_died, process_name
from xval.base.operating_system import read_regular

LONGEST_S = 3600.0
"""Duration of a lease; after the machine of its owner died, others wait this long."""
_BEATS_PER_LEASE = 30
_LONGEST_BEAT_S = 5.0  # so that a display, which waits for some of them, takes seconds
_LOOKS_PER_BEAT = 4
_BEATS_UNTIL_SILENT = 3  # for a display, which may be wrong
_KEPT = 64  # old numbers: a process that has read one of them may still be about to create the next
_RELEASED = b"released"


class Lease:
    """A lease that this process has taken by creating its number; a thread renews it until it is released.

    Without a heartbeat it holds for `lease_s` seconds.
    """

    def __init__(self, folder: Path, number: int, lease_s: float) -> None:
        self._folder = folder
        self._number = number
        self._beat_s = _beat_s(lease_s)
        self._count = 0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def renew(self) -> bool:
        """Return whether this process still has the lease; if so, renew it from now on."""
        with self._lock:
            if not _create(self._folder, self._number + 1):
                return False
            self._number += 1
            return True

    def release(self) -> None:
        """Release the lease; if this cannot be written, the lease ends by itself."""
        self._ended.set()
        self._thread.join()
        with suppress(OSError):
            _write(self._folder / str(self._number), _RELEASED, os.O_TRUNC)

    def beat(self) -> None:
        """Write a heartbeat; the thread calls this."""
        self._count += 1
        with self._lock, suppress(OSError):  # the disk is away for a moment
            _write(self._folder / str(self._number), _content(self._count))

    def _beat(self) -> None:
        while not self._ended.wait(self._beat_s):
            self.beat()


def take(folder: Path, lease_s: float) -> Lease | None:
    """Take a lease, or return None as soon as its owner shows a heartbeat; wait for the end of the lease if it does not.

    The folder of the lease is made if it is missing, and stays.
    """
    folder.mkdir(exist_ok=True)
    number = _newest(folder)
    while number == 0 or _becomes_free(folder / str(number), lease_s):
        number += 1
        if _create(folder, number):
            for old in _numbers(folder):
                if old <= number - _KEPT:
                    (folder / str(old)).unlink(missing_ok=True)
            return Lease(folder, number, lease_s)
        number = max(number, _newest(folder))  # another process was faster
    return None


def living(folders: Iterable[Path], lease_s: float) -> set[Path]:
    """Return the leases whose owner shows a heartbeat soon; all are watched at the same time, and no file is written."""
    newest = {folder: folder / str(number) for folder in folders if (number := _newest(folder))}
    first = {folder: content for folder, path in newest.items() if not _is_over(content := _read(path))}
    alive: set[Path] = set()
    until = time.monotonic() + _beat_s(lease_s) * _BEATS_UNTIL_SILENT
    while len(alive) < len(first) and time.monotonic() < until:
        time.sleep(_beat_s(lease_s) / _LOOKS_PER_BEAT)
        alive |= {folder for folder in first.keys() - alive if _read(newest[folder]) != first[folder]}
    return {folder for folder in alive if not _is_over(_read(newest[folder]))}


def is_open(folder: Path) -> bool:
    """Return whether a lease has an owner, alive or dead, that did not release it; this does not wait."""
    number = _newest(folder)
    return bool(number) and not _is_over(_read(folder / str(number)))


def _becomes_free(path: Path, lease_s: float) -> bool:
    """Wait until the owner of a number shows a heartbeat (False), or is known to have ended or lost it (True)."""
    first_content = _read(path)
    until = time.monotonic() + lease_s
    while not _is_over(content := _read(path)):
        if content != first_content:
            return False
        if time.monotonic() >= until:
            return True
        time.sleep(_beat_s(lease_s) / _LOOKS_PER_BEAT)
    return True


def _beat_s(lease_s: float) -> float:
    return min(lease_s / _BEATS_PER_LEASE, _LONGEST_BEAT_S)


def _is_over(content: bytes) -> bool:
    """Return whether a lease was released, or its owner was a process of this machine that has ended."""
    return content == _RELEASED or has_died(content.decode(errors="replace").partition(" ")[0])


def _content(count: int) -> bytes:
    return f"{process_name()} {count:012}\n".encode()  # of one length, so that a full disk has room for it


def _create(folder: Path, number: int) -> bool:
    """Create the file of a number; False: another process has that number or a higher one."""
    try:
        _write(folder / str(number), _content(0), os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        return False
    return _newest(folder) <= number


def _write(path: Path, content: bytes, flags: int = 0) -> None:
    """Write and close a file, which makes its content visible to the other machines of a network file system."""
    descriptor = os.open(path, os.O_WRONLY | flags, 0o666)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)


def _read(path: Path) -> bytes:
    try:
        return read_regular(path)
    except OSError:
        return b""  # as of one that has just been created: nothing is known of its owner


def _newest(folder: Path) -> int:
    return max(_numbers(folder), default=0)


def _numbers(folder: Path) -> list[int]:
    try:
        return [int(name) for name in os.listdir(folder) if name.isdecimal()]  # noqa: PTH208 - see json_files
    except FileNotFoundError:
        return []
