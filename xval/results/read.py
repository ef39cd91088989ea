"""Read the files of an experiment, which may be missing, cut short or edited, and report damage."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from preprocessing.clips.parquet_files import Kind
from xval.base.errors import REMEDY, ResultsError
from xval.base.file_forms import describe_faults, form_of
from xval.base.item_word import written_out
from xval.base.json_files import read_hashed_json, read_json
from xval.base.operating_system import open_regular
from xval.base.size_limits import LARGEST_TABLE_BYTES
from xval.base.user_code.definitions import find_definition, has_module
from xval.base.user_code.identity import hash_definitions
from xval.base.user_code.modules import CellFolder, looking_in
from xval.folds.plan import FoldPlan
from xval.folds.predefined import SIDES
from xval.measures.task import Task, find_task
from xval.results.folder import ExperimentFolder
from xval.results.job_key import JobKey
from xval.results.record_form import find_faults
from xval.settings.parameters import describe_values, settings_among, settings_faults
from xval.settings.schema import Settings

Record = dict[str, Any]
"""The content of a record.json."""
Curves = Mapping[str, Sequence[float]]
"""The columns of a history.csv: epoch, loss, val_loss, ..., a value per epoch."""
PREDICTION_COLUMNS: dict[str, Kind] = {"item": "text", "clip": "text", "side": "text"}
"""The columns of every predictions.parquet."""


@dataclass(frozen=True)
class WrittenFolds:
    """The content of folds.json.

    Attributes:
        hash: The hash in the file, which differs from the computed one if the folds have been edited.
        repeat_hashes: The hash of each repeat in the file; records have the hash of the repeat of their fold.
        corrections: The facts about label corrections of the corpus; empty: there are none.
    """

    plan: FoldPlan
    hash: str
    repeat_hashes: Annotated[tuple[str, ...], Field(validation_alias="deal_hashes")]
    corrections: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reviewed_hash(self) -> str:
        """The hash of the corpus before corrections of its labels."""
        return str(self.corrections.get("of_index", self.plan.index_hash))

    @property
    def numbers(self) -> list[int]:
        """The numbers of the folds."""
        return [fold.number for fold in self.plan.folds]

    def hash_of(self, number: int) -> str:
        """Return the hash in the file of the repeat of a fold; empty: there is no such fold."""
        fold_repeat = self.plan.fold_repeat_of(number)
        return self.repeat_hashes[fold_repeat - 1] if fold_repeat else ""


_AS_THE_CORPUS: tuple[object, ...] = ("auto", None)  # None: of results that are older than the setting


def choose_item_word(setting: object, corpus_word: str) -> str:
    """Return the word for an item: the setting ``item_name``, or else the word of the corpus; empty: not known."""
    return written_out(corpus_word) if setting in _AS_THE_CORPUS else str(setting)


class WrittenInstance(BaseModel):
    """The content of settings.json.

    Attributes:
        parameters: Every setting and every option of the architecture, by name.
        sources: The origin of each parameter.
        cautions: Cautions about its corpus and features; see preprocessing/quality/cautions.py.
        own_folders: The folders of the user's modules.
        shared_columns: The columns of its corpus with a value on two sides of a fold; see xval/folds/shared_columns.py.
        item_name: The word for an item in the corpus; empty: not known.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    path: Path
    instance: int
    description: str
    settings_hash: str
    parameters: dict[str, object]
    sources: dict[str, str]
    cautions: list[str] = []
    own_folders: list[str] = []
    item_name: str = ""
    shared_columns: list[dict[str, Any]] = []

    @property
    def item_word(self) -> str:
        """The word for an item: the setting ``item_name``, or else the word of the corpus; empty: not known."""
        return choose_item_word(self.parameters.get("item_name"), self.item_name)

    @cached_property
    def settings(self) -> Settings:
        """The settings among the parameters."""
        return settings_among(self.parameters, self.path)

    @cached_property
    def task(self) -> Task:
        """The task of its models."""
        return find_task(self.settings.task_type, str(self.parameters.get("label_form", "multi_class")))

    def present_code(self) -> dict[str, str]:
        """Return the hashes of the user's code now, as from `hash_definitions`.

        Raises:
            SettingsError: A module is not found, or cannot be read.
        """
        with looking_in(self.own_folders):
            parts = self.settings.own_parts()
            for path in parts:
                if not has_module(path.rpartition(".")[0]):
                    find_definition(path)  # an error that says where it was looked for
            return hash_definitions(parts)


