"""The checkpoints of one job: when to write them, their conditions, and where an interrupted training continues.

A checkpoint is a file next to the folder of the fold (see `checkpoint_file`), written at the end of an epoch every
`checkpoint_minutes`, and when a signal announces the end of the process. The state of an earlier process is used only if it
belongs to the job.

A signal may come in the middle of an epoch, when no state is complete. Therefore the state of the last finished epoch is kept
in memory, if this takes less than a hundredth of the time, and is written at a signal.
"""

import json
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import cache, partial
from hashlib import blake2b
from pathlib import Path
from types import FrameType
from typing import Any, Protocol, runtime_checkable

from preprocessing.interrupts import rescued_by
from xval.base.code_hash import hash_code
from xval.base.errors import ResultsError, brief
from xval.base.operating_system import ENDING_SIGNALS, WARNING_SIGNALS
from xval.jobs.checkpoint_file import Checkpoint, read_checkpoint, write_checkpoint
from xval.jobs.job import Job
from xval.jobs.observers import Observer, Observers
from xval.jobs.record import describe_job, versions
from xval.results.checkpoint_note import checkpoint_path

_SHARE_IN_MEMORY = 0.01  # of the time that may go into states that are kept in memory
_SECONDS_BEFORE_FIRST = 1.0  # a fold that is trained sooner costs nothing
_LONGEST_TEXT = 64
_MISFITS = (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError)
_NOT_BOUND = ("format_version", "status", "code_hash", "search")  # a search may have tried more, and chosen the same
_NO_TRAINING = ("script", "experiments", "study")  # parts of a copy of the code that only declare


