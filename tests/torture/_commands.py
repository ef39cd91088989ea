"""Run commands of the project in forks of this process, which has imported what they need: no command imports it again.

A command is what follows ``python`` on a command line, and a folder; the result is exit code, printed text, time and memory.
"""

import atexit
import ctypes
import os
import resource
import runpy
import select
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from _faults import Fault

MOST_MB = 4000
"""Of address space above what this process has: no command here needs a tenth of it."""
TIMEOUT_S = 120.0
_END_WITH_PARENT = 1  # PR_SET_PDEATHSIG


@dataclass(frozen=True)
class Ended:
    """A command that has ended.

    Attributes:
        words: The command.
        code: Exit code; below 0: the signal that ended it.
        printed: Standard output and standard error together.
        seconds: Until it had ended.
        added_mb: Its peak of resident memory above that of this process (MB).
        timed_out: It did not end by itself.
    """

    words: Sequence[str]
    code: int
    printed: str
    seconds: float
    added_mb: float
    timed_out: bool

    @property
    def faults(self) -> list[str]:
        """What no command may do, whatever it was given."""
        name = " ".join(self.words)
        found = [f"{name}: no end after {self.seconds:.0f} s"] if self.timed_out else []
        if "Traceback (most recent call last)" in self.printed:
            last = self.printed.strip().splitlines()[-1]
            found.append(f"{name}: a traceback: {last[:300]}")
        elif self.code < 0 and not self.timed_out:
            found.append(f"{name}: ended by signal {-self.code}: {self.printed[-300:]}")
        if self.added_mb > MOST_MB / 2:
            found.append(f"{name}: {self.added_mb:.0f} MB of memory")
        return found


class Running:
    """A command in a fork of this process, in a process group of its own.

    Args:
        words: What follows ``python``: a script, or ``-m`` and a module, and arguments.
        folder: Where it runs.
        variables: Of the environment, besides those of this process.
        fault: What is to happen to its disk.
        before: Called in the fork before the command.
    """

    def __init__(
        self,
        words: Sequence[str],
        folder: Path,
        *,
        variables: Mapping[str, str] | None = None,
        fault: Fault | None = None,
        before: Callable[[], object] | None = None,
    ) -> None:
        self.words = [str(word) for word in words]
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `wait`
        self._started = time.perf_counter()
        self._began_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self._carry_out(folder, variables or {}, fault, before)

    def kill(self) -> None:
        """Kill it and what it has started."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:  # before setsid
            os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout_s: float = TIMEOUT_S) -> Ended:
        """Wait for its end, or kill it after some seconds."""
        descriptor = os.pidfd_open(self.pid)
        timed_out = not select.select([descriptor], [], [], timeout_s)[0]
        os.close(descriptor)
        if timed_out:
            self.kill()
        _, status, used = os.wait4(self.pid, 0)
        self._output.seek(0)
        printed = self._output.read().decode(errors="replace")
        self._output.close()
        seconds = time.perf_counter() - self._started
        added_mb = max(0.0, used.ru_maxrss / 1024 - self._began_mb)
        return Ended(self.words, os.waitstatus_to_exitcode(status), printed, seconds, added_mb, timed_out)

    def _carry_out(
        self, folder: Path, variables: Mapping[str, str], fault: Fault | None, before: Callable[[], object] | None
    ) -> None:
        """Be the command, and end."""
        code: Any = 70
        try:
            os.setsid()
            ctypes.CDLL(None).prctl(_END_WITH_PARENT, signal.SIGKILL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for stream in (1, 2):
                os.dup2(self._output.fileno(), stream)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.chdir(folder)
            os.environ.update(variables)
            address_space = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (address_space + MOST_MB * 2**20,) * 2)
            is_module = self.words[0] == "-m"
            sys.argv = self.words[1:] if is_module else self.words
            sys.orig_argv = [sys.executable, *self.words]
            sys.path[0] = str(folder)
            if before is not None:
                before()
            if fault is not None:
                fault.begin()
            code = _run(sys.argv[0], is_module=is_module)
        finally:
            os._exit(code)


def _run(name: str, *, is_module: bool) -> int:
    """Run a module or script as Python does, up to what it does at its end."""
    try:
        if is_module:
            runpy.run_module(name, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(name, run_name="__main__")
        code: Any = 0
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001 - printed, as Python does
        traceback.print_exc()
        code = 1
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = 120
    return int(code or 0)


def run(words: Sequence[str], folder: Path, timeout_s: float = TIMEOUT_S, **options: Any) -> Ended:
    """Run a command to its end; see `Running`."""
    return Running(words, folder, **options).wait(timeout_s)


def must(words: Sequence[str], folder: Path, **options: Any) -> Ended:
    """Run a command that nothing disturbs.

    Raises:
        RuntimeError: It failed.
    """
    ended = run(words, folder, **options)
    if ended.code:
        raise RuntimeError(f"{' '.join(ended.words)} ended with {ended.code}:\n{ended.printed}")
    return ended
