"""The values of a job's epochs as TensorBoard reads them, while the job runs.

Comes in: the epochs that training reports, and the losses of batches where that is asked for, with any backend. Goes out:
train/, validation/ and batches/ in a folder that keeps its name, with a scalar for each value: `epoch_loss`, as Keras calls it.
Each epoch is handed to the system as it ends, and stays when the job fails. A full disk does not stop a job.

Source of the format: TFRecord files of `Event` messages, https://www.tensorflow.org/tutorials/load_data/tfrecord.
"""

import shutil
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_VALIDATION = "val_"


class TensorBoardLog:
    """Writes the epochs of one job.

    Args:
        folder: Where they go.
        keeps: Keep what is there; otherwise what an earlier run left is removed.
    """

    def __init__(self, folder: Path, *, keeps: bool = False) -> None:
        self._folder = folder
        self._name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}"
        if not keeps:
            shutil.rmtree(folder, ignore_errors=True)

    def write(self, epoch: int, values: Mapping[str, float]) -> None:
        """Write the values of an epoch, which is counted from 1."""
        sides: dict[str, dict[str, float]] = {"train": {}, "validation": {}}
        for name, value in values.items():
            sides["validation" if name.startswith(_VALIDATION) else "train"][f"epoch_{name.removeprefix(_VALIDATION)}"] = value
        for side, found in sides.items():
            self._append(side, [(epoch, found)])

    def write_batches(self, first: int, losses: Sequence[float]) -> None:
        """Write the losses of successive batches, of which the first has the number `first`, counted from 1."""
        self._append("batches", [(step, {"batch_loss": loss}) for step, loss in enumerate(losses, start=first)])

    def _append(self, side: str, steps: Iterable[tuple[int, Mapping[str, float]]]) -> None:
        """Append values to the file of a side; a full disk costs the log, not the training."""
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