@runtime_checkable
class Stateful(Protocol):
    """A part of a training whose state at the end of an epoch can be saved and restored."""

    def get_state(self) -> dict[str, Any]:
        """Return its state: a dict of dicts, lists, texts, numbers, None and arrays."""

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Restore a state; raise an error if it belongs to another training."""


class FoldCheckpoints(Observer):
    """Writes and reads the checkpoint of a job.

    Args:
        job: The job, whose settings have the interval.
        temporary: The folder into which the job writes.
        observers: Receive notes that the job continues, or that a checkpoint does not belong to it.
        belongings: Conditions of the training other than the job, such as its initial model and the device.
    """

    sees_past = False

    def __init__(self, job: Job, temporary: Path, observers: Observers, belongings: Mapping[str, object]) -> None:
        self._job = job
        self._temporary = temporary
        self._observers = observers
        self._path = checkpoint_path(job.folder, job.key)
        self._interval_s = 60 * job.settings.checkpoint_minutes
        self._binding = _bind(job, belongings) if self._interval_s else {}
        self._started = self._written = time.monotonic()
        self._next_taken = self._started + _SECONDS_BEFORE_FIRST
        self._seconds_before = 0.0
        self._parts: Mapping[str, Stateful] = {}
        self._earlier: Checkpoint | None = None
        self._latest: Checkpoint | None = None
        self._stored: Checkpoint | None = None
        self._is_writing = threading.RLock()  # a signal and the end of the input come together
        self._has_failed = False

    def complete(self, record: dict[str, Any]) -> None:
        """Add the epoch after which training was resumed, and the seconds before, to the record.

        Nothing if it was not resumed.
        """
        if self._earlier:
            record["went_on"] = {"after_epoch": self._earlier.epoch, "seconds_before": round(self._earlier.seconds, 3)}

    def watch(self, parts: Mapping[str, Stateful]) -> None:
        """Register the parts of the training, and restore their state from the checkpoint of an earlier process if valid."""
        self._parts, self._earlier = parts, None
        earlier = self.find()
        if earlier is None:
            return
        before = _states_of(parts)
        try:
            _set_states(parts, earlier.state)
        except _MISFITS as error:
            _set_states(parts, before)
            self.refuse(f"its state does not match ({brief(error, 100)})")
        else:
            self._earlier = self._latest = earlier

    def find(self) -> Checkpoint | None:
        """Return the checkpoint of an earlier process; None: none matches, which is noted."""
        if not self._interval_s:
            return None
        try:
            checkpoint = read_checkpoint(self._path)
        except (ResultsError, OSError) as error:
            self.refuse(str(error))
            return None
        if checkpoint is None:
            return None
        others = sorted(
            name for name in {*checkpoint.binding, *self._binding} if checkpoint.binding.get(name) != self._binding.get(name)
        )
        if others:
            self.refuse(f"it is of another {', '.join(others)}")
            return None
        return checkpoint

    def refuse(self, reason: str) -> None:
        """Note that a checkpoint cannot be used, and remove it."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        self.say(f"restarts, because its checkpoint cannot be used: {reason}")

    def go_on(self) -> None:
        """Restore the parts from the checkpoint again, because the start of their training has changed them."""
        if self._earlier:
            self._seconds_before = self._earlier.seconds
            _set_states(self._parts, self._earlier.state)

    def epoch(self, values: Mapping[str, float]) -> None:
        """Keep the state after an epoch in memory, and write it if the interval is over."""
        if not (self._interval_s and self._parts):
            return
        now = time.monotonic()
        is_due = now - self._written >= self._interval_s
        if not is_due and now < self._next_taken:
            return
        state = _states_of(self._parts)
        taken = time.monotonic()
        self._next_taken = taken + (taken - now) / _SHARE_IN_MEMORY
        seconds = self._seconds_before + taken - self._started
        self._latest = Checkpoint(self._binding, int(values["epoch"]), seconds, state)
        if is_due:
            self.write()
            self._written = time.monotonic()

    def write(self, *, is_quiet: bool = False) -> None:
        """Write the state in memory, if any; on a full disk the checkpoint is missing, but training continues.

        With `is_quiet` a failure is not reported, because a signal may have come in the middle of a report.
        """
        with self._is_writing:
            latest = self._latest
            if latest is None or latest is self._stored:
                return
            try:
                write_checkpoint(self._path, latest, self._temporary)
            except OSError as error:
                if not self._has_failed and not is_quiet:
                    self._has_failed = True
                    reason = error.strerror or error
                    self._observers.note(f"{self._job.key.fold_name}: its checkpoint cannot be written ({reason})")
            else:
                self._stored = latest

    @contextmanager
    def written_at_signals(self) -> Iterator[None]:
        """Write the state in memory when a signal comes within this block, and then call the signal's earlier handler.

        A warning (SIGUSR1) does not end the process. Signals only reach the main thread; other threads keep their handlers. The
        state is also written if this process is killed (`rescued_by`).
        """
        before: dict[int, Any] = {}

        def write(number: int, frame: FrameType | None) -> None:
            self.write(is_quiet=True)
            if number in WARNING_SIGNALS:
                return
            if callable(handler := before[number]):
                handler(number, frame)
            else:
                signal.signal(number, signal.SIG_DFL)
                signal.raise_signal(number)

        try:
            if self._interval_s and threading.current_thread() is threading.main_thread():
                for number in (signal.SIGINT, *ENDING_SIGNALS, *WARNING_SIGNALS):
                    handler = signal.getsignal(number)
                    if handler is None or (handler is signal.SIG_IGN and number not in WARNING_SIGNALS):
                        continue  # it is not Python's, or is not to end this process
                    before[number] = handler
                    signal.signal(number, write)
            with rescued_by(partial(self.write, is_quiet=True)):
                yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            self._latest = None

    def say(self, what: str) -> None:
        """Send a note on the job to the observers."""
        self._observers.note(f"{self._job.key.fold_name} {what}")


def _states_of(parts: Mapping[str, Stateful]) -> dict[str, Any]:
    return {name: part.get_state() for name, part in parts.items()}


def _set_states(parts: Mapping[str, Stateful], states: Mapping[str, Any]) -> None:
    if set(states) != set(parts):
        raise ValueError(f"it holds {', '.join(sorted(states))}")
    for name, part in parts.items():
        part.set_state(states[name])


def _bind(job: Job, belongings: Mapping[str, object]) -> dict[str, str]:
    """Return all conditions that determine the numbers of a training, by name, as comparable texts."""
    described = {name: value for name, value in describe_job(job).items() if name not in _NOT_BOUND}
    parts: dict[str, object] = {
        **described,
        "items": asdict(job.fold),
        "trial": asdict(job.trial) if job.trial else None,
        "refit": asdict(job.refit) if job.refit else None,
        "code": _hash_code(job.code_folder),
        **versions(),
        **belongings,
    }
    texts = {name: json.dumps(value, sort_keys=True, default=str) for name, value in parts.items()}
    return {
        name: text if len(text) <= _LONGEST_TEXT else blake2b(text.encode(), digest_size=16).hexdigest()
        for name, text in texts.items()
    }


@cache
def _hash_code(folder: str) -> str:
    """Return a hash of a copy of the code without scripts, which may get further instances."""
    paths = {path.relative_to(folder): path for path in Path(folder).rglob("*.py")}
    return hash_code({name.as_posix(): path for name, path in paths.items() if name.parts[0] not in _NO_TRAINING})
