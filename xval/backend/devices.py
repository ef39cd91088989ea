"""Find the GPUs of a machine, and bind a process to one before its backend is imported.

The GPU argument of a command becomes slots. A slot is a device and a number of CPU threads for one job at a time; `environment`
gives the variables that bind a process to it.
"""

import csv
import gc
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from typing import ClassVar

from preprocessing.parallel import count_cores
from xval.backend.gpu_readings import count_room, read_gpu
from xval.backend.jax_cache import jax_cache
from xval.backend.keras_internals import leave_tensorflow_alone
from xval.backend.limits import MEMORY_MB, MEMORY_SHARE
from xval.base.errors import SettingsError, counted
from xval.base.garbage_collection import without_collector
from xval.base.hidden_modules import hidden
from xval.base.keras_backends import BACKENDS, default_backend, installed_backends, require_backend

_GIB_PER_WORKER = 3.0
CONTEXT_MB = 800
"""GPU memory that a process uses before its backend allocates anything: the CUDA context, kernels of cuDNN and cuBLAS (MB)."""
_LEAST_MEMORY_MB = 512
_MARGIN_WHERE_UNKNOWN = 0.9
# Read by: OpenMP (torch, scikit-learn, pyarrow); MKL; OpenBLAS; BLIS; Accelerate; numexpr; numba; pyarrow's reading.
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS", "ARROW_IO_THREADS",
)  # fmt: skip
_OPTIONAL_FOR_KERAS = ("matplotlib", "sklearn", "jax")  # for plots, scikit-learn's interface, conversions from JAX


