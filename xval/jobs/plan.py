"""The jobs (instances times folds times repeats): those that are done, and the stages in which the others run.

A plan that contradicts the results folder raises an error here, before training.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

from xval.base.errors import FoldsError, ResultsError, SettingsError, how_to_install
from xval.base.json_files import FORMAT_VERSION, read_json, write_if_changed
from xval.base.keras_backends import BACKENDS, installed_backends
from xval.base.setting_fields import later_values
from xval.base.setting_scope import Scope
from xval.base.user_code.files import own_folders
from xval.folds.plan import Fold, FoldPlan
from xval.folds.shared_columns import SharedColumn
from xval.jobs.folds_file import SPLITTER_CHANGES
from xval.jobs.job import Job, job_seed
from xval.jobs.written_settings import differences
from xval.models.saved.initial import has_changed
from xval.results.folder import KERAS_NAME, ExperimentFolder
from xval.results.identity import JobIdentity
from xval.results.job_key import JobKey, job_keys
from xval.results.open import open_results
from xval.results.read import Record
from xval.settings.architectures import COMBINATION
from xval.settings.combination import CombinationOptions
from xval.settings.model_address import is_address
from xval.settings.parameters import hash_parameters
from xval.settings.randomness import count_repeats
from xval.settings.resolve import Instance, describe_numbers
from xval.settings.schema import Settings, names_of


@dataclass(frozen=True)
class Plan:
    """The plan of a command.

    Attributes:
        folds: The folds of the experiment; `chosen_folds` has the numbers of those to run.
        instances: The chosen instances.
        to_do: Their unfinished jobs in the chosen folds.
        done: Their finished jobs in the chosen folds.
    """

    folder: ExperimentFolder
    folds: FoldPlan
    instances: Sequence[Instance]
    chosen_folds: tuple[int, ...]
    to_do: list[JobKey] = field(default_factory=list)
    done: list[JobKey] = field(default_factory=list)

    def jobs_of(self, instance: int) -> list[JobKey]:
        """Return the chosen jobs of an instance, done or to do."""
        return [key for key in (*self.done, *self.to_do) if key.instance == instance]


def identity_of(instance: Instance, folds_hash: str) -> JobIdentity:
    """Return the identity with which a record of an instance must agree to count."""
    has_other_models = partial(has_changed, settings=instance.settings)
    return JobIdentity(instance.settings_hash, folds_hash, instance.own_code, has_other_models)


class AboutCorpus(NamedTuple):
    """The entries of settings.json on the corpus; see the attributes of `WrittenInstance` with these names."""

    cautions: Sequence[str] = ()
    item_name: str = ""
    shared_columns: Sequence[SharedColumn] = ()


_NOTHING = AboutCorpus()


def write_settings(
    folder: ExperimentFolder, instance: Instance, description: str, script: str = "", about: AboutCorpus = _NOTHING
) -> None:
    """Write settings.json of an instance: all parameters, their sources, and cautions on its corpus.

    It also has the folders of the user's modules.
    """
    content = {
        "format_version": FORMAT_VERSION,
        "instance": instance.number,
        "description": description,
        "script": script,
        "own_folders": [*dict.fromkeys([*instance.own_folders, *own_folders(instance.settings.own_modules())])],
        "settings_hash": instance.settings_hash,
        "parameters": instance.parameters,
        "sources": instance.sources,
        "cautions": list(about.cautions),
        "item_name": about.item_name,
        **({"shared_columns": [column._asdict() for column in about.shared_columns]} if about.shared_columns else {}),
    }
    folder.write_settings(instance.number, content)


def renew_words(folder: ExperimentFolder, instance: Instance) -> bool:
    """Update the texts in settings.json of a finished instance that do not affect results; return whether they changed."""
    path = folder.instance_folder(instance.number) / "settings.json"
    written = read_json(path)
    parameters, sources = ((written or {}).get(name) for name in ("parameters", "sources"))
    if written is None or not isinstance(parameters, dict) or not isinstance(sources, dict):
        return False
    new = {name: instance.parameters[name] for name in names_of(Scope.DISPLAY_ONLY)}
    if all(parameters.get(name, later_values(Settings)[name]) == value for name, value in new.items()):
        return False
    new_sources = {name: instance.sources[name] for name in new if name in instance.sources}
    write_if_changed(path, written | {"parameters": parameters | new, "sources": sources | new_sources})
    return True


def make_plan(
    folder: ExperimentFolder,
    instances: Sequence[Instance],
    folds: FoldPlan,
    *,
    fold_numbers: Collection[int] | None = None,
    overwrite: bool = False,
) -> Plan:
    """Find the finished and the open jobs of some instances, for all folds or some; no file is written.

    Raises an error for finished results that were made with other settings, folds or user code, unless they are to be replaced
    (`overwrite`). Results of a search with fewer trials are open again, but their trials count.
    """
    available = [fold.number for fold in folds.folds]
    chosen = sorted(available if fold_numbers is None else set(fold_numbers))
    missing = sorted(set(chosen) - set(available))
    if missing:
        raise FoldsError(
            f"there is no fold {describe_numbers(missing)}. Available: 1-{available[-1]}. --set num_folds=N makes more."
        )
    plan = Plan(folder, folds, instances, tuple(chosen))
    faults: list[str] = []
    replaced = {instance.number for instance in instances} if overwrite and fold_numbers is None else set()
    _refuse_other_folds(folder, folds, replaced, overwrite=overwrite)
    for instance in instances:
        records = open_results(folder).done(key for key in folder.jobs(instance.number) if key.fold in available)
        others = {
            key: record for key, record in records.items() if identity_of(instance, folds.hash_of(key.fold)).changes(record)
        }
        continued = {key for key, record in others.items() if is_of_shorter_search(record, instance, folds.hash_of(key.fold))}
        staying = {
            key: record for key, record in others.items() if key not in continued and (not overwrite or key.fold not in chosen)
        }
        if staying:
            faults.append(_describe_difference(folder, instance, staying, overwrite=overwrite))
        for key in job_keys(instance.number, chosen, count_repeats(instance.parameters)):
            finished = key in records and key not in others
            kept = finished and (not overwrite or folder.is_replacement(*key))
            (plan.done if kept else plan.to_do).append(key)
    if faults:
        raise ResultsError("\n".join(faults))
    return plan


def is_of_shorter_search(record: Record, instance: Instance, folds_hash: str) -> bool:
    """Return whether a record is of the same instance with fewer trials in each fold, so that its search continues."""
    plan, n_tried = instance.settings.search_plan, len((record.get("search") or {}).get("trials") or ())
    if plan is None or not 0 < n_tried < plan.n_trials:
        return False
    shorter = instance.parameters | {"search": replace(plan, n_trials=n_tried).to_text()}
    return not replace(identity_of(instance, folds_hash), settings_hash=hash_parameters(shorter)).changes(record)


def make_jobs(plan: Plan, code_folder: Path, stores: Mapping[int, Path], parts: Mapping[JobKey, Fold]) -> list[Job]:
    """Return the frozen jobs of a plan in the order of running.

    `stores` has the feature store of each instance, `parts` the parts of folds that jobs use, if not all.
    """
    instances = {instance.number: instance for instance in plan.instances}
    folds = {fold.number: fold for fold in plan.folds.folds}
    return [
        make_job(
            plan.folder,
            instances[number],
            parts.get(JobKey(number, fold, repeat), folds[fold]),
            plan.folds.hash_of(fold),
            store=stores[number],
            code=code_folder,
            own_code=instances[number].own_code,
            repeat=repeat,
        )
        for number, fold, repeat in plan.to_do
    ]


def make_job(
    folder: ExperimentFolder,
    instance: Instance,
    fold: Fold,
    folds_hash: str,
    *,
    store: Path,
    code: Path,
    own_code: Mapping[str, str],
    repeat: int = 1,
) -> Job:
    """Return the job of a fold of an instance with its feature store and its copy of the code."""
    return Job(
        experiment_folder=str(folder.path.resolve()),
        code_folder=str(code.resolve()),
        store_folder=str(store.resolve()),
        instance=instance.number,
        fold=fold,
        settings=instance.settings,
        options=instance.options,
        settings_hash=instance.settings_hash,
        folds_hash=folds_hash,
        seed=job_seed(instance.settings.seed, fold.number, repeat),
        repeat=repeat,
        own_code=own_code,
    )


def in_stages(jobs: Sequence[Job]) -> list[list[Job]]:
    """Return the jobs in stages, each in the given order; raise an error for jobs that wait for each other."""
    reads = [_read(job) for job in jobs]
    if not any(reads):
        return [list(jobs)] if jobs else []
    writers = {job.folder.fold_folder(*job.key).resolve() / KERAS_NAME: place for place, job in enumerate(jobs)}
    sorter = TopologicalSorter({place: {writers[path] for path in read & writers.keys()} for place, read in enumerate(reads)})
    with suppress(CycleError):  # what waits for no circle is sorted all the same
        sorter.prepare()
    stages: list[list[Job]] = []
    waiting = set(range(len(jobs)))
    while ready := sorter.get_ready():
        stages.append([jobs[place] for place in sorted(ready)])
        sorter.done(*ready)
        waiting.difference_update(ready)
    if waiting:
        listed = sorted({str(jobs[place].instance) for place in waiting})
        if len(listed) == 1:
            raise SettingsError(f"instance {listed[0]} waits for its own models. Give it existing models.")
        raise SettingsError(f"instances {', '.join(listed)} wait for each other's models. Give one of them existing models.")
    return stages


def _refuse_other_folds(folder: ExperimentFolder, folds: FoldPlan, replaced: Collection[int], *, overwrite: bool) -> None:
    """Raise an error for mixed folds or tasks, because results are only comparable on the same splits of the same data."""
    if not folder.folds_file.exists():
        return
    results = open_results(folder)
    written = results.folds
    before, now = written.plan.settings, folds.settings
    # A repeat more or less changes none of the others.
    fold_repeats = zip(written.repeat_hashes, folds.repeat_hashes, strict=False)
    if all(earlier == present for earlier, present in fold_repeats) and before.get("task_type") == now.get("task_type"):
        return
    finished = [number for number in folder.instances() if number not in replaced and results.done(folder.jobs(number))]
    if not finished:
        return
    changed = [
        SPLITTER_CHANGES[key] if key in SPLITTER_CHANGES else f"{key} was {before.get(key)}, now {value}"
        for key, value in now.items()
        if before.get(key) != value and key != "fold_repeats" and (key in before or key not in SPLITTER_CHANGES)
    ] or ["the dataset has changed"]
    advice = "or overwrite all of these instances (--overwrite)"
    if overwrite:
        advice = "or run all folds of all these instances, because this run would overwrite only some of them"
    raise ResultsError(
        f"{folder.path}: instances {', '.join(map(str, finished))} were tested on other folds ({'; '.join(changed)}). "
        f"Choose another num_experiment, {advice}."
    )


def _describe_difference(
    folder: ExperimentFolder, instance: Instance, others: Mapping[JobKey, Record], *, overwrite: bool
) -> str:
    """Return the parameters and the user's code that differ from those of finished results."""
    folds = sorted({key.fold for key in others})
    written = folder.settings(instance.number) or {"parameters": {}}
    before, now = written["parameters"], instance.parameters
    settings = differences(before, now) if hash_parameters(before) != instance.settings_hash else []
    texts = map(JobIdentity(user_code=instance.own_code).code_changes, others.values())
    code = [text for text in dict.fromkeys(texts) if text]
    if not settings and not code:
        models = {
            "embedding_model": instance.settings.embedding_model,
            "encoder": instance.settings.encoder,
            "initial_model": instance.settings.start_model,
            "models": instance.options.get("models"),
        }
        settings = [f"another model was at {name}={path!r}" for name, path in models.items() if path]
        settings = settings or ["settings.json matches, but the fold records do not"]
    ran_on, runs_on = (str(parameters.get("backend")) for parameters in (before, now))
    if not code and ran_on != runs_on and ran_on in BACKENDS:
        missing = "" if ran_on in installed_backends() else f", once {ran_on} is installed again ({how_to_install(ran_on)})"
        settings.append(f"--set backend={ran_on} continues with the former one{missing}")
    what = " and ".join(name for name, changes in (("settings", settings), ("code", code)) if changes)
    remedy = (
        "Restore the code, give the new code another name and its own instance number,"
        if code
        else "Give the new settings another instance number,"
    )
    advice = (
        "also replace these folds, because this run overwrites only others"
        if overwrite
        else "replace the results with --overwrite"
    )
    return (
        f"{folder.instance_folder(instance.number)}: finished results (folds {', '.join(map(str, folds))}) were made with "
        f"other {what}: {'; '.join([*settings, *code])}. {remedy} or {advice}."
    )


def _read(job: Job) -> set[Path]:
    """Return the models that a job combines or starts from, if they are files on this machine."""
    initial = job.settings.start_model
    paths = [] if initial is None or is_address(initial) else [initial.replace("{fold}", str(job.fold.number))]
    if job.settings.architecture == COMBINATION:
        combined = CombinationOptions.of(job.options).model_paths(job.fold.number)
        paths += [path for path in combined if not is_address(path)]
    return {Path(path).resolve() for path in paths}
