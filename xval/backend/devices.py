"""Find the GPUs of a machine, and bind a process to one before its backend is imported.

The GPU argument of a command becomes slots. A slot is a device with a number of threads, and has the environment variables that
bind a process to it.
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
"""What a process takes of a GPU before its backend allocates anything: the CUDA context, kernels of cuDNN and cuBLAS (MB)."""
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
    """A place where one job at a time runs.

    Attributes:
        device: ``cpu``, or the number of a GPU.
        threads: CPU threads of a job.
        memory_share: How much of the GPU's memory its process may take, what the driver takes for it included (0 to 1).
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    device: str
    threads: int
    memory_share: float = 1.0


@dataclass(frozen=True)
class Gpu:
    """An NVIDIA GPU.

    Attributes:
        name: What its maker calls it.
        memory_mb: Its memory (MB of 2**20 bytes); 0: the driver does not say.
    """

    name: str
    memory_mb: int = 0
    driver: str = ""

    def __str__(self) -> str:
        return self.name + (f", {self.memory_mb} MB" if self.memory_mb else "") + (self.driver and f", driver {self.driver}")


@cache
def find_gpus() -> tuple[Gpu, ...]:
    """Return the NVIDIA GPUs that this process may use, in the order of their numbers.

    CUDA_VISIBLE_DEVICES is respected: its entries are numbered from 0, as every backend does.
    """
    if shutil.which("nvidia-smi") is None:
        return ()
    command = ["nvidia-smi", "--query-gpu=index,uuid,memory.total,driver_version,name", "--format=csv,noheader,nounits"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    gpus = {}
    for index, uuid, memory_mb, driver, *name in csv.reader(listed.splitlines(), skipinitialspace=True):
        gpus[index] = gpus[uuid] = Gpu(", ".join(name), int(memory_mb) if memory_mb.isdecimal() else 0, driver)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    chosen = [key for key in gpus if key.isdigit()] if visible is None else visible.split(",")
    return tuple(gpus[key.strip()] for key in chosen if key.strip() in gpus)


def make_slots(
    gpu: str, *, workers: int, threads: int, workers_per_gpu: int = 1, n_jobs: int | None = None
) -> tuple[list[Slot], str]:
    """Return the slots of a run, and what there is to say about where it runs.

    Args:
        gpu: ``cpu``, a GPU number, or several with commas.
        workers: Worker processes on the CPU; 0: as many as the cores and the memory allow.
        threads: CPU threads of a job.
        workers_per_gpu: How many share a GPU; it has no effect on the CPU.
        n_jobs: What there is to run, at least one; more workers than that are not started. None: not known.

    Returns:
        One slot per worker, and a sentence; where more threads are wanted than there are cores, another one in a second line.
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
    # GPU after GPU, then again: where there are fewer jobs than slots, no GPU stands idle next to one that is shared.
    sharing = Counter((numbers * workers_per_gpu)[:n_jobs])
    slots = [Slot(str(number), threads, 1 / sharing[number]) for number in (numbers * workers_per_gpu)[:n_jobs]]
    where = "Running on " + ", ".join(f"GPU {number} ({gpus[number]})" for number in sharing)
    return slots, f"{where}{_describe_sharing(sharing)}"


def _describe_sharing(sharing: Mapping[int, int]) -> str:
    """Return how many workers begin on each GPU; more begin later on one whose memory others use now."""
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
    """Return the device that an argument names: ``cpu``, or the number of a GPU."""
    if text != "cpu" and not (text.isascii() and text.isdecimal()):
        raise SettingsError(f"--gpu: received '{text}'; expected the number of a GPU, or cpu.")
    return text


def environment(slot: Slot, backend: str, *, deterministic: bool = True) -> Mapping[str, str]:
    """Return the variables that bind a process to a slot, and XLA to repeatable operations; set them before an import."""
    threads = str(slot.threads)
    values = {
        "KERAS_BACKEND": backend,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        # glibc gives freed tensors back to the system and asks for them again: on the CPU a third of the time goes into that.
        "MALLOC_TRIM_THRESHOLD_": str(2**32),
        "MALLOC_MMAP_THRESHOLD_": str(2**30),
        "MALLOC_TOP_PAD_": str(2**28),
        **dict.fromkeys(_THREAD_VARIABLES, threads),
        # Threads of OpenMP that wait for each other would keep cores busy that other jobs compute on.
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    if backend == "jax":
        values |= jax_cache()
    if slot.device == "cpu":
        values |= onednn()
        cpu_flags = (
            f"--xla_cpu_multi_thread_eigen={'true' if slot.threads > 1 else 'false'} intra_op_parallelism_threads={threads}"
        )
        # Without PJRT_NPROC, JAX computes parts of a program that do not need each other on as many threads as there are cores.
        jax = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": _with_those_of_the_user(cpu_flags), "PJRT_NPROC": threads}
        return values | {"CUDA_VISIBLE_DEVICES": "-1", **jax}
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    identity = slot.device if visible is None else visible.split(",")[int(slot.device)].strip()
    xla = f"--xla_gpu_deterministic_ops={'true' if deterministic else 'false'}"
    values |= {"CUDA_VISIBLE_DEVICES": identity, "XLA_FLAGS": _with_those_of_the_user(xla)}
    return values | (_memory_limits(slot) if slot.memory_share < 1 else {})


def _with_those_of_the_user(flags: str) -> str:
    """Return flags of XLA, and behind them those of the environment that have other names."""
    names = {flag.partition("=")[0] for flag in flags.split()}
    users = os.environ.get("XLA_FLAGS", "").split()
    return " ".join([*flags.split(), *(flag for flag in users if flag.partition("=")[0] not in names)])


def onednn() -> dict[str, str]:
    """Return the variable that lets TensorFlow compute with oneDNN on any processor, unless the user has set it.

    By itself it does so only on processors with AVX512-VNNI or better; benchmarks/networks.py measures what it brings.
    """
    return {"TF_ENABLE_ONEDNN_OPTS": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1")}


def loaded_backend() -> str | None:
    """Return the backend of the Keras that this process has loaded; None: it has loaded none."""
    return str(importlib.import_module("keras").backend.backend()) if "keras" in sys.modules else None


def bind(slot: Slot, backend: str, *, deterministic: bool = True) -> str:
    """Bind this process to a slot and a backend, unless Keras is loaded; return the backend that it is bound to."""
    if loaded := loaded_backend():
        return loaded
    os.environ.update(environment(slot, backend, deterministic=deterministic))
    return backend


def _memory_limits(slot: Slot) -> dict[str, str]:
    """Return the variables that hold a process to its share of a GPU's memory, what the driver takes for it left out."""
    gpus = find_gpus()
    number = int(slot.device)
    memory_mb = gpus[number].memory_mb if number < len(gpus) else 0
    if not memory_mb:
        share, known = slot.memory_share * _MARGIN_WHERE_UNKNOWN, {}
    else:
        limit_mb = max(_LEAST_MEMORY_MB, int(slot.memory_share * memory_mb) - CONTEXT_MB)
        share, known = limit_mb / memory_mb, {MEMORY_MB: str(limit_mb)}
    # JAX takes the older of its two names everywhere, and refuses both at once.
    jax = {"XLA_PYTHON_CLIENT_MEM_FRACTION": f"{share:.4f}", "XLA_CLIENT_MEM_FRACTION": ""}
    return {MEMORY_SHARE: f"{share:.4f}", **known, **jax}


def load_keras() -> None:
    """Import Keras and its backend in half the time, and without the lines that TensorFlow's libraries write.

    Keras and TensorFlow import a few packages, where they are installed, for parts of theirs that xval does not use. They are
    hidden meanwhile, and can be imported afterwards; `keras.visualization` and `keras.wrappers` stay without them.
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
    """Hide packages that Keras can do without, and do not look for garbage: an import leaves none."""
    backend = os.environ.get("KERAS_BACKEND")
    with hidden(name for name in _OPTIONAL_FOR_KERAS if name != backend), without_collector():
        try:
            yield
        finally:
            gc.freeze()  # what was loaded stays; looking through it for garbage takes 0.2 s each time


def default_workers(threads: int) -> int:
    """Return how many CPU workers of so many threads the cores and the memory of this machine allow, at least one."""
    cores = count_cores()
    by_memory = cores
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        by_memory = int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (_GIB_PER_WORKER * 2**30))
    return max(1, min(cores // threads, by_memory))
