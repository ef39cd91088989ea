"""Instances times folds: the jobs, and which of them are done already.

Comes in: resolved instances, the fold plan, and the results folder. Goes out: a `Plan` with frozen jobs to run. A plan that
contradicts what the folder holds is refused here, before anything is trained.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from preprocessing import corpus
from xval.errors import FoldsError, ResultsError
from xval.folds.split import Fold, FoldPlan, make_folds
from xval.jobs.refit import Refit
from xval.jobs.written_settings import differences
from xval.json_files import FORMAT_VERSION, read_json, write_if_changed, write_json
from xval.results.folder import ExperimentFolder
from xval.saved_models.initial import has_changed
from xval.settings.resolve import Instance, hash_parameters
from xval.settings.schema import FOLD_KEYS


@dataclass(frozen=True)
class Job:
    """One fold of one instance, as plain values: it can be written to a file and run anywhere.

    Attributes:
        experiment_folder: Where its results go.
        code_folder: The snapshot of the code that it belongs to.
        store_folder: The feature store that it reads.
        instance: The number of the instance.
        fold: Its items.
        parameters: Every parameter and option.
        option_names: Which of the parameters are options of the architecture.
        settings_hash: Of the parameters that can change a result.
        folds_hash: Of all folds of the experiment.
        seed: Of weights, dropout and shuffling; the same for a fold in every instance.
        refit: How to train on all items, without validation and test; None: as the fold says.
    """

    experiment_folder: str
    code_folder: str
    store_folder: str
    instance: int
    fold: Fold
    parameters: dict[str, Any]
    option_names: tuple[str, ...]
    settings_hash: str
    folds_hash: str
    seed: int
    refit: Refit | None = None

    @property
    def code_hash(self) -> str:
        """The hash that names the code snapshot."""
        return Path(self.code_folder).name

    def to_dict(self) -> dict[str, Any]:
        """Return the job as plain values, which JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Job":
        """Return the job of what `to_dict` gave, also when it has been through JSON."""
        values = dict(values)
        fold = values.pop("fold")
        sides = {name: tuple(fold[name]) for name in ("training", "validation", "test")}
        option_names = tuple(values.pop("option_names"))
        refit = Refit.from_dict(found) if (found := values.pop("refit", None)) else None
        return cls(fold=Fold(number=fold["number"], **sides), option_names=option_names, refit=refit, **values)


@dataclass(frozen=True)
class Plan:
    """What a command will do.

    Attributes:
        folder: The results folder.
        folds: The folds of the experiment.
        instances: The chosen instances.
        chosen_folds: The numbers of the folds to run.
        to_do: (instance number, fold number) of every job that is not done.
        done: The same of every job that is.
    """

    folder: ExperimentFolder
    folds: FoldPlan
    instances: Sequence[Instance]
    chosen_folds: tuple[int, ...]
    to_do: list[tuple[int, int]] = field(default_factory=list)
    done: list[tuple[int, int]] = field(default_factory=list)


def load_folds(folder: ExperimentFolder, settings: Mapping[str, Any], dataset: str, data_folder: Path) -> FoldPlan:
    """Return the folds of an experiment: those written in its folder while they still hold, or new ones.

    Args:
        folder: The results folder; folds.json is read from it.
        settings: The fold settings and task_type; folds that were written for another task are dealt anew.
        dataset: Name of the corpus.
        data_folder: Where corpora lie.

    Returns:
        The folds; nothing is written.

    Raises:
        CorpusError: The corpus is missing.
        FoldsError: The items cannot be split as asked.
    """
    wanted = {key: settings[key] for key in (*FOLD_KEYS, "task_type")}
    fingerprint = corpus.fingerprint(dataset, data_folder)
    written = read_json(folder.folds_file)
    if written and written["settings"] == wanted and written["corpus_fingerprint"] == fingerprint:
        return FoldPlan.from_dict(written)
    opened = corpus.open_corpus(dataset, data_folder)
    if settings["task_type"] not in ("representation", opened.task_type):  # features are learned from any corpus
        raise FoldsError(
            f"dataset '{dataset}' was prepared for {opened.task_type}, the experiment does {settings['task_type']}. "
            f"Set Experiment(task_type='{opened.task_type}'), give --set task_type={opened.task_type}, or prepare the corpus "
            f"with --task-type {settings['task_type']}."
        )
    return make_folds(opened.index, opened.index_hash, task_type=settings["task_type"], settings=wanted)


def write_folds(folder: ExperimentFolder, folds: FoldPlan, dataset: str, data_folder: Path) -> None:
    """Write folds.json, before any training.

    Raises:
        OSError: The disk is full or not writable.
    """
    content = {
        "format_version": FORMAT_VERSION,
        "hash": folds.hash,
        "index_hash": folds.index_hash,
        "corpus_fingerprint": corpus.fingerprint(dataset, data_folder),
        "settings": dict(folds.settings),
        "folds": [asdict(fold) for fold in folds.folds],
    }
    if read_json(folder.folds_file) != json.loads(json.dumps(content)):
        write_json(folder.folds_file, content)


def write_settings(folder: ExperimentFolder, instance: Instance, description: str, script: str = "") -> None:
    """Write settings.json of an instance: every parameter, and where it came from.

    Args:
        folder: The results folder.
        instance: The instance.
        description: Of the experiment.
        script: The script that declares it, as its user typed it.

    Raises:
        OSError: The disk is full or not writable.
    """
    content = {
        "format_version": FORMAT_VERSION,
        "instance": instance.number,
        "description": description,
        "script": script,
        "settings_hash": instance.settings_hash,
        "parameters": instance.parameters,
        "sources": instance.sources,
    }
    folder.instance_folder(instance.number).mkdir(parents=True, exist_ok=True)
    write_if_changed(folder.instance_folder(instance.number) / "settings.json", content)


