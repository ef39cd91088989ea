"""Name the processor that a benchmark runs on, and set the environment that measures as on one without AVX-512."""

import os
import platform
import sys
from pathlib import Path

# What is read by oneDNN (in TensorFlow and torch), torch's own kernels, XLA, and NumPy's products of matrices.
_AVX2 = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
}


def describe() -> str:
    """Return name and number of cores of this processor, and whether it computes with AVX-512."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    has_it = any("avx512f" in line.split() for line in lines if line.startswith("flags"))
    widest = "held to AVX2" if is_held() else "AVX-512" if has_it else "no AVX-512"
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores, {widest}"


def is_held() -> bool:
    """Return whether this process and those that it starts are held to AVX2."""
    return all(os.environ.get(name) == value for name, value in _AVX2.items())


def hold_to_avx2() -> None:
    """Begin this process anew, held to AVX2: libraries read the variables when they are loaded."""
    if not is_held():
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | _AVX2)  # noqa: S606 - this very script
