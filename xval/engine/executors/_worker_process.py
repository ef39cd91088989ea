"""A worker process as its executor sees it: it is started, gets jobs, and its messages go into a queue.

The process runs `xval.engine.worker.serve`. Its messages include how it ended, and whether all models can be built.
"""

import json
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Any, cast

from xval.backend.devices import Slot
from xval.base.errors import SettingsError, WorkerError
from xval.base.operating_system import end_processes
from xval.jobs.job import Job
from xval.jobs.job_file import FIRST_JOB, NO_NETWORK, describe_exit, read_tail, variables_of
from xval.jobs.outcome import JobOutcome
from xval.settings.architectures import trains_network
from xval.settings.parameters import to_parameters

WORKER_MODULE = "xval.engine.worker.serve"

Messages = queue.Queue[tuple["Worker", dict[str, Any] | None]]


class Worker:
    """One worker process and the job that it has.

    Args:
        number: Its place on the progress display.
        slot: The device and threads that it is bound to.
        job: Its first job, which decides the backend and the code that it loads.
        messages: Where its messages go; None is its end.
        module: What the process runs.

    Attributes:
        has: The job that it runs and that has no outcome yet; None: it is free.
        backend: What it has loaded.
        is_deterministic: Whether XLA was told to use only repeatable operations; a process is told once.
        started: When the process began (monotonic s).
        must_restart: A job crashed in it, or it takes more memory than a worker may.
        is_disconnected: The end of its messages has been taken from the queue.
    """

    def __init__(self, number: int, slot: Slot, job: Job, messages: Messages, module: str = WORKER_MODULE) -> None:
        self.number, self.slot = number, slot
        self.has: Job | None = None
        self.must_restart = self.is_disconnected = False
        self.started = time.monotonic()
        self.backend, self.is_deterministic = job.settings.backend, job.settings.deterministic
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        first_job = "network" if trains_network(job.settings.architecture) else NO_NETWORK
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            encoding="utf-8",
            env=variables_of(job, slot) | {FIRST_JOB: first_job},
        )
        self._input = cast("IO[str]", self._process.stdin)
        self._answers = cast("IO[str]", self._process.stdout)
        threading.Thread(target=self._listen, args=(messages,), daemon=True).start()

    def give(self, job: Job, upcoming: Job | None) -> None:
        """Send a job; a worker that has died meanwhile is noticed by its end.

        The data of what it will probably run next, `upcoming`, are loaded meanwhile, where they are others.
        """
        self.has = job
        order: dict[str, Any] = {"job": job.to_dict(), "next_store": None}
        if upcoming and upcoming.settings.backend == self.backend and upcoming.store_folder != job.store_folder:
            order |= {"next_store": upcoming.store_folder, "next_settings": to_parameters(upcoming.settings, {})}
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
        return self.is_disconnected or self._process.poll() is not None

    def was_killed(self) -> bool:
        """Return whether a process that is gone was ended by SIGKILL."""
        return self._process.wait() == -signal.SIGKILL

    def describe_end(self) -> tuple[str, str]:
        """Wait for the end of a dead worker; return one line on how it ended and the last of what it printed."""
        code = self._process.wait()
        return describe_exit(code), read_tail(self._log)

    def outcome_of_lost(self, job: Job) -> JobOutcome:
        """Return the outcome of the job that a dead worker had."""
        reason, printed = self.describe_end()
        return JobOutcome.of(job.key, "crashed", error=reason, details=printed)

    def warn(self, number: int) -> None:
        """Pass on a warning signal of a scheduler, on which the process writes a checkpoint of its training."""
        if self._process.poll() is None:
            self._process.send_signal(number)

    def end_soon(self) -> None:
        """Ask the process to end, without waiting; it writes a checkpoint of its training first.

        The end of its input reaches it also while it computes in C, where no signal does.
        """
        with suppress(OSError):
            self._input.close()
        self._process.terminate()

    def end(self) -> None:
        """End the process, by force if need be."""
        end_processes([self._process])
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


def check_models_apart(jobs: Sequence[Job], slot: Slot, module: str = WORKER_MODULE) -> None:
    """Build the model of every instance once to check it, for each backend in a separate process."""
    for backend in dict.fromkeys(job.settings.backend for job in jobs):
        backend_jobs = [job for job in jobs if job.settings.backend == backend]
        messages: Messages = queue.Queue()
        worker = Worker(0, slot, backend_jobs[0], messages, module)
        try:
            build_models(worker, backend_jobs, messages)
        finally:
            worker.end()


def build_models(worker: Worker, jobs: Sequence[Job], messages: Messages) -> None:
    """Have a worker build the model of every instance once; they are for the backend that it has loaded."""
    worker.check(list({job.instance: job for job in jobs}.values()))
    sender, answer = messages.get()
    while sender is not worker:
        sender.is_disconnected |= answer is None  # it died idle, and is replaced when its first job comes
        sender, answer = messages.get()
    if answer is None:
        reason, printed = worker.describe_end()
        if worker.was_killed():
            return  # as by a system without memory: the jobs will tell which instance that concerns
        raise WorkerError(f"building the models: {reason}.\n{printed}".rstrip())
    if answer["faults"]:
        raise SettingsError("\n".join(answer["faults"]))