@dataclass(frozen=True)
class Slot:
    """A device on which one job at a time runs.

    Attributes:
        device: ``cpu``, or the number of a GPU.
        threads: CPU threads of a job.
        memory_share: Share of the GPU's memory that the process may use, including what the driver allocates for it (0 to 1).
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    device: str
    threads: int
    memory_share: float = 1.0


@dataclass(frozen=True)
class Gpu:
    """An NVIDIA GPU.

    Attributes:
        name: Model name, as the driver reports it.
        memory_mb: Its memory (MB of 2**20 bytes); 0: the driver does not report it.
        driver: Version of the driver.
    """

    name: str
    memory_mb: int = 0
    driver: str = ""

    def __str__(self) -> str:
        return self.name + (f", {self.memory_mb} MB" if self.memory_mb else "") + (self.driver and f", driver {self.driver}")


@cache
def find_gpus() -> tuple[Gpu, ...]:
    """Return the NVIDIA GPUs that this process may use, in the order of their numbers.

    If CUDA_VISIBLE_DEVICES is set, only the GPUs that it lists count, and they are numbered from 0 in its order, as in every
    backend. As in CUDA, an entry is a number, a UUID or its unique beginning, or a MIG instance, of which a process can use one
    and whose memory is not known here; an entry that is no GPU of this machine ends the list.
    """
    if shutil.which("nvidia-smi") is None:
        return ()
    command = ["nvidia-smi", "--query-gpu=index,uuid,memory.total,driver_version,name", "--format=csv,noheader,nounits"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    gpus: dict[str, Gpu] = {}
    for row in csv.reader(listed.splitlines(), skipinitialspace=True):
        if len(row) < 5:
            continue  # a note, such as "No devices were found"
        index, uuid, memory_mb, driver, *name = row
        gpus[index] = gpus[uuid] = Gpu(", ".join(name), int(memory_mb) if memory_mb.isdecimal() else 0, driver)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return tuple(gpu for key, gpu in gpus.items() if key.isdigit())
    entries = [entry.strip() for entry in visible.split(",")]
    if entries[0].startswith("MIG-") and gpus:
        return (Gpu("MIG instance", 0, next(iter(gpus.values())).driver),)
    found = ([key for key in gpus if key == entry or (entry.startswith("GPU-") and key.startswith(entry))] for entry in entries)
    return tuple(gpus[keys[0]] for keys in takewhile(lambda keys: len(keys) == 1, found))


def make_slots(
    gpu: str, *, workers: int, threads: int, workers_per_gpu: int = 1, n_jobs: int | None = None
) -> tuple[list[Slot], str]:
    """Return the slots of a run, and a message that names the devices on which it runs.

    Args:
        gpu: ``cpu``, a GPU number, or several GPU numbers separated by commas.
        workers: Worker processes on the CPU; 0: as many as the cores and the memory allow.
        threads: CPU threads of a job.
        workers_per_gpu: Number of workers that share a GPU; it has no effect on the CPU.
        n_jobs: Number of jobs to run, at least 1; there are at most as many slots. None: not known.

    Returns:
        One slot per worker, and the message; a second line of it warns if all workers together use more threads than there are
        cores.

    Raises:
        SettingsError: The machine has GPUs, but not the one named; or its memory is too small for ``workers_per_gpu`` workers.
    """
    gpus = () if gpu == "cpu" else find_gpus()
    if gpus:
        slots, where = _gpu_slots(gpu, gpus, threads, workers_per_gpu, n_jobs)
        if workers > 1:
            where += f" workers={workers} has no effect on a GPU; use workers_per_gpu to let several workers share it."
    else:
        slots = ([Slot("cpu", threads)] * (workers or default_workers(threads)))[:n_jobs]
        reason = "Running on the CPU" if gpu == "cpu" else "No GPU found: running on the CPU"
        unused = f" workers_per_gpu={workers_per_gpu} has no effect on the CPU." if workers_per_gpu > 1 else ""
        where = f"{reason}, {counted(len(slots), 'worker')}, {counted(threads, 'thread')} each.{unused}"
    n_threads, n_cores = len(slots) * threads, count_cores()
    if n_threads > n_cores:
        where += (
            f"\n{n_threads} threads ({counted(len(slots), 'worker')}, {threads} each) share "
            f"{counted(n_cores, 'core')} and slow each other "
            "down. Lower workers or threads_per_job."
        )
    return slots, where


def _gpu_slots(
    wanted: str, gpus: Sequence[Gpu], threads: int, workers_per_gpu: int, n_jobs: int | None
) -> tuple[list[Slot], str]:
    """Return the slots on some of the GPUs of this machine, and a sentence that names them."""
    numbers = list(dict.fromkeys(int(part) for part in wanted.split(",")))
    if unknown := [number for number in numbers if number >= len(gpus)]:
        listed = ", ".join(f"{number} ({gpu.name})" for number, gpu in enumerate(gpus))
        missing = ", ".join(map(str, unknown))
        raise SettingsError(f"--gpu: this machine has no GPU {missing}. Available: {listed}, cpu.")
    for number in numbers:
        gpu = gpus[number]
        most = gpu.memory_mb // (CONTEXT_MB + _LEAST_MEMORY_MB)
        if workers_per_gpu > 1 and gpu.memory_mb and workers_per_gpu > most:
            raise SettingsError(
                f"workers_per_gpu={workers_per_gpu}: GPU {number} ({gpu.name}) has {gpu.memory_mb} MB, and each worker needs "
                f"{CONTEXT_MB} MB of it at the start; expected 1 to {max(1, most)}."
            )
    # One worker on every GPU before a second one on any: with fewer jobs than slots, no GPU is idle next to one that is shared.
    sharing = Counter((numbers * workers_per_gpu)[:n_jobs])
    slots = [Slot(str(number), threads, 1 / sharing[number]) for number in (numbers * workers_per_gpu)[:n_jobs]]
    where = "Running on " + ", ".join(f"GPU {number} ({gpus[number]})" for number in sharing)
    return slots, f"{where}{_describe_sharing(sharing)}"


def _describe_sharing(sharing: Mapping[int, int]) -> str:
    """Return how many workers start on each GPU; on a GPU whose memory other processes use now, the rest start later."""
    most = max(sharing.values())
    if most == 1:
        return "."
    begin, later = dict(sharing), ""
    for number, n_workers in sharing.items():
        reading = read_gpu(str(number)) if n_workers > 1 else None
        if reading and (n_now := max(1, count_room(reading, reading.memory_mb / n_workers))) < n_workers:
            begin[number] = n_now
            later += f" {reading.used_mb:.0f} MB of GPU {number} are in use; up to {n_workers} workers, as memory allows."
    if len(set(begin.values())) > 1:
        workers = " and ".join(map(str, begin.values())) + " workers"
    else:
        workers = f"{begin[number]} worker{'s' * (begin[number] > 1)} each"
    return f", {workers}, which share its memory equally.{later}"


def read_device(text: str) -> str:
    """Return the device that a command's argument names: ``cpu``, or the number of a GPU as text.

    Raises:
        SettingsError: It is neither.
    """
    if text != "cpu" and not (text.isascii() and text.isdecimal()):
        raise SettingsError(f"--gpu: received '{text}'; expected the number of a GPU, or cpu.")
    return text


def environment(slot: Slot, backend: str, *, deterministic: bool = True) -> Mapping[str, str]:
    """Return the environment variables that bind a process to a slot; set them before the backend is imported.

    Args:
        slot: The device and the number of threads.
        backend: tensorflow, torch or jax.
        deterministic: Whether XLA uses only operations on a GPU that give the same result each time.
    """
    threads = str(slot.threads)
    values = {
        "KERAS_BACKEND": backend,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        # By default glibc returns freed tensors to the system and requests the memory again: a third of the time on the CPU.
        "MALLOC_TRIM_THRESHOLD_": str(2**32),
        "MALLOC_MMAP_THRESHOLD_": str(2**30),
        "MALLOC_TOP_PAD_": str(2**28),
        **dict.fromkeys(_THREAD_VARIABLES, threads),
        # By default, waiting OpenMP threads keep cores busy on which other jobs compute.
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    if backend == "jax":
        values |= jax_cache()
    if slot.device == "cpu":
        values |= onednn()
        cpu_flags = (
            f"--xla_cpu_multi_thread_eigen={'true' if slot.threads > 1 else 'false'} intra_op_parallelism_threads={threads}"
        )
        # Without PJRT_NPROC, JAX computes independent parts of a program on as many threads as there are cores.
        jax = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": _with_those_of_the_user(cpu_flags), "PJRT_NPROC": threads}
        return values | {"CUDA_VISIBLE_DEVICES": "-1", **jax}
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    identity = slot.device if visible is None else visible.split(",")[int(slot.device)].strip()
    xla = f"--xla_gpu_deterministic_ops={'true' if deterministic else 'false'}"
    values |= {"CUDA_VISIBLE_DEVICES": identity, "XLA_FLAGS": _with_those_of_the_user(xla)}
    # nvidia-smi numbers GPUs by their bus, and CUDA by default by their speed.
    values["CUDA_DEVICE_ORDER"] = os.environ.get("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    return values | (_memory_limits(slot) if slot.memory_share < 1 else {})


def _with_those_of_the_user(flags: str) -> str:
    """Return XLA flags, followed by the flags of the user's XLA_FLAGS that have other names."""
    names = {flag.partition("=")[0] for flag in flags.split()}
    users = os.environ.get("XLA_FLAGS", "").split()
    return " ".join([*flags.split(), *(flag for flag in users if flag.partition("=")[0] not in names)])