def read_folds(folder: ExperimentFolder) -> WrittenFolds:
    """Return the folds of an experiment; all but their hashes is checked."""
    written = read_json(folder.folds_file)
    if written is None:
        raise ResultsError(f"{folder.folds_file}: missing.")
    try:
        plan = form_of(FoldPlan).validate_python(written)
        folds = form_of(WrittenFolds).validate_python({"deal_hashes": [written.get("hash")], **written, "plan": plan})
    except ValidationError as error:
        raise _no_folds(folder, describe_faults(error)) from error
    if not any(getattr(fold, side) for fold in plan.folds for side in SIDES) or min(folds.numbers) < 1:
        raise _no_folds(folder, "no folds")
    n_folds, n_hashes, n_repeats = len(plan.folds), len(folds.repeat_hashes), plan.settings.get("fold_repeats", 1)
    if not isinstance(n_repeats, int) or n_repeats != n_hashes or n_repeats < 1 or n_folds % n_repeats:
        raise _no_folds(folder, f"{n_folds} folds and {n_hashes} hashes of {n_repeats!r:.20} repeats")
    return folds


def _no_folds(folder: ExperimentFolder, fault: str) -> ResultsError:
    return ResultsError(
        f"{folder.folds_file}: cannot be read as the folds of an experiment ({fault}). Restore the file from a backup, or move "
        "the experiment's folder away and run it again."
    )


def read_settings(folder: ExperimentFolder, instance: int) -> WrittenInstance:
    """Return settings.json of an instance with checked parameters."""
    where = folder.instance_folder(instance) / "settings.json"
    content = folder.settings(instance)
    if content is None:
        raise ResultsError(f"{where}: missing. Run the script again, which writes it if the settings are still the same.")
    try:
        written = WrittenInstance.model_validate(content | {"path": where})
    except ValidationError as error:
        wrong = describe_values(content, dict.fromkeys(str(fault["loc"][0]) for fault in error.errors()))
        raise ResultsError(
            f"{where}: cannot be read as the settings of an instance ({wrong}). Delete it; running the script writes it again."
        ) from error
    if faults := settings_faults(written.parameters):
        raise ResultsError(f"{where}: damaged, its settings have {faults}. Delete it; running the script writes it again.")
    return written.model_copy(update={"own_folders": own_folders_in(content, folder)})


def read_record(folder: ExperimentFolder, key: JobKey) -> tuple[Record | None, str]:
    """Return the record of a job, or None if the job has not ended; and its identity."""
    where = folder.fold_folder(*key) / "record.json"
    record, record_hash = read_hashed_json(where)
    if record is None:
        return None, ""
    record.setdefault("repeat", 1)  # what was written before there were repeats
    if faults := find_faults(record):
        raise ResultsError(f"{where}: cannot be read as the record of a fold ({faults}). {REMEDY}")
    if JobKey.of(record) != key:
        raise ResultsError(f"{where}: it is the record of another job, {JobKey.of(record)}. {REMEDY}")
    return record, record_hash


def requested_metrics(folder: ExperimentFolder) -> list[str]:
    """Return the metrics that were requested after training: names of metrics of the task, and dotted paths."""
    try:
        content = read_json(folder.added_metrics) or {"metrics": []}
    except ResultsError:
        content = {}
    names = content.get("metrics")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ResultsError(
            f"{folder.added_metrics}: damaged. Delete it and add the metrics again: xval add-metrics {folder.path} NAME."
        )
    return names


def own_folders_in(settings: Mapping[str, Any] | None, folder: ExperimentFolder) -> list[str]:
    """Return the folders of the user's modules in the content of a settings.json, and the folder of notebook cells, if any.

    The latter is in the folder of the results, which may have been moved.
    """
    folders = (settings or {}).get("own_folders")
    named = list(map(str, folders)) if isinstance(folders, list) else []
    return [*dict.fromkeys([*([CellFolder(folder.cells.resolve())] if folder.cells.is_dir() else []), *named])]


def fitted_sides(record: Record) -> list[str]:
    """Return the sides on whose items a model was fitted; for an estimator also validation, with out-of-fold predictions."""
    return list(record.get("fitted_to", ["training"]))


def read_history(path: Path, *needed: str) -> dict[str, list[float]]:
    """Return the columns of a history.csv, empty if there is no epoch; required columns must exist.

    Raises:
        OSError: The file is missing or cannot be read.
        ResultsError: It is damaged.
    """
    try:
        with open_regular(path, LARGEST_TABLE_BYTES) as file, io.TextIOWrapper(file, encoding="utf-8", newline="") as text:
            names, *rows = [row for row in csv.reader(text) if row] or [[]]
        if not rows:
            return {}
        columns = {name: list(map(float, column)) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    except (ValueError, csv.Error) as error:
        raise ResultsError(f"{path}: damaged ({error}).") from error
    if missing := [name for name in ("epoch", *needed) if name not in columns]:
        raise ResultsError(f"{path}: damaged (no column '{missing[0]}').")
    if columns["epoch"] != list(range(1, len(rows) + 1)):
        raise ResultsError(f"{path}: damaged (its epochs are not 1, 2, 3 ...).")
    return columns
