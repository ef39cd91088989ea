"""Call a function for every clip, in several processes, and yield the results in the order of the clips.

Only a few results wait at any time, so memory use does not grow with the number of clips.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias, TypeVar

from threadpoolctl import threadpool_limits

from preprocessing.interrupts import interrupts_noted
from preprocessing.worker_processes import WorkerProcesses
from xval.base.errors import WorkerError

Task = TypeVar("Task")
Result = TypeVar("Result")

Progress: TypeAlias = Callable[[int, int], None]
"""A function of (done, total), called whenever a clip is done."""

audio_refusal: ContextVar[str] = ContextVar("audio_refusal", default="")
"""Why audio must not be opened; empty: it may be. Set while a task is done whose process has died twice."""

# With fewer tasks the start of processes takes longer than the work.
SMALLEST_PARALLEL = 200

_TASKS_PER_BATCH = 16
_BATCHES_WAITING_PER_PROCESS = 3
_DEADLY = "the process that reads it died twice: it ran out of memory, was killed from outside, or the file crashes its decoder"
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1")
"""Of BLAS; read when numpy is imported."""


def count_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def reading_processes(chosen: int | None) -> int:
    """Return how many processes read files that may crash their decoder: those that were chosen, or else more than this one."""
    return chosen or max(2, count_cores())


def map_in_processes(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    n_processes: int,
    progress: Progress | None = None,
    smallest_parallel: int = SMALLEST_PARALLEL,
    is_first_reading: bool = False,
) -> Generator[Result, None, None]:
    """Yield ``function(task)`` for each task, in order.

    All processes use one BLAS thread, so that results do not depend on the number of processes. If a process dies, its tasks
    are repeated one by one. If the process of a task dies again, the task is repeated without audio: `open_audio` then raises
    an `AudioError`, as for a damaged file.

    Args:
        function: A function at the top level of a module, which a new process imports. Its errors are raised here.
        tasks: Its arguments; they and the results are pickled.
        n_processes: Largest number of spawned processes; with 1, or fewer than `smallest_parallel` tasks, this process is used.
        progress: Receives the number of yielded results.
        smallest_parallel: Number of tasks from which other processes are worth their start.
        is_first_reading: Whether files may crash their decoder, so that another process is used even for few tasks, unless
            `n_processes` is 1.

    Raises:
        WorkerError: The process of a task died even without reading audio.
    """
    is_parallel = n_processes > 1 and len(tasks) >= smallest_parallel
    if is_parallel or (is_first_reading and n_processes > 1 and tasks):
        results = _map_elsewhere(function, tasks, n_processes if is_parallel else 1)
    else:
        results = _map_here(function, tasks)
    for done, result in enumerate(results, start=1):
        yield result
        if progress is not None:
            progress(done, len(tasks))


@contextmanager
def own_process() -> Iterator[Callable[..., Any]]:
    """Yield a function that calls another one in a separate spawned process, which ends with this context.

    It is called with a function at the top level of a module and its arguments, and returns or raises what that does.

    Raises:
        WorkerError: The process died.
    """
    process = WorkerProcesses(
        1,
        variables={},
        when_lost="The process that computes embeddings died: killed from outside, or out of memory. Finished work is kept. "
        "Run the same command again, and if it happens again, with shorter clips (clip_length_s, example_length_s).",
    )
    with closing(process):
        yield lambda function, *arguments: process.submit(function, [arguments]).result()[0]


def _map_here(function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Result]:
    with threadpool_limits(limits=1, user_api="blas"), interrupts_noted() as interrupts:
        for task in tasks:
            result = function(task)
            if interrupts:
                raise KeyboardInterrupt
            yield result


def _map_elsewhere(function: Callable[[Task], Result], tasks: Sequence[Task], n_processes: int) -> Iterator[Result]:
    """Call the function in spawned processes, a batch of tasks at a time."""
    size = min(_TASKS_PER_BATCH, -(-len(tasks) // (n_processes * _BATCHES_WAITING_PER_PROCESS)))
    processes = WorkerProcesses(
        n_processes,
        variables=_ONE_THREAD,
        when_lost="A process that reads audio died: killed from outside, out of memory, or crashed by a file. Run again with "
        "--workers 1 to see at which file it stops.",
    )
    waiting: deque[tuple[Sequence[Task], Future[list[Result]]]] = deque()
    with closing(processes):
        for first in range(0, len(tasks), size):
            batch = tasks[first : first + size]
            waiting.append((batch, processes.submit(function, [(task,) for task in batch])))
            if len(waiting) > n_processes * _BATCHES_WAITING_PER_PROCESS:
                yield from _finish(processes, function, *waiting.popleft())
        while waiting:
            yield from _finish(processes, function, *waiting.popleft())


def _finish(
    processes: WorkerProcesses, function: Callable[[Task], Result], batch: Sequence[Task], done: "Future[list[Result]]"
) -> list[Result]:
    """Return the results of a batch; where its process has died, the tasks are done again one by one."""
    try:
        return done.result()
    except WorkerError:
        return [_call_again(processes, function, task) for task in batch]


def _call_again(processes: WorkerProcesses, function: Callable[[Task], Result], task: Task) -> Result:
    try:
        (result,) = processes.submit(function, [(task,)]).result()
    except WorkerError:
        (result,) = processes.submit(_call_without_audio, [(function, task)]).result()
    return result  # type: ignore[no-any-return]


def _call_without_audio(function: Callable[[Task], Result], task: Task) -> Result:
    token = audio_refusal.set(_DEADLY)
    try:
        return function(task)
    finally:
        audio_refusal.reset(token)
