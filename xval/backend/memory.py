"""How much memory this process uses."""

import resource
import sys
from pathlib import Path


def peak_memory_mb() -> float:
    """Return the largest resident memory that this process has had (MB)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)


def memory_mb() -> float:
    """Return the resident memory that this process has now (MB); the peak where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return peak_memory_mb()
    return round(pages * resource.getpagesize() / 2**20, 1)
