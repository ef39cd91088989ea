"""Run jobs in warm worker processes, one per slot.

Comes in: frozen jobs and slots. Goes out: an outcome per job, in the order in which they end. A worker that crashes, is killed
or runs out of memory fails its own job alone, which is tried once more in a fresh worker. Next: worker.py, job.py.
"""

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import IO, Any, cast

from xval.devices import Slot, environment
from xval.errors import SettingsError, WorkerError
from xval.job import JobOutcome, Report
from xval.job_files import describe_exit, remove_leftovers, with_code_first
from xval.plan import Job

ATTEMPTS = 2
_SECONDS_TO_END = 5.0
_LOG_TAIL = 4000

Messages = queue.Queue[tuple["Worker", dict[str, Any] | None]]


class Worker:
    """One worker process and the job that it has.

    Args:
        number: Its place on the progress display.
        slot: The device and threads that it is bound to.
        job: Its first job, which decides the backend and the code that it loads.
        messages: Where its messages go; None is its end.
    """

    def __init__(self, number: int, slot: Slot, job: Job, messages: Messages) -> None:
        self.number = number
        self.slot = slot
        self.job: Job | None = None
        self.backend = str(job.parameters["backend"])
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        variables = os.environ | environment(slot, self.backend)
        variables |= {
            "PYTHONPATH": with_code_first(job.code_folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "XVAL_DEVICE": slot.device,
        }
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "xval.executors.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            encoding="utf-8",
            env=variables,
        )
        self._input = cast("IO[str]", self._process.stdin)
        self._answers = cast("IO[str]", self._process.stdout)
        threading.Thread(target=self._listen, args=(messages,), daemon=True).start()

    def give(self, job: Job) -> None:
        """Send a job; a worker that has died meanwhile is noticed by its end."""
        self.job = job
        self._order({"job": job.to_dict()})

    def check(self, jobs: Sequence[Job]) -> None:
        """Send jobs whose models are to be built; the answer is ``{"faults": [...]}``."""
        self._order({"check": [job.to_dict() for job in jobs]})

    def _order(self, order: dict[str, Any]) -> None:
        with suppress(OSError):
            self._input.write(json.dumps(order) + "\n")
            self._input.flush()

    def has_ended(self) -> bool:
        """Return whether the process is gone."""
        return self._process.poll() is not None

    def describe_end(self) -> tuple[str, str]:
        """Wait for the end of a dead worker; return one line on how it ended and the last of what it printed."""
        code = self._process.wait()
        self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - _LOG_TAIL))
        printed = self._log.read().decode(errors="replace")
        return describe_exit(code), printed

    def end(self) -> None:
        """End the process, by force if need be."""
        self._process.terminate()
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with suppress(OSError):  # a line that a dead worker did not take
            self._input.close()
        self._log.close()

    def _listen(self, messages: Messages) -> None:
        try:
            with self._answers as lines:
                for line in lines:
                    messages.put((self, json.loads(line)))
        except ValueError:
            return  # it was killed in the middle of a line; its end says the rest
        finally:
            messages.put((self, None))


def run(jobs: Sequence[Job], slots: Sequence[Slot], report: Report) -> Iterator[JobOutcome]:
    """Run jobs, the first ones first, as many at a time as there are slots.

    Args:
        jobs: What to run.
        slots: A worker each.
        report: Called with what progresses: ``{"worker", "instance", "fold", "epoch", "values"}``.

    Yields:
        An outcome per job, after all models have been built once. When the iterator is closed, all workers end and what they
        left unfinished is removed.

    Raises:
        SettingsError: A model cannot be built.
        WorkerError: The process that builds the models died.
    """
    waiting = deque(jobs)
    attempts: Counter[tuple[int, int]] = Counter()
    messages: Messages = queue.Queue()
    workers: dict[int, Worker] = {}

    def start_next(number: int) -> None:
        """Give the next job to the worker of a slot, a fresh one where the old one is gone or has another backend."""
        if not waiting:
            return
        job = waiting.popleft()
        worker = workers.get(number)
        if worker is None or worker.has_ended() or worker.backend != job.parameters["backend"]:
            if worker is not None:
                worker.end()
            worker = workers[number] = Worker(number, slots[number], job, messages)
        report({"worker": number, "instance": job.instance, "fold": job.fold.number, "epoch": 0, "values": {}})
        worker.give(job)

    try:
        for number in range(min(len(slots), len(jobs))):
            workers[number] = Worker(number, slots[number], jobs[number], messages)
        _check_models(workers[0], jobs, messages)
        for number in range(len(workers)):
            start_next(number)
        while any(worker.job for worker in workers.values()):
            worker, message = messages.get()
            job = worker.job
            if job is None or workers.get(worker.number) is not worker:
                continue  # the last words of a worker that was replaced, or that died idle
            if message is not None and "outcome" not in message:
                report({"worker": worker.number, **message})
                continue
            if message is None:
                reason, printed = worker.describe_end()
                outcome = JobOutcome(job.instance, job.fold.number, "crashed", error=reason, details=printed)
            else:
                outcome = JobOutcome(**message["outcome"])
            worker.job = None
            worn = outcome.status == "crashed" or outcome.memory_mb > job.parameters["max_worker_memory_mb"]
            if worn:
                workers.pop(worker.number).end()
            key = (job.instance, job.fold.number)
            attempts[key] += 1
            if outcome.status == "crashed" and attempts[key] < ATTEMPTS:
                waiting.appendleft(job)
            else:
                yield replace(outcome, error=f"{outcome.error}, {ATTEMPTS} times") if outcome.status == "crashed" else outcome
            start_next(worker.number)
    finally:
        unfinished = [worker.job for worker in workers.values() if worker.job]
        for worker in workers.values():
            worker.end()
        for job in unfinished:
            remove_leftovers(job)


def check_models_apart(jobs: Sequence[Job], slot: Slot) -> None:
    """Build the model of every instance once, in a process of its own that ends with it.

    Args:
        jobs: What is to be run somewhere else.
        slot: Where the models are built.

    Raises:
        SettingsError: A model cannot be built.
        WorkerError: The process died of it.
    """
    messages: Messages = queue.Queue()
    worker = Worker(0, slot, jobs[0], messages)
    try:
        _check_models(worker, jobs, messages)
    finally:
        worker.end()


def _check_models(worker: Worker, jobs: Sequence[Job], messages: Messages) -> None:
    """Have a worker build the model of every instance once.

    Raises:
        SettingsError: A model cannot be built.
        WorkerError: The worker died of it.
    """
    worker.check(list({job.instance: job for job in jobs}.values()))
    sender, answer = messages.get()
    while sender is not worker:
        sender, answer = messages.get()  # another worker died idle; it is replaced when its first job comes
    if answer is None:
        reason, printed = worker.describe_end()
        raise WorkerError(f"building the models: {reason}.\n{printed}")
    if answer["faults"]:
        raise SettingsError("\n".join(answer["faults"]))
