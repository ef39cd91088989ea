"""Run jobs in warm worker processes, one per slot.

Comes in: frozen jobs and slots. Goes out: an outcome per job, in the order in which they end. A worker that crashes, is killed
or runs out of memory fails its own jobs alone, which are tried once more, one by one in fresh workers.
"""

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import IO, Any, cast

from xval.backend.devices import Slot, environment
from xval.errors import SettingsError, WorkerError
from xval.executors._schedule import Group, Schedule
from xval.jobs.claim import JobOutcome, Report
from xval.jobs.groups import group_jobs
from xval.jobs.job import Job
from xval.jobs.job_file import describe_exit, remove_leftovers, with_code_first

ATTEMPTS = 2
WORKER_MODULE = "xval.worker.serve"
_SECONDS_TO_END = 5.0
_LOG_TAIL = 4000

Messages = queue.Queue[tuple["Worker", dict[str, Any] | None]]


class Worker:
    """One worker process and the jobs that it has.

    Args:
        number: Its place on the progress display.
        slot: The device and threads that it is bound to.
        job: Its first job, which decides the backend and the code that it loads.
        messages: Where its messages go; None is its end.
        module: What the process runs.

    Attributes:
        jobs: Those that it runs and that have no outcome yet, by instance and fold.
        started: When the process began (monotonic s).
        is_worn: A job crashed in it, or it takes too much memory.
        is_silent: It has said its last word.
    """

    def __init__(self, number: int, slot: Slot, job: Job, messages: Messages, module: str = WORKER_MODULE) -> None:
        self.number = number
        self.jobs: dict[tuple[int, int], Job] = {}
        self.is_worn = self.is_silent = False
        self.started = time.monotonic()
        self.backend = str(job.settings.backend)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        variables = os.environ | environment(slot, self.backend)
        variables |= {
            "PYTHONPATH": with_code_first(job.code_folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "XVAL_DEVICE": slot.device,
        }
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module],
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

    def give(self, group: Group, upcoming: Job | None) -> None:
        """Send jobs; a worker that has died meanwhile is noticed by its end.

        Args:
            group: What it runs now.
            upcoming: What it will probably run next; its data are loaded meanwhile, where they are others.
        """
        self.jobs = {_name(job): job for job in group}
        order: dict[str, Any] = {"jobs": [job.to_dict() for job in group], "next_store": None}
        if upcoming and upcoming.settings.backend == self.backend and upcoming.store_folder != group[-1].store_folder:
            order |= {"next_store": upcoming.store_folder, "next_settings": upcoming.settings.model_dump(mode="json")}
        self._order(order)

    def check(self, jobs: Sequence[Job]) -> None:
        """Send jobs whose models are to be built; the answer is ``{"faults": [...]}``."""
        self._order({"check": [job.to_dict() for job in jobs]})

    def _order(self, order: dict[str, Any]) -> None:
        with suppress(OSError):
            self._input.write(json.dumps(order) + "\n")
            self._input.flush()

    def has_ended(self) -> bool:
        """Return whether the process is gone."""
        return self.is_silent or self._process.poll() is not None

    def describe_end(self) -> tuple[str, str]:
        """Wait for the end of a dead worker; return one line on how it ended and the last of what it printed."""
        code = self._process.wait()
        self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - _LOG_TAIL))
        printed = self._log.read().decode(errors="replace")
        return describe_exit(code), printed

    def lost_jobs(self) -> list[JobOutcome]:
        """Return the outcome of each job that a dead worker had."""
        reason, printed = self.describe_end()
        return [JobOutcome(*name, "crashed", error=reason, details=printed) for name in self.jobs]

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


