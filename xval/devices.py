"""Devices: which GPUs there are, and how a process is bound to one before its backend is imported.

Comes in: the GPU argument of a command. Goes out: slots, each a device with a number of threads, and the environment that binds
a process to it. Next: executors.
"""

import importlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path

from preprocessing.parallel import count_cores
from xval.errors import SettingsError

_GIB_PER_WORKER = 3.0
_JAX_CACHE_BYTES = 500 * 2**20


@dataclass(frozen=True)
class Slot:
    """A place where one job at a time runs.

    Attributes:
        device: ``cpu``, or the number of a GPU.
        threads: CPU threads of a job.
    """

    device: str
    threads: int


@cache
def gpu_names() -> tuple[str, ...]:
    """Return the names of the NVIDIA GPUs that this process may use, in the order of their numbers.

    CUDA_VISIBLE_DEVICES is respected: its entries are numbered from 0, as every backend does.
    """
    if shutil.which("nvidia-smi") is None:
        return ()
    command = ["nvidia-smi", "--query-gpu=index,uuid,name", "--format=csv,noheader"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    names = {}
    for line in listed.splitlines():
        index, uuid, name = (part.strip() for part in line.split(",", 2))
        names[index] = names[uuid] = name
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    chosen = [key for key in names if key.isdigit()] if visible is None else visible.split(",")
    return tuple(names[key.strip()] for key in chosen if key.strip() in names)


def make_slots(gpu: str, *, workers: int, threads: int) -> tuple[list[Slot], str]:
    """Return the slots of a run and a sentence that says where it runs.

    Args:
        gpu: ``cpu``, a GPU number, or several with commas.
        workers: Worker processes on the CPU; 0: as many as the cores and the memory allow.
        threads: CPU threads of a job.

    Returns:
        One slot per worker, and the sentence.

    Raises:
        SettingsError: No such GPU on a machine that has GPUs.
    """
    wanted = [part.strip() for part in gpu.split(",")]
    names = () if gpu == "cpu" else gpu_names()
    if names:
        unknown = [part for part in wanted if int(part) >= len(names)]
        if unknown:
            listed = ", ".join(f"{number} ({name})" for number, name in enumerate(names))
            raise SettingsError(f"GPU: this machine has no GPU {', '.join(unknown)}. Available: {listed}, cpu.")
        chosen = list(dict.fromkeys(str(int(part)) for part in wanted))
        where = ", ".join(f"GPU {number} ({names[int(number)]})" for number in chosen)
        return [Slot(number, threads) for number in chosen], f"Running on {where}."
    n_workers = workers or default_workers(threads)
    reason = "Running on the CPU" if gpu == "cpu" else "No GPU found: running on the CPU"
    return [Slot("cpu", threads)] * n_workers, f"{reason}, {n_workers} worker(s), {threads} thread(s) each."


def read_device(text: str) -> str:
    """Return the device that an argument names.

    Raises:
        SettingsError: It is neither ``cpu`` nor a number.
    """
    if text != "cpu" and not text.isdecimal():
        raise SettingsError(f"--gpu: received '{text}'; allowed: the number of a GPU, or cpu.")
    return text


def environment(slot: Slot, backend: str) -> Mapping[str, str]:
    """Return the environment variables that bind a process to a slot; set them before a backend is imported."""
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
        **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), threads),
    }
    if backend == "jax":
        values |= _jax_cache()
    if slot.device == "cpu":
        cpu_flags = (
            f"--xla_cpu_multi_thread_eigen={'true' if slot.threads > 1 else 'false'} intra_op_parallelism_threads={threads}"
        )
        return values | {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu", "XLA_FLAGS": cpu_flags}
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    identity = slot.device if visible is None else visible.split(",")[int(slot.device)].strip()
    return values | {"CUDA_VISIBLE_DEVICES": identity, "XLA_FLAGS": "--xla_gpu_deterministic_ops=true"}


def _jax_cache() -> Mapping[str, str]:
    """Return the variables that let JAX keep what it has compiled, for later processes; it computes the same, bit by bit.

    It goes into ``$XDG_CACHE_HOME/xval/jax`` (``~/.cache`` by default), apart for each kind of processor, because compiled code
    would end on another one. Where the user has chosen a folder, or it cannot be written, nothing is set.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return {}
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "xval" / "jax" / _processor()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, RuntimeError):  # RuntimeError: a user without a home
        return {}
    chosen = {
        "JAX_COMPILATION_CACHE_DIR": str(folder),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.3",
        "JAX_COMPILATION_CACHE_MAX_SIZE": str(_JAX_CACHE_BYTES),
    }
    return {name: value for name, value in chosen.items() if name not in os.environ}


@cache
def _processor() -> str:
    """Return a name for what this machine's processor can do."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    features = {line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))}
    described = [platform.machine(), platform.processor(), *sorted(features)]
    return blake2b("\n".join(described).encode(), digest_size=6).hexdigest()


def load_keras() -> None:
    """Import Keras and its backend without the lines that TensorFlow's libraries write to the standard error whatever is set.

    Raises:
        SettingsError: The backend cannot be imported; with what it wrote.
    """
    with tempfile.TemporaryFile() as written:
        sys.stderr.flush()
        kept = os.dup(2)
        os.dup2(written.fileno(), 2)
        try:
            importlib.import_module("keras")
        except ImportError as error:
            written.seek(0)
            text = written.read().decode(errors="replace")
            name = os.environ.get("KERAS_BACKEND", "tensorflow")
            raise SettingsError(f"the Keras backend {name} cannot be imported ({error}). {text}".rstrip()) from error
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)


def default_workers(threads: int) -> int:
    """Return how many CPU workers of so many threads the cores and the memory of this machine allow, at least one."""
    cores = count_cores()
    by_memory = cores
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        by_memory = int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (_GIB_PER_WORKER * 2**30))
    return max(1, min(cores // threads, by_memory))
