"""The values of a job's epochs as TensorBoard reads them, while the job runs.

Comes in: the epochs that training reports, of one model or of several that are trained together, with any backend. Goes out:
train/ and validation/ in a folder that keeps its name, with a scalar for each value: `epoch_loss` and so on, as Keras calls
them. Each epoch is handed to the system as it ends, and stays when the job fails. A full disk does not stop a job.

Source of the format: TFRecord files of `Event` messages, https://www.tensorflow.org/tutorials/load_data/tfrecord.
"""

import shutil
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_VALIDATION = "val_"


class TensorBoardLog:
    """Writes the epochs of one job.

    Args:
        folder: Where they go; what an earlier run left there is removed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}"
        shutil.rmtree(folder, ignore_errors=True)

    def write(self, epoch: int, values: Mapping[str, float]) -> None:
        """Write the values of an epoch, which is counted from 1."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter

        sides = {
            "train": {name: value for name, value in values.items() if not name.startswith(_VALIDATION)},
            "validation": {
                name.removeprefix(_VALIDATION): value for name, value in values.items() if name.startswith(_VALIDATION)
            },
        }
        for side, found in sides.items():
            path = self._folder / side / self._name
            scalars = [Summary.Value(tag=f"epoch_{name}", simple_value=value) for name, value in found.items()]
            with suppress(OSError):
                is_new = not path.exists()
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("ab") as file:
                    records = RecordWriter(file)
                    if is_new:
                        records.write(Event(wall_time=time.time(), file_version="brain.Event:2").SerializeToString())
                    event = Event(wall_time=time.time(), step=epoch, summary=Summary(value=scalars))
                    records.write(event.SerializeToString())
