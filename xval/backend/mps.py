"""CUDA's Multi-Process Service (MPS): kernels of several processes run on a GPU at the same time instead of in turn.

Comes in: the slots of a run. Goes out: a service of its own, for as long as the run lasts, that the workers use which are started
meanwhile. It comes with the driver, needs no rights and changes no setting of the GPU.

https://docs.nvidia.com/deploy/mps
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from xval.backend.devices import Slot

_CONTROL = "nvidia-cuda-mps-control"
_FOLDER = "CUDA_MPS_PIPE_DIRECTORY"
_SECONDS = 20


@contextmanager
def shared_time(slots: Sequence[Slot]) -> Iterator[bool]:
    """Have processes that are started within this block compute on a shared GPU at the same time, if several share one.

    Args:
        slots: Where they run.

    Yields:
        Whether they do; not where no GPU is shared, where the service is not installed or does not start. Where the environment
        names a service already, that one is used.
    """
    if all(slot.memory_share == 1 for slot in slots) or shutil.which(_CONTROL) is None:
        yield False
        return
    if _FOLDER in os.environ:
        yield True
        return
    with tempfile.TemporaryDirectory(prefix="xval-mps-") as folder:
        own = {_FOLDER: folder, "CUDA_MPS_LOG_DIRECTORY": folder}
        has_started = _control("-d", own)
        os.environ.update(own if has_started else {})
        try:
            yield has_started
        finally:
            for name in own:
                os.environ.pop(name, None)
            if has_started:
                _control("", own, "quit\n")


def _control(option: str, variables: dict[str, str], order: str = "") -> bool:
    """Run the program that controls the service; return whether it succeeded."""
    command = [_CONTROL, *filter(None, [option])]
    try:
        ended = subprocess.run(
            command,
            input=order,
            env=os.environ | variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ended.returncode == 0
