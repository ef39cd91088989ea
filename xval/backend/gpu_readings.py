"""Read the utilisation and memory of GPUs from the driver while jobs run.

Readings are made every few seconds and written to files, which the workers' processes read: the mean over a job for its record,
and the latest one for its progress, both next to the time that training has waited for data. They come from NVML if the package
nvidia-ml-py is installed, else from nvidia-smi; without both there are none.
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
_SPARE_SHARE = 0.25  # of a worker's memory that may be missing before there is no room for it


@dataclass(frozen=True)
class GpuReading:
    """What a GPU does now.

    Attributes:
        utilisation: Share of the last moments in which some kernel ran (percent).
        used_mb: Memory in use by all processes (MB of 2**20 bytes).
    """

    utilisation: float
    used_mb: float
    memory_mb: float


@dataclass(frozen=True)
class Readings:
    """All readings of a GPU since a run began.

    Attributes:
        n: How many there are.
        sum_of_utilisation: Over all (percent).
    """

    last: GpuReading
    n: int
    sum_of_utilisation: float


def read_gpu(device: str) -> GpuReading | None:
    """Return what a GPU, one of those that this process sees, does now, or None where the driver does not say."""
    with suppress(Exception):  # whatever NVML or nvidia-smi cannot do: nothing depends on it
        return _read(_identity(device))
    return None


def count_room(reading: GpuReading, worker_mb: float) -> int:
    """Return how many workers, each of which takes ``worker_mb`` (MB), find room in what is free of a GPU."""
    return int((reading.memory_mb - reading.used_mb) / worker_mb + _SPARE_SHARE)


@contextmanager
def watched_gpus(devices: Sequence[str]) -> Iterator[None]:
    """Read GPUs every few seconds within this block, for the processes that are started meanwhile and for this one.

    The cpu is skipped, as is what another block watches already.
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
    """Return the readings of a GPU that this process or the one that started it watches, or None where none does."""
    folder = os.environ.get(_FOLDER)
    if folder is None or device == "cpu":
        return None
    try:
        content = json.loads(read_regular(Path(folder) / f"{device}.json"))
        return Readings(GpuReading(**content["last"]), content["n"], content["sum_of_utilisation"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def note_data_share(share: float | None) -> None:
    """Take note of the share of its training that the present job has waited for data; None: it has not begun."""
    _DATA_SHARE[0] = share


def describe_now(device: str) -> dict[str, float]:
    """Return ``utilisation`` (percent) and ``used_mb`` of a GPU now, and ``data_share``; each where it is known."""
    if device == "cpu":
        return {}
    watched = readings(device)
    last = {} if watched is None else {"utilisation": watched.last.utilisation, "used_mb": round(watched.last.used_mb)}
    return last | _data_share()


def describe_since(device: str, begin: Readings | None) -> dict[str, float]:
    """Return what the record of a job says of its GPU, as `describe_now`, with the mean utilisation since some readings."""
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
    """Return what NVML and nvidia-smi call a GPU: its number on this machine, or its UUID."""
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
    except Exception:  # noqa: BLE001 - ImportError, and whatever NVML has to say
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
