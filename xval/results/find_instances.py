"""Find the instances in a folder that a user names, with the records of their present settings and folds.

The folder is that of an experiment, an instance or a fold, or a folder of experiments.
"""

import re
from collections.abc import Collection, Iterable
from pathlib import Path

from xval.base.errors import ResultsError
from xval.results.folder import ExperimentFolder, find_experiment, find_experiments
from xval.results.instance import InstanceResults
from xval.results.job_key import JobKey
from xval.results.open import open_results


def find_instances(folder: Path | ExperimentFolder, numbers: Collection[int] | None = None) -> list[InstanceResults]:
    """Return the instances in a folder: of an experiment, of an instance or a fold in it, or of several experiments.

    An `ExperimentFolder` that is open already is not read again. Where `numbers` are given, only these instances are read.
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
            if unknown := sorted(set(numbers) - set(begun)):
                listed = ", ".join(map(str, begun)) or "none"
                raise ResultsError(f"{path}: there is no instance {', '.join(map(str, unknown))}. Available: {listed}.")
            instances = [number for number in instances if number in numbers]
        results = open_results(experiment)
        _ = results.folds  # an error if it cannot be read, also where no instance has begun
        instance_records += [results.instance(number, chosen) for number in instances if experiment.has_begun(number)]
    _refuse_same_experiment(instance_records)
    return instance_records


def _find_jobs(path: Path) -> tuple[ExperimentFolder, list[int], JobKey | None]:
    """Return the experiment that a path belongs to, the instances in the path, and its job; None: all."""
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
    """Refuse two folders of one experiment, whose folds would count twice."""
    folders: dict[tuple[str, int], Path] = {}
    for instance in instances:
        name = instance.keys["dataset"], instance.keys["experiment"]
        first, path = folders.setdefault(name, instance.experiment.path), instance.experiment.path
        if first != path:
            raise ResultsError(f"{first} and {path} both have experiment {name[1]} of '{name[0]}'. Read them one by one.")
