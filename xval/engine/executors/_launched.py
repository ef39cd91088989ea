"""Run jobs on an engine that can only launch processes: retries, resuming, progress and outcomes all go through files.

The engine starts `job_file.JobProcess` for a job file somewhere. It may lose a job with the machine that had it; the job then
continues elsewhere. A driver that was killed may be started again: what its engine still runs is waited for, not submitted
twice. Outcomes are returned in the order in which jobs end.
"""

import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from xval.backend.devices import Slot
from xval.base.errors import SettingsError, how_to_install
from xval.engine.executors._schedule import ATTEMPTS
from xval.engine.executors._worker_process import check_models_apart
from xval.jobs.claim import Report
from xval.jobs.job import Job
from xval.jobs.job_file import job_file, printed_file, read_job_file, read_outcome, remove_leftovers, write_job_file
from xval.jobs.outcome import JobOutcome, Outcomes
from xval.results.checkpoint_note import checkpoint_path, read_position
from xval.results.epoch_note import read_note
from xval.results.job_key import JobKey

_SECONDS_BETWEEN_POLLS = 0.5
_SECONDS_TO_END = 20.0  # Ray kills its own process of a job; the one below that holds the job sees so, and ends after it


def slot_of_each(executor: str, package: str, *, n_gpus: float, threads: int) -> Slot:
    """Return what each job gets on its machine: the first GPU that the engine gives it, or a share of it; or the CPU.

    `package` is what the extra of the executor installs, which has its name.
    """
    if find_spec(package) is None:
        raise SettingsError(f"executor '{executor}' needs {package}: {how_to_install(executor)}.")
    return Slot("0", threads, min(1.0, n_gpus)) if n_gpus else Slot("cpu", threads)


class Engine(Protocol):
    """What starts processes somewhere; a job is named by its file."""

    attempts_when_lost: int
    """How often a job is launched whose launcher disappears without an outcome."""

    def is_alive(self, path: Path) -> bool:
        """Return whether an earlier driver's launch of a job waits or runs; it is this driver's from then on."""

    def launch(self, paths: Sequence[Path]) -> None:
        """Have jobs run; each ends with an outcome next to its file."""

    def end_of(self, path: Path) -> str:
        """Return how a launch ended; nothing while it waits or runs."""

    def cancel(self, paths: Sequence[Path]) -> None:
        """End jobs, waiting or running; they run no longer when this returns."""


def run_launched(jobs: Sequence[Job], slot: Slot, report: Report, engine: Engine, *, n_at_once: int | None = None) -> Outcomes:
    """Run jobs by an engine, the first ones first, `n_at_once` at a time; None: all, and the engine lets them wait.

    When the iterator is closed, waiting and running jobs are cancelled and what they left is removed.
    """
    check_models_apart(jobs, Slot("cpu", slot.threads))
    running: dict[Path, Job] = {}
    waiting: deque[Job] = deque()
    crashes: Counter[Path] = Counter()
    losses: Counter[Path] = Counter()
    furthest: Counter[Path] = Counter()
    display = _Display(report)
    try:
        for job in jobs:
            if _is_adopted(job, engine):
                running[job_file(job)] = job
            else:
                waiting.append(job)
        while waiting or running:
            room = len(waiting) if n_at_once is None else max(0, n_at_once - len(running))
            launched = {write_job_file(job, slot): job for job in (waiting.popleft() for _ in range(min(room, len(waiting))))}
            running |= launched
            if launched:
                engine.launch(list(launched))
            time.sleep(_SECONDS_BETWEEN_POLLS)
            for path, job in list(running.items()):
                end = engine.end_of(path)  # before the outcome is looked for: it is written before the launch ends
                outcome = read_outcome(path)
                if outcome is None and not end:
                    continue
                del running[path]
                display.show_prints(job, is_last=True)
                if outcome is None:
                    if (epoch := checkpointed_epoch(job)) > furthest[path]:  # it came further: not one more of the same
                        furthest[path], losses[path] = epoch, 0
                    outcome = JobOutcome.of(job.key, "crashed", error=end)
                    counter, most = losses, engine.attempts_when_lost
                else:
                    counter, most = crashes, ATTEMPTS
                counter[path] += 1
                if outcome.status != "crashed":
                    yield outcome
                elif counter[path] < most:
                    waiting.appendleft(job)
                else:
                    yield replace(outcome, error=f"{outcome.error}, {most} times")
            display.update(running.values())
    finally:
        engine.cancel(list(running))
        until = time.monotonic() + _SECONDS_TO_END
        for job in running.values():
            remove_leftovers(job, until=until)


def checkpointed_epoch(job: Job) -> int:
    """Return the last finished epoch of the checkpoint of a job; 0: it has none."""
    return read_position(checkpoint_path(job.folder, job.key)) or 0


def _is_adopted(job: Job, engine: Engine) -> bool:
    """Return whether an earlier driver's launch of the same job is alive; one of other settings is cancelled."""
    path = job_file(job)
    if not path.exists() or not engine.is_alive(path):
        return False
    earlier, _ = read_job_file(path)
    if earlier.identity == job.identity:
        return True
    engine.cancel([path])
    return False


class _Display:
    """Reports how far running jobs are, by the notes that they write."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._lines: dict[JobKey, tuple[int, int]] = {}  # job -> (line of the display, epoch)
        self._next = 0.0
        self._n_read: Counter[JobKey] = Counter()  # bytes of what a job has printed

    def update(self, jobs: Iterable[Job]) -> None:
        """Look at running jobs, for no more than a twentieth of the time."""
        started = time.monotonic()
        if started < self._next:
            return
        now: dict[JobKey, int] = {}
        for job in jobs:
            notes = [note for leftover in job.folder.leftovers(*job.key) if (note := read_note(leftover))]
            if notes:
                now[job.key] = notes[-1].epoch
                if notes[-1].remark:
                    self._report({**job.key._asdict(), "worker": 0, "note": notes[-1].remark})
            self.show_prints(job)
        self._lines = {key: line for key, line in self._lines.items() if key in now}
        for key, epoch in now.items():
            self._show(key, epoch)
        ended = time.monotonic()
        self._next = ended + 20 * (ended - started)

    def show_prints(self, job: Job, *, is_last: bool = False) -> None:
        """Report the lines that a job has printed since the last look; after the last one a new try begins anew."""
        try:
            with printed_file(job_file(job)).open("rb") as file:
                file.seek(self._n_read[job.key])
                *lines, _begun = file.read().split(b"\n")
        except OSError:
            lines = []
        for line in lines:
            self._n_read[job.key] += len(line) + 1
            self._report({**job.key._asdict(), "worker": 0, "printed": line.decode(errors="replace")})
        if is_last:
            del self._n_read[job.key]

    def _show(self, key: JobKey, epoch: int) -> None:
        event: Mapping[str, Any] = {**key._asdict(), "values": {}}
        taken = {line for line, _ in self._lines.values()}
        if key not in self._lines:
            self._lines[key] = min(set(range(len(taken) + 1)) - taken), 0
            self._report({**event, "worker": self._lines[key][0], "epoch": 0})
        line, before = self._lines[key]
        if epoch > before:
            self._lines[key] = line, epoch
            self._report({**event, "worker": line, "epoch": epoch})
