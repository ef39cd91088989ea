"""Spawned processes that call functions, each with a separate pipe, so that the death of one does not block others.

Pools that share one pipe for all results (concurrent.futures, joblib's loky) wait without end where a process is killed while
it writes there, as the system does to what takes too much memory.
"""

import multiprocessing
import os
import signal
import sys
import threading
import traceback
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType, ModuleType
from typing import Any

from preprocessing.interrupts import SIGNALS, blocked
from xval.base.errors import WorkerError
from xval.base.operating_system import end_processes

_busy: list[object] = []  # the arguments of the call that this worker is at
_ending: list[int] = []  # the signals that this worker has got
_hiding = threading.Lock()  # of all pools: they start their processes in threads, and share the main module


class WorkerProcesses:
    """Processes that start with the first calls; one that dies is followed by another. They end with `close`, or with this one.

    Args:
        number: How many at most.
        variables: Additional environment variables, which are set before NumPy is imported.
        when_lost: The text of the `WorkerError` where one has died.
    """

    def __init__(self, number: int, *, variables: Mapping[str, str], when_lost: str) -> None:
        self._variables = dict(variables)
        self._when_lost = when_lost
        self._threads = ThreadPoolExecutor(number)
        self._thread_local = threading.local()  # the pipe to the process that this thread hands work to
        self._processes: list[SpawnProcess] = []
        self._starting, self._is_closing = threading.Lock(), threading.Event()
        self._end = weakref.finalize(self, _end, self._processes, self._threads, self._starting, self._is_closing)

    def submit(self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> "Future[list[Any]]":
        """Have one of them call a function once for each tuple of arguments; the future has the results, or what it raised.

        Its other errors: WorkerError, where the process has died.
        """
        return self._threads.submit(self._call, function, calls)

    def close(self) -> None:
        """End the processes, by force if need be; what is unfinished is dropped."""
        self._end()

    def _call(self, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> list[Any]:
        pipe = getattr(self._thread_local, "pipe", None) or self._start()
        try:
            pipe.send((function, calls))
            results, error = pipe.recv()
        except (EOFError, OSError) as lost:
            del self._thread_local.pipe
            raise WorkerError(self._when_lost) from lost
        if error is not None:
            raise error
        return list(results)

    def _start(self) -> Connection:
        """Start the process of this thread, and return the pipe to it."""
        self._thread_local.pipe, theirs = multiprocessing.Pipe()
        with theirs, self._starting:  # theirs must be closed here: the pipe ends with the worker
            if self._is_closing.is_set():
                raise WorkerError(self._when_lost)
            self._processes.append(_start_worker(theirs, self._variables))
        pipe: Connection = self._thread_local.pipe
        return pipe


def _end(
    processes: Sequence[SpawnProcess], threads: ThreadPoolExecutor, starting: threading.Lock, is_closing: threading.Event
) -> None:
    """End processes; the threads that wait for their answers end with them."""
    threads.shutdown(wait=False, cancel_futures=True)
    with starting:
        is_closing.set()
    end_processes(processes)
    for process in processes:
        process.join()
    threads.shutdown()


def _start_worker(pipe: Connection, variables: Mapping[str, str]) -> SpawnProcess:
    """Start a process that signals do not reach before it listens to them."""
    if hasattr(signal, "SIGHUP"):  # Python's tracker of resources ignores the other two, and its start unblocks them here
        with blocked({signal.SIGHUP}):
            resource_tracker.ensure_running()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(pipe, variables))
    with blocked(SIGNALS), _main_module_hidden():
        process.start()
    return process


@contextmanager
def _main_module_hidden() -> Iterator[None]:
    """Start processes that do not import the running script, which need not keep its code under ``if __name__ ...``."""
    with _hiding:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


def _serve(pipe: Connection, variables: Mapping[str, str]) -> None:
    """Answer calls until this process is ended."""
    os.environ.update(variables)
    for number in set(SIGNALS) - {signal.SIGTERM}:
        signal.signal(number, signal.SIG_IGN)  # left to the parent, which ends its workers
    signal.signal(signal.SIGTERM, _end_worker)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        function, calls = pipe.recv()
        answer = _call_each(function, calls)
        try:
            pipe.send(answer)
        except OSError:
            return
        except Exception as error:  # noqa: BLE001 - it cannot be pickled, of which nothing has been sent then
            pipe.send((None, RuntimeError(f"{error!r}, from the reply {answer!r:.500}")))


def _call_each(function: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> tuple[list[Any] | None, BaseException | None]:
    """Return the results or an error; a call may remove half-written files where this worker is ended."""
    results = []
    try:
        for arguments in calls:
            _busy.append(arguments)
            results.append(function(*arguments))
            _busy.clear()
            if _ending:
                os._exit(1)
    except KeyboardInterrupt:
        os._exit(1)
    except BaseException as error:  # noqa: BLE001 - the parent raises it
        error.add_note("".join(traceback.format_exception(error)))  # tracebacks are not pickled
        return None, error
    finally:
        _busy.clear()
    return results, None


def _end_worker(number: int, _frame: FrameType | None) -> None:
    """End this worker; a call may first remove its half-written file, but cannot go on if a library swallows this."""
    if not _busy:
        os._exit(1)
    _ending.append(number)
    raise KeyboardInterrupt


def _end_with_parent() -> None:
    """Wait for the end of the parent process, even if it is killed, then end this one."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
