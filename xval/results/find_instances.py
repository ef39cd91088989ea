"""Find the instances in a folder that a user names, with the records of the present settings and folds.

The folder is that of an experiment, an instance or a fold, or a folder of experiments.
"""

import re
from collections.abc import Collection, Iterable
from numbers import Integral
from pathlib import Path

from xval.base.errors import ResultsError, SettingsError
from xval.results.folder import ExperimentFolder, find_experiment, find_experiments
from xval.results.instance import InstanceResults
from xval.results.job_key import JobKey
from xval.results.named import read_ranges
from xval.results.open import open_results


def find_instances(
    folder: Path | ExperimentFolder, numbers: int | str | Iterable[int | str] | None = None
) -> list[InstanceResults]:
    """Return the instances in the folder of an experiment, of an instance, of a fold, or of several experiments.

    An open `ExperimentFolder` is not read again. With `numbers`, such as ``3``, ``"2-4"`` or ``[1, "3-5"]``, only these
    instances are read.

    Raises:
        ResultsError: An experiment is missing or damaged, or has no such instance.
        SettingsError: A number is not valid.
    """
    places: list[tuple[Path, ExperimentFolder, list[int], JobKey | None]]
    if isinstance(folder, ExperimentFolder):
        places = [(folder.path, folder, folder.instances(), None)]
    else:
        places = [(path, *_find_jobs(path)) for path in find_experiments(folder) or [folder]]
    instance_records: list[InstanceResults] = []
    for path, experiment, instances, chosen in places:
        if numbers is not None:
            begun = list(filter(experiment.has_begun, instances))
            chosen_numbers = _read_numbers(numbers, begun)
            if unknown := sorted(chosen_numbers - set(begun)):
                listed = ", ".join(map(str, begun)) or "none"
                raise ResultsError(f"{path}: there is no instance {', '.join(map(str, unknown))}. Available: {listed}.")
            instances = [number for number in instances if number in chosen_numbers]
        results = open_results(experiment)
        _ = results.folds  # an error if it cannot be read, also where no instance has begun
        instance_records += [results.instance(number, chosen) for number in instances if experiment.has_begun(number)]
    _refuse_same_experiment(instance_records)
    return instance_records


def _read_numbers(numbers: int | str | Iterable[int | str], begun: Collection[int]) -> set[int]:
    """Return the numbers that ``3``, ``"2-4"`` or ``[1, "3-5"]`` names; for a range, its ends and the started instances."""
    read: set[int] = set()
    for name in [numbers] if isinstance(numbers, str) or not isinstance(numbers, Iterable) else numbers:
        if isinstance(name, bool) or not isinstance(name, Integral | str):
            raise SettingsError(f"instances: received {name!r}; expected numbers, such as 3, '2-4' or [1, 3].")
        ranges = read_ranges("instances", name) if isinstance(name, str) else [(int(name), int(name))]
        for first, last in ranges:
            read |= {first, last, *(number for number in begun if first <= number <= last)}
    return read


def _find_jobs(path: Path) -> tuple[ExperimentFolder, list[int], JobKey | None]:
    """Return the experiment that a path belongs to, the instances of the path, and its job; None: all."""
    experiment = find_experiment(path)
    parts = path.resolve().relative_to(experiment.path.resolve()).parts
    if not parts:
        return experiment, experiment.instances(), None
    named = re.fullmatch(r"instance_(\d+)", parts[0])
    chosen = JobKey.from_folder(int(named.group(1)), parts[1]) if named and len(parts) == 2 else None
    if named is None or (parts[1:] and chosen is None):
        raise ResultsError(
            f"{path}: expected the folder of an experiment, an instance or a fold. The experiment is {experiment.path}."
        )
    return experiment, [int(named.group(1))], chosen


def _refuse_same_experiment(instances: Iterable[InstanceResults]) -> None:
    """Raise an error for two folders of one experiment, whose folds would count twice."""
    folders: dict[tuple[str, int], Path] = {}
    for instance in instances:
        name = instance.keys["dataset"], instance.keys["experiment"]
        first, path = folders.setdefault(name, instance.experiment.path), instance.experiment.path
        if first != path:
            raise ResultsError(f"{first} and {path} both have experiment {name[1]} of '{name[0]}'. Read them one by one.")
