"""Differences between operating systems: memory, locks, signals, the end of processes, writing to the disk, shells.

The functions behave in the same way on Linux, macOS and Windows. No other file of the project imports a module that only some
systems have. It is tested on Linux; the code for other systems is tested there as far as possible.
"""

import errno
import hashlib
import os
import re
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from xval.base.size_limits import LARGEST_TEXT_BYTES, IrregularFileError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

IS_WINDOWS = sys.platform == "win32"
WARNING_SIGNALS = tuple(getattr(signal, name) for name in ("SIGUSR1", "SIGUSR2") if hasattr(signal, name))
"""The signals by which schedulers announce the end of a job's time; none on Windows."""
ENDING_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""The signals, in addition to Ctrl-C, by which a scheduler or a closed terminal ends a process."""

SECONDS_TO_END = 10.0
"""Time for a process to clean up or write a checkpoint after a request to end, before it is killed."""

_LOOK_EVERY_S = 0.02
_TRY_TO_REPLACE_FOR_S = 2.0
_TRY_EVERY_S = 0.02
_OF_HDF5 = re.compile(r"errno = (\d+), error message")
_PLAIN_WORD = re.compile(r"[\w@+=:,./\\-]+")


def memory_mb() -> float:
    """Return the current resident memory of this process (MB of 2**20 bytes)."""
    import psutil

    return round(float(psutil.Process().memory_info().rss) / 2**20, 1)


def peak_memory_mb() -> float:
    """Return the peak resident memory of this process (MB of 2**20 bytes), or the current one if the peak is not known."""
    if resource is not None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)
    import psutil

    used = psutil.Process().memory_info()
    return round(float(getattr(used, "peak_wset", used.rss)) / 2**20, 1)


def has_ended(process: int) -> bool:
    """Return whether a process has ended, even if its parent has not yet read its exit code.

    Unlike `Popen.poll`, a signal handler may call this while `Popen.wait` waits.
    """
    import psutil

    try:
        return bool(psutil.Process(process).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


class Process(Protocol):
    """A child of this process: of subprocess or of multiprocessing."""

    @property
    def pid(self) -> int | None: ...  # noqa: D102
    def terminate(self) -> None: ...  # noqa: D102
    def kill(self) -> None: ...  # noqa: D102


def end_processes(children: Iterable[Process]) -> None:
    """Ask children of this process to end, and kill those that have not after `SECONDS_TO_END`, or on a further Ctrl-C.

    Their exit codes are left to be asked for. A signal handler may call this while `Popen.wait` waits.
    """
    pids = {child.pid: child for child in children if child.pid is not None}
    for child in pids.values():
        child.terminate()
    until = time.monotonic() + SECONDS_TO_END
    try:
        while time.monotonic() < until and not all(map(has_ended, pids)):
            time.sleep(_LOOK_EVERY_S)
    finally:
        for pid, child in pids.items():
            if not has_ended(pid):
                child.kill()


def become(command: Sequence[str], variables: Mapping[str, str]) -> int:
    """Replace this process by another program; on Windows, which cannot do this, run it and return its exit code."""
    if not IS_WINDOWS:
        os.execve(command[0], list(command), dict(variables))  # noqa: S606 - no shell is wanted
    return subprocess.run(command, env=dict(variables), check=False).returncode


def is_locked(path: Path) -> bool:
    """Return whether some process holds the `filelock.FileLock` of a file, without changing any file."""
    if fcntl is None:
        return path.exists() and _is_locked_by_trial(path)
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


def _is_locked_by_trial(path: Path) -> bool:
    """Take and release the lock: Windows has no shared locks to ask with."""
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


def open_regular(path: Path, most_bytes: int | None = None) -> BufferedReader:
    """Open a regular file to read its bytes, without waiting for a pipe in its place, which would never end.

    ``most_bytes`` is the size that it may have; None: any.

    Raises:
        IrregularFileError: It is a folder, a pipe, a device or a socket, or larger.
        OSError: It is missing or cannot be read.
    """
    try:
        file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))  # noqa: SIM115
    except IsADirectoryError:
        raise IrregularFileError(errno.EISDIR, "not a regular file", str(path)) from None
    status = os.fstat(file.fileno())
    if stat.S_ISREG(status.st_mode) and (most_bytes is None or status.st_size <= most_bytes):
        return file
    file.close()
    if stat.S_ISREG(status.st_mode):
        raise IrregularFileError(errno.EFBIG, f"larger than {most_bytes} bytes, the limit for such a file", str(path))
    raise IrregularFileError(errno.EINVAL, "not a regular file", str(path))


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of the bytes of a file, in hex digits, as ``sha256sum`` prints it."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_regular(path: Path, most_bytes: int = LARGEST_TEXT_BYTES) -> bytes:
    """Return the bytes of a file, see `open_regular`; bytes that are appended meanwhile are included up to the limit."""
    try:
        with open_regular(path, most_bytes) as file:
            return file.read(most_bytes)
    except OSError as error:  # which lacks the name where it comes from reading
        error.filename = error.filename or str(path)
        raise


def flush(path: Path) -> None:
    """Flush a file or folder to the disk; Windows cannot open folders and does not need this."""
    if IS_WINDOWS and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDWR if IS_WINDOWS else os.O_RDONLY)  # Windows flushes only what may be written
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace(temporary: Path, path: Path) -> None:
    """Put a file in place of another; on Windows this waits up to 2 s for processes that still read the other."""
    until = time.monotonic() + _TRY_TO_REPLACE_FOR_S
    while True:
        try:
            temporary.replace(path)
        except PermissionError:
            if not IS_WINDOWS or time.monotonic() > until:
                raise
            time.sleep(_TRY_EVERY_S)
        else:
            return


def remove_tree(folder: Path) -> None:
    """Remove a folder as far as permissions allow, even if its owner has made it or a folder in it read-only."""
    for place, _, _ in os.walk(folder):
        with suppress(OSError):
            Path(place).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def refusal(error: OSError) -> str:
    """Return the reason of a system error in one line, without the name of the file."""
    by_hdf5 = _OF_HDF5.search(str(error))
    reason = os.strerror(int(by_hdf5[1])) if by_hdf5 else error.strerror or str(error)
    return " ".join(reason.split())


def quote(word: str) -> str:
    """Return a word for typing into a shell, in quotes if necessary (double quotes on Windows)."""
    if not IS_WINDOWS:
        return shlex.quote(word)
    return word if _PLAIN_WORD.fullmatch(word) else '"' + word.replace('"', '\\"') + '"'
