"""Choose the folder in which JAX caches compiled programs for later processes; its variables are set before the import."""

import os
import platform
import tempfile
from collections.abc import Mapping
from functools import cache
from hashlib import blake2b
from pathlib import Path

_CACHE_BYTES = 500 * 2**20


def jax_cache() -> Mapping[str, str]:
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
        "JAX_COMPILATION_CACHE_MAX_SIZE": str(_CACHE_BYTES),
    }
    return {name: value for name, value in chosen.items() if name not in os.environ}


@cache
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    features = {line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))}
    described = [platform.machine(), platform.processor(), *sorted(features)]
    return blake2b("\n".join(described).encode(), digest_size=6).hexdigest()
