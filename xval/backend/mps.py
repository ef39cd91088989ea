"""CUDA's Multi-Process Service (MPS): kernels of several processes run on a GPU at the same time instead of in turn.

Each run starts its own service, for the workers that it starts meanwhile. The service comes with the driver, needs no root
rights, changes no setting of the GPU, and ends with the run, even if the run is killed.

Source: https://docs.nvidia.com/deploy/mps
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from xval.backend.devices import Slot

_CONTROL = "nvidia-cuda-mps-control"
_FOLDER = "CUDA_MPS_PIPE_DIRECTORY"
_SECONDS_TO_END = 20
# The service is a daemon. This shell waits until its input ends, which also happens if the run is killed, and then stops it.
_UNTIL_INPUT_ENDS = f'{_CONTROL} -d || exit; echo started; cat > /dev/null; echo quit | {_CONTROL}; rm -rf "${_FOLDER}"'


@contextmanager
def shared_time(slots: Sequence[Slot]) -> Iterator[bool]:
    """Let processes that are started within this block compute on a shared GPU at the same time, if several share one.

    If the environment names a service already (CUDA_MPS_PIPE_DIRECTORY), that one is used.

    Yields:
        Whether there is a service; False if no GPU is shared, or if the service is not installed or does not start.
    """
    is_named = _FOLDER in os.environ
    if is_named or all(slot.memory_share == 1 for slot in slots) or shutil.which(_CONTROL) is None:
        yield is_named
        return
    folder = tempfile.mkdtemp(prefix="xval-mps-")
    own = {_FOLDER: folder, "CUDA_MPS_LOG_DIRECTORY": folder}
    with subprocess.Popen(
        ["sh", "-c", _UNTIL_INPUT_ENDS],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env=os.environ | own, start_new_session=True,
    ) as service:  # fmt: skip
        has_started = service.stdout is not None and service.stdout.readline() == "started\n"
        os.environ.update(own if has_started else {})
        try:
            yield has_started
        finally:
            for name in own:
                os.environ.pop(name, None)
            with suppress(subprocess.TimeoutExpired):
                service.communicate(timeout=_SECONDS_TO_END)
            shutil.rmtree(folder, ignore_errors=True)
