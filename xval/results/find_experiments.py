"""Find the experiments (folders with a folds.json) at or below a folder that a user names, such as results/."""

import os
import re
from pathlib import Path
from typing import Any

_LEVELS = 3  # a lab's folder has results/, this has corpora, and these have experiments


def find_experiments(folder: Path, levels: int = _LEVELS) -> list[Path]:
    """Return the folders of experiments in a folder or up to some levels below it, experiment_2 before experiment_10.

    Within an experiment is no other. Hidden folders, and those that may not be read, are left out.
    """
    return sorted(_walk(str(folder), levels), key=_natural)


def _walk(folder: str, levels: int) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            inside = list(entries)
        if any(entry.name == "folds.json" and entry.is_file() for entry in inside):
            return [Path(folder)]
        below = [entry.path for entry in inside if levels and not entry.name.startswith(".") and entry.is_dir()]
    except OSError:
        return []
    return [experiment for path in below for experiment in _walk(path, levels - 1)]


def _natural(path: Path) -> tuple[Any, ...]:
    parts = re.split(r"(\d+)", str(path))
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts)