def run(
    jobs: Sequence[Job], slots: Sequence[Slot], report: Report, *, worker_module: str = WORKER_MODULE
) -> Iterator[JobOutcome]:
    """Run jobs, as many groups of them at a time as there are slots.

    Args:
        jobs: What to run; with one slot in their order, with more as `_schedule` has it.
        slots: A worker each.
        report: Called with what progresses: ``{"worker", "instance", "fold", "epoch", "values"}``.
        worker_module: What a worker process runs; it speaks as worker.py does.

    Yields:
        An outcome per job, after all models have been built once. When the iterator is closed, all workers end and what they
        left unfinished is removed.

    Raises:
        SettingsError: A model cannot be built.
        WorkerError: The process that builds the models died.
    """
    groups = group_jobs(jobs, n_slots=len(slots))
    schedule = Schedule(groups, n_workers=min(len(slots), len(groups)))
    attempts: Counter[tuple[int, int]] = Counter()
    crashed: dict[tuple[int, int], float] = {}  # when a job last did (monotonic s)
    messages: Messages = queue.Queue()
    workers: dict[int, Worker] = {}

    def begin(number: int, group: Group) -> None:
        """Have the worker of a slot run a group, a fresh one where the old one is gone or will not do."""
        worker = workers.get(number)
        if worker and (
            worker.has_ended()
            or worker.backend != group[0].settings.backend
            or any(worker.started < crashed.get(_name(job), 0.0) for job in group)
        ):
            worker.end()
            worker = None
        if worker is None:
            worker = workers[number] = Worker(number, slots[number], group[0], messages, worker_module)
        upcoming = schedule.guess(number)
        worker.give(group, upcoming[0] if upcoming else None)
        report(_begun(worker))

    def keep_busy(first: int) -> None:
        """Give work to every worker that has none, beginning with one of them."""
        for number in sorted(range(len(slots)), key=lambda number: number != first):
            worker = workers.get(number)
            if (worker is None or not worker.jobs) and (group := schedule.take(number)):
                begin(number, group)

    def end(worker: Worker, outcome: JobOutcome) -> Iterator[JobOutcome]:
        """Take a job from a worker; yield its outcome unless it is tried once more."""
        name = (outcome.instance, outcome.fold)
        job = worker.jobs.pop(name)
        attempts[name] += 1
        worker.is_worn |= outcome.status == "crashed" or outcome.memory_mb > job.settings.max_worker_memory_mb
        if outcome.status == "done":
            schedule.learn(job, outcome.seconds)
        if outcome.status != "crashed":
            yield outcome
            return
        crashed[name] = time.monotonic()
        if attempts[name] < ATTEMPTS:
            schedule.retry([job])
        else:
            yield replace(outcome, error=f"{outcome.error}, {ATTEMPTS} times")

    try:
        if len(slots) > 1:
            schedule.learn_from_records()
        first_groups = {number: group for number in range(len(slots)) if (group := schedule.take(number))}
        for number, group in first_groups.items():
            workers[number] = Worker(number, slots[number], group[0], messages, worker_module)
        _check_models(workers[0], jobs, messages)
        for number, group in first_groups.items():
            begin(number, group)
        while any(worker.jobs for worker in workers.values()):
            worker, message = messages.get()
            worker.is_silent |= message is None
            if not worker.jobs or workers.get(worker.number) is not worker:
                continue  # the last words of a worker that was replaced, or that died idle
            if message is not None and "outcome" not in message:
                report({"worker": worker.number, **message})
                continue
            outcomes = [JobOutcome(**message["outcome"])] if message else worker.lost_jobs()
            ended = [given for outcome in reversed(outcomes) for given in end(worker, outcome)]
            if worker.jobs:
                report(_begun(worker))
            else:
                if worker.is_worn:
                    workers.pop(worker.number).end()
                    schedule.forget(worker.number)
                keep_busy(worker.number)  # before the outcomes are handed on, because whoever takes them may take its time
            yield from reversed(ended)
    finally:
        unfinished = [job for worker in workers.values() for job in worker.jobs.values()]
        for worker in workers.values():
            worker.end()
        for job in unfinished:
            remove_leftovers(job)


def _name(job: Job) -> tuple[int, int]:
    return job.instance, job.fold.number


def _begun(worker: Worker) -> dict[str, Any]:
    """Return the event that says which job a worker begins; of jobs that it trains together, the first."""
    instance, fold = next(iter(worker.jobs))
    return {"worker": worker.number, "instance": instance, "fold": fold, "epoch": 0, "values": {}}


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
        sender.is_silent |= answer is None  # it died idle, and is replaced when its first job comes
        sender, answer = messages.get()
    if answer is None:
        reason, printed = worker.describe_end()
        raise WorkerError(f"building the models: {reason}.\n{printed}")
    if answer["faults"]:
        raise SettingsError("\n".join(answer["faults"]))
