"""Which jobs of experiments are done, which failed and which are missing.

Comes in: the folder of an experiment, an instance or a fold, or a folder of experiments. Goes out: an `InstanceRecords` for
each instance, with the records of its present settings and folds.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xval.base.errors import REMEDY, ResultsError
from xval.results.added_figures import merge_added
from xval.results.folder import ExperimentFolder, find_experiment
from xval.results.job_key import JobKey, job_keys
from xval.results.read import Record, WrittenInstance, is_current, read_folds, read_record, read_settings

# Where experiments lie below the folder that a user names: an experiment, its parent, results/, or a folder of such.
_BELOW = ("folds.json", "*/folds.json", "*/*/folds.json", "*/*/*/folds.json")


@dataclass(frozen=True)
class InstanceRecords:
    """The jobs of an instance.

    Attributes:
        experiment: The experiment of the instance.
        written: The content of its settings.json.
        wanted: The jobs that were asked for.
        done: The records of finished jobs.
        failed: The records of failed jobs.
    """

    experiment: ExperimentFolder
    written: WrittenInstance
    wanted: tuple[JobKey, ...]
    done: Mapping[JobKey, Record]
    failed: Mapping[JobKey, Record]

    @property
    def number(self) -> int:
        """Number of the instance."""
        return self.written.instance

    @property
    def keys(self) -> dict[str, Any]:
        """The columns that identify the instance."""
        settings = self.written.settings
        return {"dataset": settings.dataset, "experiment": settings.num_experiment, "instance": self.number}

    def not_done(self) -> list[dict[str, Any]]:
        """Return the keys, status (failed or missing) and error of each wanted job that is not done."""
        found = []
        for key in self.wanted:
            if key not in self.done:
                status, error = ("failed", self.failed[key]["error"]) if key in self.failed else ("missing", None)
                found.append(self.keys | key._asdict() | {"status": status, "error": error})
        return found


def find_instances(folder: Path, numbers: Collection[int] | None = None) -> list[InstanceRecords]:
    """Return the instances in a folder.

    Args:
        folder: Of an experiment, or of an instance or a fold in it, or of several experiments.
        numbers: Read only these instances.

    Raises:
        ResultsError: There is no experiment, a number is unknown, a file is missing or damaged, or two folders hold the same
            experiment.
    """
    places = _BELOW[:1] if (folder / "folds.json").is_file() else _BELOW  # below an experiment lies none
    below = sorted({path.parent for pattern in places for path in folder.glob(pattern)}, key=_natural)
    found: list[InstanceRecords] = []
    for path in below or [folder]:
        experiment, instances, chosen = _find_jobs(path)
        if numbers is not None:
            begun = list(filter(experiment.has_begun, instances))
            if unknown := sorted(set(numbers) - set(begun)):
                listed = ", ".join(map(str, begun)) or "none"
                raise ResultsError(f"{path}: no instance {', '.join(map(str, unknown))}. Available: {listed}.")
            instances = [number for number in instances if number in numbers]
        found += _read_instances(experiment, instances, chosen)
    _refuse_same_experiment(found)
    return found


def _find_jobs(path: Path) -> tuple[ExperimentFolder, list[int], JobKey | None]:
    """Return the experiment that a path belongs to, the instances in the path, and its job; None: all."""
    experiment = find_experiment(path)
    parts = path.resolve().relative_to(experiment.path.resolve()).parts
    if not parts:
        return experiment, experiment.instances(), None
    named = re.fullmatch(r"instance_(\d+)", parts[0])
    chosen = JobKey.of_folder(int(named.group(1)), parts[1]) if named and len(parts) == 2 else None
    if named is None or (parts[1:] and chosen is None):
        raise ResultsError(
            f"{path}: wanted is the folder of an experiment, an instance or a fold. The experiment is {experiment.path}."
        )
    return experiment, [int(named.group(1))], chosen


def _read_instances(experiment: ExperimentFolder, numbers: Iterable[int], chosen: JobKey | None) -> Iterator[InstanceRecords]:
    folds = read_folds(experiment)
    for number in numbers:
        if not experiment.has_begun(number):
            continue
        present, written = experiment.jobs(number), read_settings(experiment, number)
        wanted = {chosen} if chosen else set(job_keys(number, folds.numbers, written.settings.repeats))
        current: dict[JobKey, Record] = {}
        for key in present:
            if key not in wanted and (chosen or key.fold not in folds.numbers):
                continue
            record = read_record(experiment, key)
            if record is None:
                raise ResultsError(f"{experiment.fold_folder(*key)}: has no record.json. {REMEDY}")
            if is_current(record, written.settings_hash, folds.hash_of(key.fold)):
                current[key] = record
        current = merge_added(experiment, number, current)
        yield InstanceRecords(
            experiment,
            written,
            tuple(sorted(wanted)),
            {key: record for key, record in current.items() if record["status"] == "done"},
            {key: record for key, record in current.items() if record["status"] == "failed"},
        )


def _refuse_same_experiment(instances: Iterable[InstanceRecords]) -> None:
    """Refuse two folders of one experiment, whose folds would count twice."""
    folders: dict[tuple[str, int], Path] = {}
    for instance in instances:
        name = instance.keys["dataset"], instance.keys["experiment"]
        first, path = folders.setdefault(name, instance.experiment.path), instance.experiment.path
        if first != path:
            raise ResultsError(f"{first} and {path} both hold experiment {name[1]} of '{name[0]}'. Read them one by one.")


def _natural(path: Path) -> tuple[Any, ...]:
    """Return a key that sorts experiment_2 before experiment_10."""
    parts = re.split(r"(\d+)", str(path))
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts)
