"""The progress of a running job, in a file that other processes can read.

Comes in: the epochs that training reports. Goes out: progress.json in the temporary folder of the job, until the job ends. It
is not flushed to the disk, and a full disk does not stop a job.
"""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from xval.base.operating_system import read_regular, replace

NOTE_NAME = "progress.json"
_SECONDS_BETWEEN = 1.0


@dataclass(frozen=True)
class Note:
    """The progress of a job.

    Attributes:
        started: When it began (Unix time, s).
        epoch: The last finished epoch that was written; 0: none.
        epochs: Most epochs that it will train.
        gpu: Of its GPU, each where it is known: ``utilisation`` (percent), ``used_mb`` of its memory by all processes, and
            ``data_share``, the share of its training that the job has waited for data.
        remark: What is to be said of it, such as that it goes on from a checkpoint; mostly nothing.
    """

    started: float
    epoch: int
    epochs: int
    gpu: dict[str, float] = field(default_factory=dict)
    remark: str = ""


class EpochNote:
    """Writes the progress of one job, at most once a second.

    Args:
        folder: Where.
        epochs: Most epochs that it will train.
        describe_gpu: Returns what is known of its GPU now.
    """

    def __init__(self, folder: Path, epochs: int, describe_gpu: Callable[[], dict[str, float]] = dict) -> None:
        self._describe_gpu = describe_gpu
        self._path = folder / NOTE_NAME
        self._epochs = epochs
        self._started = time.time()
        self._next = 0.0
        self._remark = ""
        self._epoch = 0
        self.write(0)

    def say(self, remark: str, epoch: int = 0) -> None:
        """Write a remark at once, beside the last finished epoch: one that is given, or a later one that was written."""
        self._remark, self._next = remark, 0.0
        self.write(max(epoch, self._epoch))

    def write(self, epoch: int) -> None:
        """Write that an epoch has ended, unless the file is less than a second old."""
        self._epoch = epoch
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _SECONDS_BETWEEN
        new = self._path.with_suffix(".new")
        with suppress(OSError):
            new.write_text(json.dumps(asdict(Note(self._started, epoch, self._epochs, self._describe_gpu(), self._remark))))
            replace(new, self._path)

    def remove(self) -> None:
        """Delete the file."""
        for path in (self._path, self._path.with_suffix(".new")):
            path.unlink(missing_ok=True)


def read_note(folder: Path) -> Note | None:
    """Return the progress in the temporary folder of a job, or None if it cannot be read."""
    try:
        content = json.loads(read_regular(folder / NOTE_NAME))
        gpu = {str(name): float(value) for name, value in content.get("gpu", {}).items()}
        remark = str(content.get("remark", ""))
        return Note(float(content["started"]), int(content["epoch"]), int(content["epochs"]), gpu, remark)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