def onednn() -> dict[str, str]:
    """Return the environment variable that lets TensorFlow use oneDNN on any processor, with the user's value if it is set.

    TensorFlow's default is to use it only on processors with AVX512-VNNI or better; benchmarks/networks.py measures the gain.
    """
    return {"TF_ENABLE_ONEDNN_OPTS": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1")}


def loaded_backend() -> str | None:
    """Return the backend of Keras in this process; None: Keras is not loaded."""
    return str(importlib.import_module("keras").backend.backend()) if "keras" in sys.modules else None


def bind(slot: Slot, backend: str, *, deterministic: bool = True) -> str:
    """Bind this process to a slot and a backend, unless Keras is loaded; return the backend of the process."""
    if loaded := loaded_backend():
        return loaded
    os.environ.update(environment(slot, backend, deterministic=deterministic))
    return backend


def _memory_limits(slot: Slot) -> dict[str, str]:
    """Return the variables that limit the backend to the slot's share of a GPU's memory, less what the driver allocates."""
    gpus = find_gpus()
    number = int(slot.device)
    memory_mb = gpus[number].memory_mb if number < len(gpus) else 0
    if not memory_mb:
        share, known = slot.memory_share * _MARGIN_WHERE_UNKNOWN, {}
    else:
        limit_mb = max(_LEAST_MEMORY_MB, int(slot.memory_share * memory_mb) - CONTEXT_MB)
        share, known = limit_mb / memory_mb, {MEMORY_MB: str(limit_mb)}
    # All versions of JAX read the older of its two names; setting both is an error.
    jax = {"XLA_PYTHON_CLIENT_MEM_FRACTION": f"{share:.4f}", "XLA_CLIENT_MEM_FRACTION": ""}
    return {MEMORY_SHARE: f"{share:.4f}", **known, **jax}


def load_keras() -> None:
    """Import Keras and its backend in half the time, without the log lines of TensorFlow's libraries.

    Keras and TensorFlow import some optional packages for features that xval does not use. These packages are hidden during the
    import and can be imported afterwards, but `keras.visualization` and `keras.wrappers` lack them in this process.

    Raises:
        SettingsError: The backend, the one of KERAS_BACKEND or else the default one, is not installed or cannot be imported.
    """
    if "keras" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # the lines that it writes later, too
    if "KERAS_BACKEND" not in os.environ and BACKENDS[0] not in installed_backends():
        os.environ["KERAS_BACKEND"] = default_backend()
    require_backend(os.environ.get("KERAS_BACKEND", BACKENDS[0]))
    with tempfile.TemporaryFile() as written, _nothing_unneeded():
        sys.stderr.flush()
        kept = os.dup(2)
        os.dup2(written.fileno(), 2)
        try:
            importlib.import_module("keras")
        except ImportError as error:
            written.seek(0)
            text = written.read().decode(errors="replace")
            name = os.environ.get("KERAS_BACKEND", BACKENDS[0])
            raise SettingsError(f"the Keras backend {name} cannot be imported ({error}). {text}".rstrip()) from error
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
    leave_tensorflow_alone()


@contextmanager
def _nothing_unneeded() -> Iterator[None]:
    """Hide optional packages of Keras within this block, and switch the garbage collector off: an import leaves no garbage."""
    backend = os.environ.get("KERAS_BACKEND")
    with hidden(name for name in _OPTIONAL_FOR_KERAS if name != backend), without_collector():
        try:
            yield
        finally:
            gc.freeze()  # what was loaded stays; searching it for garbage would take 0.2 s each time


def default_workers(threads: int) -> int:
    """Return how many CPU workers with ``threads`` threads each the cores and the memory of this machine allow, at least 1."""
    cores = count_cores()
    by_memory = cores
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        by_memory = int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (_GIB_PER_WORKER * 2**30))
    return max(1, min(cores // threads, by_memory))
