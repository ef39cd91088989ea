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
    """Return the environment variables that let JAX cache compiled programs for later processes; results stay the same.

    The cache is in ``$XDG_CACHE_HOME/xval/jax`` (``~/.cache/xval/jax`` by default), in a separate folder for each kind of
    processor, because code compiled for one may crash on another. The result is empty if the user has chosen a folder
    (JAX_COMPILATION_CACHE_DIR), or if the folder cannot be written.
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