def make_plan(
    folder: ExperimentFolder,
    instances: Sequence[Instance],
    folds: FoldPlan,
    *,
    fold_numbers: Collection[int] | None = None,
    overwrite: bool = False,
) -> Plan:
    """Find which jobs are done and which are to do.

    Args:
        folder: The results folder.
        instances: The chosen instances.
        folds: The folds of the experiment.
        fold_numbers: Only these folds; all when omitted.
        overwrite: Finished results of the chosen jobs are to be replaced.

    Returns:
        The plan; nothing is written.

    Raises:
        FoldsError: A fold number does not exist.
        ResultsError: Finished results under these numbers were made with other settings or folds and are not to be replaced.
    """
    available = [fold.number for fold in folds.folds]
    chosen = sorted(available if fold_numbers is None else set(fold_numbers))
    missing = sorted(set(chosen) - set(available))
    if missing:
        raise FoldsError(f"no fold {', '.join(map(str, missing))}. Available: 1-{available[-1]}.")
    plan = Plan(folder, folds, instances, tuple(chosen))
    faults: list[str] = []
    replaced = {instance.number for instance in instances} if overwrite and fold_numbers is None else set()
    _refuse_other_folds(folder, folds, replaced)
    for instance in instances:
        records = done_records(folder, instance.number, available)
        others = [
            number
            for number, record in records.items()
            if not is_current(record, instance.settings_hash, folds.hash) or has_changed(record, instance.parameters)
        ]
        staying = [number for number in others if not overwrite or number not in chosen]
        if staying:
            faults.append(_describe_difference(folder, instance, staying))
        for number in chosen:
            finished = number in records and number not in others
            kept = finished and (not overwrite or folder.is_replacement(instance.number, number))
            (plan.done if kept else plan.to_do).append((instance.number, number))
    if faults:
        raise ResultsError("\n".join(faults))
    return plan


def make_jobs(plan: Plan, code_folder: Path, stores: Mapping[int, Path]) -> list[Job]:
    """Return the frozen jobs of a plan, in the order in which they are run.

    Args:
        plan: What is to do.
        code_folder: The snapshot of the code.
        stores: The feature store of each instance.
    """
    instances = {instance.number: instance for instance in plan.instances}
    folds = {fold.number: fold for fold in plan.folds.folds}
    experiment, code = str(plan.folder.path.resolve()), str(code_folder.resolve())
    store_folders = {number: str(folder.resolve()) for number, folder in stores.items()}
    return [
        Job(
            experiment_folder=experiment,
            code_folder=code,
            store_folder=store_folders[number],
            instance=number,
            fold=folds[fold],
            parameters=instances[number].parameters,
            option_names=tuple(instances[number].options),
            settings_hash=instances[number].settings_hash,
            folds_hash=plan.folds.hash,
            seed=job_seed(instances[number].settings.seed, fold),
        )
        for number, fold in plan.to_do
    ]


def is_current(record: Mapping[str, Any], settings_hash: str, folds_hash: str) -> bool:
    """Return whether a record was made with these settings on these folds."""
    return bool((record["settings_hash"], record["folds_hash"]) == (settings_hash, folds_hash))


def done_records(folder: ExperimentFolder, instance: int, folds: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Return the records of the finished folds of an instance, by their number."""
    records = {fold: folder.record(instance, fold) for fold in folds}
    return {fold: record for fold, record in records.items() if record and record["status"] == "done"}


def _refuse_other_folds(folder: ExperimentFolder, folds: FoldPlan, replaced: Collection[int]) -> None:
    """Refuse to mix folds or tasks: results of one experiment compare only on the same splits of the same data."""
    written = read_json(folder.folds_file)
    task_type = folds.settings.get("task_type")
    # Folds that were written before they named their task are of the only one that the corpus had then.
    if written is None or (written["hash"] == folds.hash and written["settings"].get("task_type", task_type) == task_type):
        return
    finished = [
        number for number in folder.instances() if number not in replaced and done_records(folder, number, folder.folds(number))
    ]
    if not finished:
        return
    changed = [
        f"{key} was {written['settings'].get(key)}, now {value}"
        for key, value in folds.settings.items()
        if written["settings"].get(key) != value
    ] or ["the corpus has changed"]
    raise ResultsError(
        f"{folder.path}: instances {', '.join(map(str, finished))} were tested on other folds ({'; '.join(changed)}). "
        "Choose another num_experiment, or overwrite all of these instances (--overwrite)."
    )


def _describe_difference(folder: ExperimentFolder, instance: Instance, folds: Collection[int]) -> str:
    """Return which parameters differ from those that finished results were made with."""
    written = folder.settings(instance.number) or {"parameters": {}}
    before, now = written["parameters"], instance.parameters
    if hash_parameters(before) == instance.settings_hash:
        models = {"initial_model": instance.settings.initial_model, "models": instance.options.get("models")}
        listed = [f"another model lay at {name}={path!r}" for name, path in models.items() if path]
        listed = listed or ["settings.json fits, the fold records do not"]
    else:
        listed = differences(before, now)
    return (
        f"{folder.instance_folder(instance.number)}: finished results (folds {', '.join(map(str, folds))}) were made with "
        f"other settings: {'; '.join(listed)}. Give the new settings another instance number, or replace the results "
        "with --overwrite."
    )


def job_seed(seed: int, fold: int) -> int:
    """Derive the seed of a fold (0: of all items) from that of the settings; a number that every backend and NumPy take."""
    return int.from_bytes(blake2b(f"{seed}/{fold}".encode(), digest_size=4).digest(), "big") % (2**31)
