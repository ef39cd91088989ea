"""Read the files of an experiment, and say what is wrong with one that is damaged.

Comes in: a results folder, in which anything may be missing, cut off or edited. Goes out: folds, settings and records that have
all that others count on, or a `ResultsError` that names the file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from xval.errors import ResultsError
from xval.folds.split import SIDES, FoldPlan
from xval.json_files import Record, read_json
from xval.results.folder import ExperimentFolder

_Kinds = Mapping[str, type | tuple[type, ...]]

_SETTINGS: _Kinds = {"instance": int, "description": str, "settings_hash": str, "parameters": dict, "sources": dict}
_RECORD: _Kinds = {
    "status": str, "instance": int, "fold": int, "settings_hash": str, "code_hash": str, "folds_hash": str, "store": str,
    "seed": int, "items": dict, "seconds": (int, float),
}  # fmt: skip
_DONE: _Kinds = {
    "metrics": dict, "clip_metrics": dict, "item_metrics": dict, "chance": dict, "n_examples": dict,
    "n_parameters": (int, type(None)),
}  # fmt: skip
_FAILED: _Kinds = {"error": str}
_REMEDY = "Move its folder away to run that part again."


@dataclass(frozen=True)
class WrittenFolds:
    """The content of folds.json.

    Attributes:
        plan: The folds.
        hash: The hash that stands there, which need not be that of the folds if they have been edited.
    """

    plan: FoldPlan
    hash: str

    @property
    def numbers(self) -> list[int]:
        """The numbers of the folds."""
        return [fold.number for fold in self.plan.folds]


def read_folds(folder: ExperimentFolder) -> WrittenFolds:
    """Return the folds of an experiment.

    Raises:
        ResultsError: folds.json is missing, no JSON, of a newer format, or lacks something.
    """
    written = read_json(folder.folds_file)
    if written is None:
        raise ResultsError(f"{folder.folds_file}: missing.")
    try:
        found = WrittenFolds(FoldPlan.from_dict(written), str(written["hash"]))
        names = [item for fold in found.plan.folds for side in SIDES for item in getattr(fold, side)]
        if not names or not all(isinstance(name, str) for name in names) or not all(map(_is_number, found.numbers)):
            raise ValueError("no folds")  # noqa: TRY301 - worded below
    except (KeyError, TypeError, ValueError) as error:
        raise ResultsError(
            f"{folder.folds_file}: does not hold the folds of an experiment ({error!r}). Put back the file of a backup, or "
            "move the experiment's folder away and run it again."
        ) from error
    return found


def read_settings(folder: ExperimentFolder, instance: int) -> Record:
    """Return settings.json of an instance.

    Raises:
        ResultsError: It is missing, no JSON, of a newer format, or something in it is missing or of a wrong type.
    """
    where = folder.instance_folder(instance) / "settings.json"
    found = folder.settings(instance)
    if found is None:
        raise ResultsError(f"{where}: missing. A run of the script writes it again, if the settings are still the same.")
    if wrong := _wrong(found, _SETTINGS):
        raise ResultsError(
            f"{where}: no settings of an instance, it has {wrong}. Delete it; a run of the script writes it again."
        )
    return found


def read_record(folder: ExperimentFolder, instance: int, fold: int) -> Record | None:
    """Return the record of a job, or None where it has not run to its end.

    Raises:
        ResultsError: It is no JSON, of a newer format or of another job, or something in it is missing or of a wrong type.
    """
    found = folder.record(instance, fold)
    if found is None:
        return None
    where = folder.fold_folder(instance, fold) / "record.json"
    status = found.get("status")
    if status not in ("done", "failed"):
        raise ResultsError(f"{where}: no record of a fold, it has status={status!r:.40}. {_REMEDY}")
    if wrong := _wrong(found, {**_RECORD, **(_DONE if status == "done" else _FAILED)}):
        raise ResultsError(f"{where}: no record of a fold, it has {wrong}. {_REMEDY}")
    if (found["instance"], found["fold"]) != (instance, fold):
        raise ResultsError(f"{where}: the record of instance {found['instance']}, fold {found['fold']}. {_REMEDY}")
    models = found.get("models", [])
    if not isinstance(models, list) or not all(isinstance(model, dict) for model in models):
        raise ResultsError(f"{where}: no record of a fold, it has models={models!r:.40}. {_REMEDY}")
    sides = [side for side in SIDES if not isinstance(found["items"].get(side), list)]
    if sides:
        raise ResultsError(f"{where}: no record of a fold, it names no {sides[0]} items. {_REMEDY}")
    return found


def read_records(folder: ExperimentFolder, instance: int) -> tuple[dict[int, Record], dict[int, str]]:
    """Return the records of an instance by their folds, and what is wrong with those that cannot be read."""
    records, damaged = {}, {}
    for fold in folder.folds(instance):
        try:
            record = read_record(folder, instance, fold)
        except (ResultsError, OSError) as error:
            damaged[fold] = str(error)
        else:
            if record is not None:
                records[fold] = record
    return records, damaged


def _is_number(value: object) -> bool:
    return isinstance(value, int) and value > 0


def _wrong(found: Mapping[str, Any], wanted: _Kinds) -> str:
    """Return the names that are missing or of a wrong type, with what they have."""
    wrong = [name for name, kind in wanted.items() if name not in found or not isinstance(found[name], kind)]
    return ", ".join(f"{name}={found[name]!r:.40}" if name in found else f"no {name}" for name in wrong)


def is_current(record: Mapping[str, Any], settings_hash: str, folds_hash: str) -> bool:
    """Return whether a record was made with these settings on these folds."""
    return bool((record["settings_hash"], record["folds_hash"]) == (settings_hash, folds_hash))


def done_records(folder: ExperimentFolder, instance: int, folds: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Return the records of the finished folds of an instance, by their number."""
    records = {fold: folder.record(instance, fold) for fold in folds}
    return {fold: record for fold, record in records.items() if record and record["status"] == "done"}
