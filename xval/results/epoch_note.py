"""Read progress.json, which a running job keeps in its temporary folder for other processes.

`xval.engine.observers.epoch_note` writes it.
"""

from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from xval.base.file_forms import form_of
from xval.base.operating_system import read_regular

NOTE_NAME = "progress.json"


@dataclass(frozen=True)
class Note:
    """The progress of a job.

    Attributes:
        started: Start time (Unix time, s).
        epoch: The last finished epoch that was written; 0: none.
        epochs: Largest number of epochs that it will train.
        gpu: Values of its GPU, if known: ``utilisation`` (percent), ``used_mb``, the memory that all processes use, and
            ``data_share``, the share of training time spent waiting for data.
        remark: A remark for the user, such as that it continues from a checkpoint; usually empty.
    """

    started: float
    epoch: int
    epochs: int
    gpu: dict[str, float] = field(default_factory=dict)
    remark: str = ""


def read_note(folder: Path) -> Note | None:
    """Return the progress in the temporary folder of a job, or None if it cannot be read."""
    try:
        return form_of(Note).validate_json(read_regular(folder / NOTE_NAME))
    except (OSError, ValidationError):
        return None
