"""How a model is named: ``EXPERIMENT[:N]``, the folder of an experiment and the number of one of its instances.

Every command and function that takes such a name reads it here. Without ``:N`` the name means the instance that validation
selects, or all of them, as each says.
"""

import re
from pathlib import Path
from typing import NamedTuple

from xval.base.errors import ResultsError
from xval.results.folder import ExperimentFolder, find_experiment

_NAME = re.compile(r"(?:(?P<path>.+):)?(?P<which>\d+|nested|selected)")
_INSTANCE = re.compile(r"instance_(\d+)")


class Named(NamedTuple):
    """An experiment, and one of its instances; None: none was named."""

    experiment: ExperimentFolder
    number: int | None


def split_name(text: str | Path) -> tuple[str | None, str | None]:
    """Return the path and the instance of ``PATH:3``, ``PATH:nested``, ``3`` or ``PATH``; None for what it does not have.

    A path that exists is a path, whatever its name ends in.
    """
    match = _NAME.fullmatch(str(text))
    if match is None or (match["path"] and Path(text).exists()):
        return str(text), None
    return match["path"], match["which"].lstrip("0") or match["which"]


def find_named(text: str | Path) -> Named:
    """Return what ``EXPERIMENT[:N]`` names, whether or not there is such an instance.

    A path that lies in the folder of an instance names that instance.

    Raises:
        ResultsError: There is no such experiment.
    """
    path, which = split_name(text)
    if path is not None and which is not None and which.isdecimal():
        return Named(find_experiment(Path(path)), int(which))
    experiment = find_experiment(Path(text))
    inside = Path(text).resolve().relative_to(experiment.path.resolve()).parts
    match = _INSTANCE.fullmatch(inside[0]) if inside else None
    return Named(experiment, int(match[1]) if match else None)


def model_path(text: str | Path) -> Path:
    """Return the folder of the instance that ``EXPERIMENT:N`` names; any other path as it is.

    Raises:
        ResultsError: There is no such experiment, or no such instance of it.
    """
    path, which = split_name(text)
    if path is None or which is None or not which.isdecimal():
        return Path(text)
    experiment, number = find_named(text)
    if number not in experiment.instances():
        listed = ", ".join(map(str, experiment.instances())) or "none"
        raise ResultsError(f"{text}: no instance {number}. Available: {listed}.")
    return experiment.instance_folder(int(which))
