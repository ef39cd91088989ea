"""Read the utilisation and memory of GPUs from the driver while jobs run.

A thread takes readings every few seconds and writes them to files that the worker processes read: the record of a job has the
mean over the job, its progress the latest reading, and both have the share of the training time that was spent waiting for
data. Readings come from NVML if the package nvidia-ml-py is installed, otherwise from nvidia-smi; without both there are none.
"""

import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from xval.base.operating_system import read_regular, replace

_FOLDER = "XVAL_GPU_READINGS"
_DATA_SHARE: list[float | None] = [None]
_SECONDS_BETWEEN = 2.0
_SECONDS_OF_QUERY = 20
_SPARE_SHARE = 0.25  # of a worker's memory that may be missing and the worker still counts as fitting


@dataclass(frozen=True)
class GpuReading:
    """Utilisation and memory of a GPU at one moment.

    Attributes:
        utilisation: Share of the driver's last sampling period in which a kernel ran (percent).
        used_mb: Memory in use by all processes (MB of 2**20 bytes).
        memory_mb: All memory of the GPU (MB of 2**20 bytes).
    """

    utilisation: float
    used_mb: float
    memory_mb: float


@dataclass(frozen=True)
class Readings:
    """Summary of all readings of a GPU since a run began.

    Attributes:
        last: The latest reading.
        n: Number of readings.
        sum_of_utilisation: Sum of the utilisation over all readings (percent).
    """

    last: GpuReading
    n: int
    sum_of_utilisation: float


def read_gpu(device: str) -> GpuReading | None:
    """Return a reading of a GPU, given by its number among the GPUs that this process may use; None: the driver gives none."""
    with suppress(Exception):  # no failure of NVML or nvidia-smi may stop a run
        return _read(_identity(device))
    return None


def count_room(reading: GpuReading, worker_mb: float) -> int:
    """Return how many workers that use ``worker_mb`` each (MB of 2**20 bytes) fit into the free memory of a GPU."""
    return int((reading.memory_mb - reading.used_mb) / worker_mb + _SPARE_SHARE)


@contextmanager
def watched_gpus(devices: Sequence[str]) -> Iterator[None]:
    """Take readings of GPUs every few seconds within this block, for this process and those that it starts meanwhile.

    The device ``cpu`` is skipped. Nothing is done within another such block, whose readings are used.
    """
    gpus = [device for device in dict.fromkeys(devices) if device != "cpu"]
    if not gpus or _FOLDER in os.environ:
        yield
        return
    over = threading.Event()
    with tempfile.TemporaryDirectory(prefix="xval-gpu-") as folder:
        identities = {gpu: _identity(gpu) for gpu in gpus}  # before this process is bound to one of them
        thread = threading.Thread(target=_watch, args=(identities, Path(folder), over), daemon=True)
        os.environ[_FOLDER] = folder
        thread.start()
        try:
            yield
        finally:
            os.environ.pop(_FOLDER, None)
            over.set()
            thread.join()


def readings(device: str) -> Readings | None:
    """Return the readings of a GPU from a block of `watched_gpus` in this process or its parent; None: there are none."""
    folder = os.environ.get(_FOLDER)
    if folder is None or device == "cpu":
        return None
    try:
        content = json.loads(read_regular(Path(folder) / f"{device}.json"))
        return Readings(GpuReading(**content["last"]), content["n"], content["sum_of_utilisation"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def note_data_share(share: float | None) -> None:
    """Store the share of its training time that the present job has spent waiting for data (0 to 1); None: not begun."""
    _DATA_SHARE[0] = share


def describe_now(device: str) -> dict[str, float]:
    """Return the latest ``utilisation`` (percent), ``used_mb`` and ``data_share`` (0 to 1) of a GPU, as far as known."""
    if device == "cpu":
        return {}
    watched = readings(device)
    last = {} if watched is None else {"utilisation": watched.last.utilisation, "used_mb": round(watched.last.used_mb)}
    return last | _data_share()


def describe_since(device: str, begin: Readings | None) -> dict[str, float]:
    """Return the entries of `describe_now` for the record of a job, with the mean utilisation since the readings ``begin``."""
    watched = readings(device)
    if watched is None:
        return _data_share()
    n = watched.n - (begin.n if begin else 0)
    sum_of_job = watched.sum_of_utilisation - (begin.sum_of_utilisation if begin else 0.0)
    return describe_now(device) | ({"utilisation": round(sum_of_job / n, 1)} if n else {})


def _data_share() -> dict[str, float]:
    share = _DATA_SHARE[0]
    return {} if share is None else {"data_share": round(share, 4)}


def _identity(device: str) -> str:
    """Return how NVML and nvidia-smi identify a GPU: by its number on this machine, or by its UUID."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return device
    listed = [entry.strip() for entry in visible.split(",")]
    return listed[min(int(device), len(listed) - 1)]  # a process that is bound to a GPU sees only it


def _watch(identities: Mapping[str, str], folder: Path, over: threading.Event) -> None:
    known: dict[str, Readings] = {}
    while True:
        for gpu, identity in identities.items():
            with suppress(Exception):
                reading = _read(identity)
                if reading is None:
                    return
                before = known.get(gpu, Readings(reading, 0, 0.0))
                known[gpu] = Readings(reading, before.n + 1, before.sum_of_utilisation + reading.utilisation)
                new = folder / f"{gpu}.new"
                new.write_text(json.dumps(asdict(known[gpu])))
                replace(new, folder / f"{gpu}.json")
        if over.wait(_SECONDS_BETWEEN):
            return


def _read(identity: str) -> GpuReading | None:
    return _by_nvml(identity) or _by_nvidia_smi(identity)


def _by_nvml(identity: str) -> GpuReading | None:
    nvml = _nvml()
    if nvml is None:
        return None
    try:
        by_number = identity.isdecimal()
        gpu = nvml.nvmlDeviceGetHandleByIndex(int(identity)) if by_number else nvml.nvmlDeviceGetHandleByUUID(identity)
        memory = nvml.nvmlDeviceGetMemoryInfo(gpu)
        return GpuReading(nvml.nvmlDeviceGetUtilizationRates(gpu).gpu, memory.used / 2**20, memory.total / 2**20)
    except nvml.NVMLError:  # nvidia-smi may know
        return None


@cache
def _nvml() -> Any:
    """Return NVML, or None where it is not installed or finds no driver."""
    try:
        nvml = import_module("pynvml")
        nvml.nvmlInit()
    except Exception:  # noqa: BLE001 - ImportError, and any error of NVML
        return None
    return nvml


def _by_nvidia_smi(identity: str) -> GpuReading | None:
    if shutil.which("nvidia-smi") is None:
        return None
    asked = "--query-gpu=utilization.gpu,memory.used,memory.total"
    ended = subprocess.run(
        ["nvidia-smi", asked, "--format=csv,noheader,nounits", "-i", identity],
        capture_output=True, text=True, timeout=_SECONDS_OF_QUERY, check=True,
    )  # fmt: skip
    return GpuReading(*map(float, ended.stdout.split(",")))
