"""Call a function for every clip, in several processes, and hand the results on in the order of the clips.

Comes in: a function of a module, its tasks, a number of processes. Goes out: the results, one after the other; only a few
wait at any time, so memory does not grow with the number of tasks.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent import futures
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from types import FrameType, ModuleType
from typing import Any, TypeAlias, TypeVar

from threadpoolctl import threadpool_limits

from xval.base.errors import WorkerError
from xval.base.operating_system import ENDING_SIGNALS

Task = TypeVar("Task")
Result = TypeVar("Result")

Progress: TypeAlias = Callable[[int, int], None]
"""Called with (done, total) whenever a clip is done."""

# With fewer tasks the start of processes takes longer than the work.
SMALLEST_PARALLEL = 200

_TASKS_PER_BATCH = 16
_BATCHES_WAITING_PER_PROCESS = 3
_LOOK_EVERY_S = 1.0
_SIGNALS = (signal.SIGINT, *ENDING_SIGNALS)
_busy: list[object] = []  # the task that this worker is at
_ending: list[int] = []  # the signals that this worker has got
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def count_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_in_processes(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    n_processes: int,
    progress: Progress | None = None,
    smallest_parallel: int = SMALLEST_PARALLEL,
) -> Generator[Result, None, None]:
    """Yield ``function(task)`` of each task, in their order.

    In this process and in others alike one BLAS thread is used, so that the results do not depend on their number.

    Args:
        function: A function at the top level of a module, which a fresh process imports. What it raises is raised here.
        tasks: What it is called with; they and the results are pickled.
        n_processes: Spawned processes at most; 1, or fewer than `smallest_parallel` tasks: in this one.
        progress: Told how many results have been yielded.
        smallest_parallel: Number of tasks from which other processes are worth their start.

    Raises:
        WorkerError: A process died: killed, out of memory, or crashed by what it read.
    """
    if n_processes <= 1 or len(tasks) < smallest_parallel:
        results = _map_here(function, tasks)
    else:
        results = _map_elsewhere(function, tasks, n_processes)
    for done, result in enumerate(results, start=1):
        yield result
        if progress is not None:
            progress(done, len(tasks))


@contextmanager
def own_process() -> Iterator[Callable[..., Any]]:
    """Yield a function that calls another one in a spawned process of its own, which ends with this context.

    It is called with a function at the top level of a module and its arguments, and returns or raises what that does.

    Raises:
        WorkerError: The process died.
    """
    process = _make_processes(1)

    def call(function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            with _signals_held_back(), _main_module_hidden():
                called = process.submit(function, *arguments)
            return _result_of(called, process)
        except BrokenProcessPool as error:
            raise WorkerError(
                "The process that computes embeddings died: killed from outside, or out of memory. What was done is kept: run "
                "the same command again, with shorter clips (clip_length_s, example_length_s) if it happens again."
            ) from error

    try:
        yield call
    finally:
        process.shutdown(cancel_futures=True)


def _map_here(function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
    """Call the function in this process."""
    with threadpool_limits(limits=1, user_api="blas"), _interrupts_noted() as interrupts:
        for task in tasks:
            result = function(task)
            if interrupts:
                raise KeyboardInterrupt
            yield result


def _map_elsewhere(function: Callable[[Task], Result], tasks: Sequence[Task], n_processes: int) -> Iterator[Result]:
    """Call the function in spawned processes, a batch of tasks at a time."""
    size = min(_TASKS_PER_BATCH, -(-len(tasks) // (n_processes * _BATCHES_WAITING_PER_PROCESS)))
    batches = [tasks[first : first + size] for first in range(0, len(tasks), size)]
    waiting: deque[Future[list[Result]]] = deque()
    with _one_thread_each():
        processes = _make_processes(min(n_processes, len(batches)))
        try:
            for batch in batches:
                with _signals_held_back(), _main_module_hidden():
                    waiting.append(processes.submit(_call_for_each, function, batch))
                if len(waiting) > n_processes * _BATCHES_WAITING_PER_PROCESS:
                    yield from _result_of(waiting.popleft(), processes)
            while waiting:
                yield from _result_of(waiting.popleft(), processes)
        except BrokenProcessPool as error:
            raise WorkerError(
                "A process that reads audio died: killed from outside, out of memory, or crashed by a file. Run again with "
                "--workers 1 to see how far it comes."
            ) from error
        finally:
            processes.shutdown(cancel_futures=True)


def _result_of(future: "Future[Result]", processes: ProcessPoolExecutor) -> Result:
    """Return a result; if a process dies in the middle of an answer, end the pool, which would wait for the rest for ever."""
    has_died = False
    while not futures.wait([future], _LOOK_EVERY_S).done:
        workers, answers = list((processes._processes or {}).values()), processes._result_queue
        if has_died:  # and the pool, which notices it at once, has not in all this time; without writers it reads the end
            for each in workers:
                each.kill()
            answers._writer.close()  # type: ignore[attr-defined]
        has_died = bool(wait([each.sentinel for each in workers], 0))
    return future.result()


def _call_for_each(function: Callable[[Task], Result], tasks: Sequence[Task]) -> list[Result]:
    """Call the function for each task of a batch in a worker; `_end_worker` lets a task remove half-written files."""
    results = []
    try:
        for task in tasks:
            _busy.append(task)
            results.append(function(task))
            _busy.clear()
            if _ending:
                os._exit(1)
    except KeyboardInterrupt:
        os._exit(1)
    finally:
        _busy.clear()
    return results


@contextmanager
def _main_module_hidden() -> Iterator[None]:
    """Start processes that do not import the running script, which need not keep its code under ``if __name__ ...``."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _interrupts_noted() -> Iterator[list[int]]:
    """Note signals that interrupt besides raising them: a library may swallow what is raised within a callback or an import."""
    noted: list[int] = []
    handlers = _handlers()

    def interrupt(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        handlers[number](number, frame)

    with _handling(handlers, interrupt):
        yield noted


def _handlers() -> dict[int, Callable[[int, FrameType | None], object]]:
    """Return the handler of each signal that interrupts; none in other threads than the main one, which alone gets signals."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    found = {number: signal.getsignal(number) for number in _SIGNALS}
    return {number: handler for number, handler in found.items() if callable(handler)}


@contextmanager
def _handling(
    numbers: Mapping[int, Callable[..., object]], handler: Callable[[int, FrameType | None], object]
) -> Iterator[None]:
    """Let signals call another handler than their own within the block."""
    for number in numbers:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, own in numbers.items():
            signal.signal(number, own)


def _make_processes(n_processes: int) -> ProcessPoolExecutor:
    """Return a pool of spawned processes; the tracker that removes its semaphores is started first, safe from signals."""
    if hasattr(signal, "SIGHUP"):  # Python lets its tracker of resources ignore the other two alone
        with _blocked({signal.SIGHUP}):
            resource_tracker.ensure_running()
    return ProcessPoolExecutor(n_processes, multiprocessing.get_context("spawn"), initializer=_begin_worker)


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """Hold `_SIGNALS` back from processes that start within this block; this process gets them at its end.

    Blocking them is for what starts; here another thread would take them, and the main thread be interrupted all the same.
    """
    pending: list[int] = []
    handlers = _handlers()
    try:
        with _handling(handlers, lambda number, _: pending.append(number)), _blocked(_SIGNALS):
            yield
    finally:
        if pending:
            handlers[pending[0]](pending[0], None)


@contextmanager
def _blocked(numbers: Iterable[int]) -> Iterator[None]:
    """Block signals for this thread, and what it starts, within the block."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let processes that start within this context use one BLAS thread; they look when they import numpy."""
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _begin_worker() -> None:
    """Leave signals that interrupt to the parent, and end when the parent is gone, even if it was killed."""
    for number in set(_SIGNALS) - {signal.SIGTERM}:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end_worker)  # with which the pool ends its processes where one of them has died
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_worker(number: int, _frame: FrameType | None) -> None:
    """End this worker; a task may first remove its half-written file, but cannot go on if a library swallows this."""
    if not _busy:
        os._exit(1)
    _ending.append(number)
    raise KeyboardInterrupt


def _end_with_parent() -> None:
    """Wait for the end of the parent process, then end this one."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
