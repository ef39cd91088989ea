"""Run jobs in warm worker processes, one per slot.

A worker that crashes, is killed or runs out of memory fails only its own job, which is tried once more in a new worker. A job
that ran out of memory on a GPU that several workers share then gets it without sharing, and fewer workers share it afterwards.
Outcomes are returned in the order in which jobs end.
"""

import queue
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from xval.backend.devices import Slot
from xval.backend.gpu_readings import watched_gpus
from xval.backend.mps import shared_time
from xval.base.errors import counted
from xval.engine.executors._schedule import ATTEMPTS, Schedule
from xval.engine.executors._shared_gpus import SharedGpus
from xval.engine.executors._warnings import warnings_to
from xval.engine.executors._worker_process import WORKER_MODULE, Messages, Worker, build_models, check_models_apart
from xval.jobs.claim import Report
from xval.jobs.job import Job
from xval.jobs.job_file import remove_leftovers
from xval.jobs.outcome import JobOutcome, Outcomes
from xval.results.job_key import JobKey


def run(jobs: Sequence[Job], slots: Sequence[Slot], report: Report, *, worker_module: str = WORKER_MODULE) -> Outcomes:
    """Run jobs after all models have been built once; see `Executor.run`.

    With one slot they run in their order, with more as `_schedule` has it. What a worker process runs, `worker_module`, speaks
    as `xval.engine.worker.serve` does.
    """
    workers = _Workers(jobs, slots, report, worker_module)
    with shared_time(slots), watched_gpus([slot.device for slot in slots]), warnings_to(workers.warn):
        try:
            workers.begin(jobs)
            while workers.are_busy:
                if outcome := workers.wait():
                    yield outcome
        finally:
            workers.end()


class _Workers:
    """The workers of a run, one per slot, and the jobs that they have or that wait."""

    def __init__(self, jobs: Sequence[Job], slots: Sequence[Slot], report: Report, module: str) -> None:
        self._gpus = SharedGpus(slots)
        self._report = report
        self._module = module
        self._schedule = Schedule(jobs, n_workers=min(len(slots), len(jobs)))
        self._messages: Messages = queue.Queue()
        self._workers: dict[int, Worker] = {}
        self._attempts: Counter[JobKey] = Counter()
        self._crashed: dict[JobKey, float] = {}  # when a job last did (monotonic s)
        self._had_all: set[JobKey] = set()  # that were given a shared GPU to themselves

    @property
    def are_busy(self) -> bool:
        return any(worker.has for worker in self._workers.values())

    def begin(self, jobs: Sequence[Job]) -> None:
        """Start the workers, have all models built (the first worker builds those of its backend), then give each a job."""
        if len(self._gpus.slots) > 1:
            self._schedule.learn_from_records()
        first_jobs = {number: job for number in sorted(self._gpus.active) if (job := self._schedule.take(number))}
        for number, job in first_jobs.items():
            self._start(number, job)
        first = self._workers[0]
        build_models(first, [job for job in jobs if job.settings.backend == first.backend], self._messages)
        others = [job for job in jobs if job.settings.backend != first.backend]
        check_models_apart(others, Slot("cpu", first.slot.threads), self._module)
        for number, job in first_jobs.items():
            self._give(number, job)

    def wait(self) -> JobOutcome | None:
        """Wait for the next message of a worker; return the outcome that is final with it."""
        worker, message = self._messages.get()
        worker.is_disconnected |= message is None
        job = worker.has
        if job is None or self._workers.get(worker.number) is not worker:
            return None  # the last words of a worker that was replaced, or that died idle
        if message is not None and "outcome" not in message:
            self._report({"worker": worker.number, **message})
            if message.get("epoch") and self._gpus.add_after_epoch(worker.number):
                self._keep_busy(worker.number)
            return None
        worker.has = None
        final = self._take_outcome(worker, job, JobOutcome(**message["outcome"]) if message else worker.outcome_of_lost(job))
        if worker.must_restart:
            self._end(worker.number)
        self._keep_busy(worker.number)  # before the outcome is returned, because the caller may be slow
        return final

    def end(self) -> None:
        """End all workers, and remove what they left unfinished."""
        unfinished = [worker.has for worker in self._workers.values() if worker.has]
        for worker in self._workers.values():
            worker.end_soon()
        for worker in self._workers.values():
            worker.end()
        for job in unfinished:
            remove_leftovers(job)

    def warn(self, number: int) -> None:
        for worker in list(self._workers.values()):
            worker.warn(number)

    def _start(self, number: int, job: Job) -> Worker:
        worker = Worker(number, self._gpus.slot(number), job, self._messages, self._module)
        self._workers[number] = worker
        return worker

    def _give(self, number: int, job: Job) -> None:
        """Have the worker of a slot run a job; a new worker is started if there is none, or none that fits."""
        worker = self._workers.get(number)
        if worker is not None and not self._will_do(worker, job):
            worker.end()
            worker = None
        worker = worker or self._start(number, job)
        worker.give(job, self._schedule.guess(number))
        self._report({"worker": number, **job.key._asdict(), "epoch": 0, "values": {}})

    def _will_do(self, worker: Worker, job: Job) -> bool:
        """Return whether a worker can run a job: it lives, is bound as that wants, and the job has not crashed in it."""
        has_crashed_since = worker.started < self._crashed.get(job.key, 0.0)
        settings = job.settings
        is_bound_alike = (worker.backend, worker.is_deterministic) == (settings.backend, settings.deterministic)
        is_there = worker.slot == self._gpus.slot(worker.number)
        return is_there and not worker.has_ended() and is_bound_alike and not has_crashed_since

    def _keep_busy(self, first: int) -> None:
        """Give work to every worker that has none, beginning with the worker `first`."""
        for number in sorted(range(len(self._gpus.slots)), key=lambda number: number != first):
            worker = self._workers.get(number)
            is_free = (worker is None or not worker.has) and self._gpus.takes_work(number)
            if is_free and (job := self._schedule.take(number)):
                self._give(number, job)
        while alone := self._gpus.next_alone({number for number, worker in self._workers.items() if worker.has}):
            number, job = alone
            device = self._gpus.slots[number].device
            for other in [worker_number for worker_number in self._workers if self._gpus.slots[worker_number].device == device]:
                self._end(other)
            self._give(number, job)

    def _end(self, number: int) -> None:
        self._workers.pop(number).end()
        self._schedule.forget(number)

    def _take_outcome(self, worker: Worker, job: Job, outcome: JobOutcome) -> JobOutcome | None:
        """Take note of the outcome of a worker's job; return it, or None if the job is tried once more."""
        key = job.key
        self._attempts[key] += 1
        is_shared = self._gpus.is_shared(worker.number)
        worker.must_restart |= self._gpus.end_alone(worker.number, outcome.gpu_memory_mb)
        worker.must_restart |= outcome.status == "crashed" or outcome.memory_mb > job.settings.max_worker_memory_mb
        if outcome.status == "done":
            self._schedule.learn(job, outcome.seconds)
        if outcome.status != "crashed":
            return outcome
        self._crashed[key] = time.monotonic()
        if outcome.out_of_memory and is_shared and key not in self._had_all:
            self._had_all.add(key)
            self._gpus.give_alone(worker.number, job)
            return None
        if self._attempts[key] < ATTEMPTS:
            self._schedule.retry(job)
            return None
        return replace(outcome, error=f"{outcome.error}, {counted(self._attempts[key], 'time')}")
