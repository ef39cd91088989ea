"""The progress of a running job, in a file that other processes can read (xval/results/epoch_note.py).

It is not flushed to the disk, and a full disk does not stop a job.
"""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path

from xval.backend.gpu_readings import describe_now
from xval.base.operating_system import replace
from xval.jobs.claim import ClaimedFold, Report
from xval.jobs.job import Job
from xval.jobs.observers import Observer
from xval.jobs.outcome import JobOutcome
from xval.results.epoch_note import NOTE_NAME, Note

_SECONDS_BETWEEN = 1.0


class EpochNote(Observer):
    """Writes the progress of one job, of `epochs` at most, into a folder: notes at once, epochs at most once a second."""

    def __init__(self, folder: Path, epochs: int, describe_gpu: Callable[[], dict[str, float]] = dict) -> None:
        self._describe_gpu = describe_gpu
        self._path = folder / NOTE_NAME
        self._epochs = epochs
        self._started = time.time()
        self._next = 0.0
        self._remark = ""
        self._epoch = 0

    def begin(self, job: Job | None = None) -> None:  # noqa: ARG002 - as of each observer
        """Write that no epoch has ended."""
        self._write()

    def epoch(self, values: Mapping[str, float]) -> None:
        """Write that an epoch has ended, unless the file is less than a second old."""
        self._epoch = int(values["epoch"])
        self._write()

    def note(self, text: str) -> None:
        """Write a remark at once, next to the last finished epoch."""
        self._remark, self._next = text, 0.0
        self._write()

    def end(self, outcome: JobOutcome | None = None) -> None:  # noqa: ARG002
        """Delete the file."""
        for path in (self._path, self._path.with_suffix(".new")):
            path.unlink(missing_ok=True)

    def _write(self) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _SECONDS_BETWEEN
        temporary = self._path.with_suffix(".new")
        note = Note(self._started, self._epoch, self._epochs, self._describe_gpu(), self._remark)
        with suppress(OSError):
            temporary.write_text(json.dumps(asdict(note)))
            replace(temporary, self._path)


def watch(claimed: ClaimedFold, _report: Report) -> EpochNote:
    """Return the observer that writes the progress of a job next to its other files."""
    return EpochNote(claimed.temporary, claimed.job.settings.num_epochs, partial(describe_now, claimed.device))
