"""Which folds of experiments are done, which failed and which are missing, for those who read results again.

Comes in: the folder of an experiment, an instance or a fold, or one that holds several experiments. Goes out: an
`InstanceRecords` for each instance, with the records that are of its present settings and folds.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from xval.errors import ResultsError
from xval.json_files import Record
from xval.results.folder import ExperimentFolder, find_experiment
from xval.results.read import is_current, read_folds, read_record, read_settings

T = TypeVar("T")
# An experiment may lie this far below a folder that a user names: its parent, results/, or a folder of such.
_BELOW = ("folds.json", "*/folds.json", "*/*/folds.json", "*/*/*/folds.json")
_REMEDY = "Move its folder away to run that part again."


@dataclass(frozen=True)
class InstanceRecords:
    """What is known of an instance.

    Attributes:
        experiment: Whose it is.
        number: Its number.
        parameters: Every parameter and option with its value.
        wanted: The folds that were asked for.
        done: The records of those that are finished, by number.
        failed: The records of those that failed, by number.
    """

    experiment: ExperimentFolder
    number: int
    parameters: Mapping[str, Any]
    wanted: tuple[int, ...]
    done: Mapping[int, Record]
    failed: Mapping[int, Record]

    @property
    def keys(self) -> dict[str, Any]:
        """The columns that say which instance this is."""
        path = self.experiment.instance_folder(self.number) / "settings.json"
        return {
            "dataset": expect(self.parameters, "dataset", str, path),
            "experiment": expect(self.parameters, "num_experiment", int, path),
            "instance": self.number,
        }

    def fold_folder(self, fold: int) -> Path:
        """Return the folder of a fold."""
        return self.experiment.fold_folder(self.number, fold)

    def not_done(self) -> list[dict[str, Any]]:
        """Return the keys, status (failed or missing) and error of each wanted fold that is not done."""
        return [
            self.keys | {"fold": fold, "status": "failed", "error": self.failed[fold]["error"]}
            if fold in self.failed
            else self.keys | {"fold": fold, "status": "missing", "error": None}
            for fold in self.wanted
            if fold not in self.done
        ]


def find_instances(folder: Path, numbers: Collection[int] | None = None) -> list[InstanceRecords]:
    """Return the instances that a folder means.

    Args:
        folder: Of an experiment, or of an instance or a fold in it, or of several experiments.
        numbers: Read these instances alone.

    Raises:
        ResultsError: There is no experiment, none of its instances has one of the numbers, a file is missing or damaged, or two
            folders hold the same experiment.
    """
    below = sorted({path.parent for pattern in _BELOW for path in folder.glob(pattern)}, key=_natural)
    found: list[InstanceRecords] = []
    for path in below or [folder]:
        experiment, instances, folds = _find_jobs(path)
        if numbers is not None:
            if unknown := sorted(set(numbers) - set(instances)):
                listed = ", ".join(map(str, instances)) or "none"
                raise ResultsError(f"{path}: no instance {', '.join(map(str, unknown))}. Available: {listed}.")
            instances = [number for number in instances if number in numbers]
        found += _read_instances(experiment, instances, folds)
    _refuse_twins(found)
    return found


def expect(content: Mapping[str, Any], key: str, kind: type[T], path: Path) -> T:
    """Return a value of a file that was read.

    Raises:
        ResultsError: It is not there, or of another kind.
    """
    value = content.get(key)
    if not isinstance(value, kind):
        found = f"{value!r:.40}" if key in content else "missing"
        raise ResultsError(f"{path}: damaged, '{key}' is {found}. {_REMEDY}")
    return value


def _find_jobs(path: Path) -> tuple[ExperimentFolder, list[int], tuple[int, ...]]:
    """Return the experiment that a path belongs to, and the instances and folds that it means; no folds: all."""
    experiment = find_experiment(path)
    parts = path.resolve().relative_to(experiment.path.resolve()).parts
    if not parts:
        return experiment, experiment.instances(), ()
    named = re.fullmatch(r"instance_(\d+)(?:/fold_(\d+))?", "/".join(parts))
    if named is None:
        raise ResultsError(
            f"{path}: wanted is the folder of an experiment, an instance or a fold. The experiment is {experiment.path}."
        )
    return experiment, [int(named.group(1))], (int(named.group(2)),) if named.group(2) else ()


def _read_instances(experiment: ExperimentFolder, numbers: Iterable[int], chosen: tuple[int, ...]) -> Iterator[InstanceRecords]:
    folds = read_folds(experiment)
    wanted = chosen or tuple(folds.numbers)
    for number in numbers:
        present = experiment.folds(number)
        if not present and experiment.settings(number) is None:
            continue  # a run is just beginning it
        settings = read_settings(experiment, number)
        current: dict[int, Record] = {}
        for fold in sorted(set(present) & set(wanted)):
            record = read_record(experiment, number, fold)
            if record is None:
                raise ResultsError(f"{experiment.fold_folder(number, fold)}: has no record.json. {_REMEDY}")
            if is_current(record, settings["settings_hash"], folds.hash):
                current[fold] = record
        yield InstanceRecords(
            experiment,
            number,
            settings["parameters"],
            wanted,
            {fold: record for fold, record in current.items() if record["status"] == "done"},
            {fold: record for fold, record in current.items() if record["status"] == "failed"},
        )


def _refuse_twins(instances: Iterable[InstanceRecords]) -> None:
    """Refuse two folders of one experiment, whose folds would count twice."""
    homes: dict[tuple[str, int], Path] = {}
    for instance in instances:
        name = instance.keys["dataset"], instance.keys["experiment"]
        home = homes.setdefault(name, instance.experiment.path)
        if home != instance.experiment.path:
            raise ResultsError(
                f"{home} and {instance.experiment.path} both hold experiment {name[1]} of '{name[0]}'. Read them one by one."
            )


def _natural(path: Path) -> tuple[Any, ...]:
    """Return a key that sorts experiment_2 before experiment_10."""
    parts = re.split(r"(\d+)", str(path))
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts)
