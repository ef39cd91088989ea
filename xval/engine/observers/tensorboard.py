"""Write the values of a job's epochs for TensorBoard, while the job runs, with any backend.

A folder gets train/, validation/ and, if the losses of batches are asked for, batches/, with a scalar for each value:
`epoch_loss`, as Keras calls it. Each epoch is written as it ends, and stays when the job fails. A full disk does not stop a
job.

Source of the format: TFRecord files of `Event` messages, https://www.tensorflow.org/tutorials/load_data/tfrecord.
"""

import shutil
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from xval.jobs.claim import ClaimedFold, Report
from xval.jobs.observers import Observer

_VALIDATION = "val_"


class TensorBoardLog(Observer):
    """Writes the epochs of one job, replacing the files of an earlier run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}"
        shutil.rmtree(folder, ignore_errors=True)

    def epoch(self, values: Mapping[str, float]) -> None:
        """Write the values of an epoch."""
        sides: dict[str, dict[str, float]] = {"train": {}, "validation": {}}
        for name, value in values.items():
            if name != "epoch":
                side = "validation" if name.startswith(_VALIDATION) else "train"
                sides[side][f"epoch_{name.removeprefix(_VALIDATION)}"] = value
        for side, scalars in sides.items():
            self._append(side, [(int(values["epoch"]), scalars)])

    def _append(self, side: str, steps: Iterable[tuple[int, Mapping[str, float]]]) -> None:
        """Append values to the file of a side; on a full disk the log is incomplete, but training continues."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter

        path = self._folder / side / self._name
        with suppress(OSError):
            is_new = not path.exists()
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                records = RecordWriter(file)
                if is_new:
                    records.write(Event(wall_time=time.time(), file_version="brain.Event:2").SerializeToString())
                for step, values in steps:
                    scalars = [Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
                    event = Event(wall_time=time.time(), step=step, summary=Summary(value=scalars))
                    records.write(event.SerializeToString())


class BatchLog(TensorBoardLog):
    """Also writes the losses of batches."""

    def batches(self, first: int, losses: Sequence[float]) -> None:
        """Write the losses of successive batches, of which the first has the number `first`, counted from 1."""
        self._append("batches", [(step, {"batch_loss": loss}) for step, loss in enumerate(losses, start=first)])


def watch(claimed: ClaimedFold, _report: Report) -> TensorBoardLog | None:
    """Return the observer that writes the epochs of a job for TensorBoard, if its settings request it."""
    job = claimed.job
    if not job.settings.tensorboard:
        return None
    kind = BatchLog if job.settings.tensorboard_batches else TensorBoardLog
    return kind(job.folder.tensorboard_folder(*job.key))
