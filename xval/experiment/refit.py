"""Train the final model of an instance on all items, for the number of epochs that its folds chose.

It is a job like those of the folds, run on this machine, but its fold has no test item. Its seed is derived in the same way,
with fold number 0.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rich.console import Console

from preprocessing.clips.columns import with_columns
from preprocessing.console import progress_bar
from preprocessing.corpus import Corpus, open_corpus
from xval.answers import ranking
from xval.answers.findings import find_findings
from xval.answers.pretrained import clause, judge_record
from xval.answers.read import read_finished
from xval.answers.score_text import format_score
from xval.answers.summary import record_side, score_name
from xval.base.code_hash import find_changed_copies
from xval.base.errors import JobError, ResultsError, SettingsError, UsageError, counted, verb_of
from xval.base.item_word import ITEM, call_items
from xval.base.keras_backends import require_backend
from xval.base.operating_system import quote
from xval.base.user_code.files import own_folders
from xval.base.user_code.modules import looking_in
from xval.engine.executors import find_executor, make_slots
from xval.engine.worker.run import record_failure
from xval.experiment import snapshot
from xval.experiment.check_combination import check_combined_models
from xval.experiment.check_instance import check_initial_models
from xval.experiment.feature_stores import check_store, make_instance_store
from xval.experiment.refit_plan import (
    all_items,
    describe_choice,
    is_there,
    plan_refit,
    refuse_what_needs_folds,
    search_all_items,
)
from xval.experiment.search import RunJobs, feature_variants
from xval.folds.plan import FoldPlan
from xval.jobs.claim import Report
from xval.jobs.fold_part import read_clips_of
from xval.jobs.job import Job
from xval.jobs.observers import Observer, WatchedJobs
from xval.jobs.outcome import FAILED, Outcomes
from xval.jobs.plan import identity_of, make_job
from xval.jobs.written_settings import restore_instance, with_values
from xval.models.saved.initial import name_model
from xval.report.model_card import write_card
from xval.results.checkpoint_note import remove_finished_checkpoints
from xval.results.folder import ALL_ITEMS, ESTIMATOR_NAME, KERAS_NAME, ExperimentFolder, find_experiment
from xval.results.job_key import JobKey, job_keys
from xval.results.open import open_results
from xval.results.read import Record
from xval.settings.architectures import COMBINATION, trains_network
from xval.settings.combination import CombinationOptions
from xval.settings.randomness import count_repeats
from xval.settings.resolve import Instance

_OF_THIS_MACHINE = ("auto", "inline", "processes")

_TOO_GOOD = (
    " If it was chosen among several instances, this is optimistically biased; the nested estimate in results.xlsx includes "
    "the choice."
)


@dataclass(frozen=True)
class RefitRequest:
    """The user's request.

    Attributes:
        instance: Number of the instance; None: the one that the validation scores select.
        epochs: Number of epochs; None: the median of the folds' best epochs.
        gpu: The device; None: the one in the settings of the instance.
        data_folder: The folder of corpora; None: the one in the settings of the instance.
        overwrite: Replace an existing final model.
    """

    instance: int | None = None
    epochs: int | None = None
    gpu: str | None = None
    data_folder: Path | None = None
    overwrite: bool = False


def refit_instance(folder: ExperimentFolder, request: RefitRequest, console: Console) -> Path:
    """Train the final model of an instance unless it exists; return the path of its model.keras or model.skops."""
    number = _select(folder, console) if request.instance is None else request.instance
    instance = restore_instance(folder, number)
    with looking_in(instance.own_folders):
        return _refit(folder, instance, request, console)


def _refit(folder: ExperimentFolder, instance: Instance, request: RefitRequest, console: Console) -> Path:
    if instance.settings.uses_keras:
        place = f"{folder.instance_folder(instance.number)}: its folds ran on "
        require_backend(instance.settings.backend, place, is_choice=False)
    _print_copies_used(folder, instance, console)
    refuse_what_needs_folds(instance, request.epochs)
    folds = open_results(folder).folds.plan
    records = _finished_jobs(folder, instance, folds)
    _refit_networks(instance, request, console)
    make = partial(_make_job, folder, instance, folds, records, request, console)
    chosen = None
    if instance.settings.search:
        job, corpus = make()
        run = _find_executor(instance, request, console, instance.settings.workers)
        chosen = search_all_items(job, instance, corpus, run, record_failure, console)
    refit = plan_refit(folder, instance, records, request.epochs, chosen)
    search_facts = chosen.job.chosen if chosen else None
    console.print(describe_choice(instance, records.values(), request.epochs, refit, search_facts), soft_wrap=True)
    path = _model_path(folder, instance)
    parameters = chosen.job.parameters if chosen else instance.parameters
    if not request.overwrite and is_there(folder, instance, folds, refit, parameters):
        console.print(f"Nothing to do: {path} already exists with these settings. To train it again, give --overwrite.")
    else:
        job = chosen.job if chosen else make()[0]
        run = _find_executor(instance, request, console)
        _train(replace(job, refit=refit), refit.epochs, run, console, _item_word(folder, instance.number))
    remove_finished_checkpoints(folder)
    _print_close(folder, instance, console)
    return path


def _refit_networks(instance: Instance, request: RefitRequest, console: Console) -> None:
    """Train the final models of the instances whose folds a combination reads, unless they exist."""
    if instance.settings.architecture != COMBINATION:
        return
    for place, number in dict.fromkeys(CombinationOptions.of(instance.options).instances_read()):
        refit_instance(find_experiment(Path(place)), replace(request, instance=number, epochs=None), console)


def _print_copies_used(folder: ExperimentFolder, instance: Instance, console: Console) -> None:
    """Print which stored copies replace the user's modules that are missing."""
    places = (Path(place) for place in own_folders(instance.settings.own_modules()))
    copies = [str(place) for place in places if place.is_relative_to((folder.path / "code").resolve())]
    if copies:
        console.print(f"Your own modules are no longer where they were, so they are read from the copy in {', '.join(copies)}.")


def _model_path(folder: ExperimentFolder, instance: Instance) -> Path:
    name = KERAS_NAME if trains_network(instance.settings.architecture) else ESTIMATOR_NAME
    return folder.fold_folder(instance.number, ALL_ITEMS) / name


def _select(folder: ExperimentFolder, console: Console) -> int:
    """Return the number of the instance that the validation scores select."""
    instances = read_finished(folder)
    chosen = ranking.rank_instances(instances)
    score = score_name(chosen.side, chosen.metric, instances)
    if chosen.selected is None:
        raise ResultsError(f"{folder.path}: no instance has a {score}. Give the number of an instance.")
    reached = f"{ranking.selected_mean(instances, chosen)}{chosen.because}"
    console.print(f"Instance {chosen.selected} is selected: best mean {score} ({reached}).")
    for finding in find_findings(instances):
        console.print(f"- {finding.line}", soft_wrap=True, markup=False)
    return chosen.selected


def _finished_jobs(folder: ExperimentFolder, instance: Instance, folds: FoldPlan) -> dict[JobKey, Record]:
    """Return the records of all folds and repeats, which must exist and have used models that have not changed."""
    ran = open_results(folder).done(folder.jobs(instance.number))
    identities = {key: identity_of(instance, folds.hash_of(key.fold)) for key in ran}
    texts = (identities[key].code_changes(record) for key, record in ran.items())
    if code := [text for text in dict.fromkeys(texts) if text]:
        raise ResultsError(
            f"{folder.instance_folder(instance.number)}: its folds ran on different code than the current one: "
            f"{'; '.join(code)}. Restore the code, or run the instance again with --overwrite; a final model needs the code "
            "that its folds tested."
        )
    wanted = job_keys(instance.number, [fold.number for fold in folds.folds], count_repeats(instance.parameters))
    changes = {key: identities[key].changes(record) for key, record in sorted(ran.items())}
    records = {key: ran[key] for key, changed in changes.items() if changed in ([], ["models"])}
    missing = [key.fold_name for key in wanted if key not in records]
    if missing:
        given = [name for name, source in instance.sources.items() if source == "--set"]
        overrides = "".join(f" --set {quote(f'{name}={instance.parameters[name]}')}" for name in given)
        script = str((folder.settings(instance.number) or {}).get("script") or "SCRIPT_OF_THE_EXPERIMENT.py")
        run = f"python {script} {instance.number}{overrides}" if "." in script else f"experiment.run({instance.number})"
        raise ResultsError(
            f"{folder.instance_folder(instance.number)}: {len(missing)} of {counted(len(wanted), 'job')} "
            f"{verb_of(len(missing))} not done with its current settings ({'; '.join(missing)}) but a final model needs the "
            f"epochs and test scores of all of them. Run them first: {run}"
        )
    if changed := [key.fold_name for key in records if changes[key]]:
        raise ResultsError(
            f"instance {instance.number}: {'; '.join(changed)} started from another model than the one now at "
            f"{name_model(instance.settings)}. Restore that model, or run the instance again with --overwrite."
        )
    return records


def _find_executor(instance: Instance, request: RefitRequest, console: Console, n_workers: int = 1) -> RunJobs:
    """Return the executor for one device of this machine; it uses this process if the instance's executor does."""
    settings = instance.settings
    executor = find_executor("inline" if settings.executor == "inline" else "processes")
    device = (request.gpu or settings.gpu_ID).partition(",")[0]
    here = settings.model_copy(update={"gpu_ID": device, "workers": n_workers, "workers_per_gpu": 1})
    slots, where = make_slots(executor, here)
    console.print(where)
    if settings.executor not in _OF_THIS_MACHINE:
        console.print(
            f"The final model is trained on this machine; executor={settings.executor} is used only for folds.", soft_wrap=True
        )

    def run(jobs: Sequence[Job], report: Report) -> Outcomes:
        return executor.run(jobs, slots, report)

    return run


def _make_job(
    folder: ExperimentFolder,
    instance: Instance,
    folds: FoldPlan,
    records: Mapping[JobKey, Record],
    request: RefitRequest,
    console: Console,
) -> tuple[Job, Corpus]:
    """Make feature stores and the copy of the code; return the job of the final model, and the corpus."""
    settings = instance.settings
    corpus = open_corpus(settings.dataset, request.data_folder or Path(settings.data_folder))
    if corpus.index_hash != folds.index_hash:
        raise ResultsError(
            f"dataset '{settings.dataset}' in {corpus.folder} is not the one from which the folds were made. Give the folder "
            "of that dataset with --data-folder, or run the experiment again with --overwrite."
        )
    fold = all_items(folds, settings, with_columns(corpus.index, corpus.folder))
    try:
        check_initial_models(settings, [fold], corpus.folder)
        if settings.architecture == COMBINATION:
            options, clips = CombinationOptions.of(instance.options), read_clips_of(settings, corpus.folder)
            check_combined_models(options, settings.feature_settings(), corpus, [fold], counted=clips)
    except UsageError as error:
        raise SettingsError(f"instance {instance.number}: {str(error).removeprefix(f'fold {ALL_ITEMS}: ')}") from error
    for variant in feature_variants(instance, partial(with_values, instance)):
        store = make_instance_store(corpus, variant, console, where=f"instance {instance.number}")
        check_store(store, console)
    code_folder = folder.path / "code"
    ran = sorted({str(record["code_hash"]) for record in records.values()})
    scripts = sorted((code_folder / ran[-1] / "script").glob("*.py"))  # none: it is among the experiments of the project
    code = snapshot.take_snapshot(code_folder, scripts[0] if scripts else Path(), sorted(instance.settings.own_modules()))
    if changed := find_changed_copies(code_folder, ran):
        console.print(f"xval itself has changed since the folds were run (code/{', code/'.join(changed)}).")
    job = make_job(folder, instance, fold, folds.hash, store=store.folder, code=code, own_code=instance.own_code)
    return job, corpus


def _item_word(folder: ExperimentFolder, instance: int) -> str:
    return open_results(folder).settings(instance).item_word or ITEM


class _FinalModelProgress(Observer):
    """Shows the progress of the training of a final model."""

    def __init__(self, instance: int, console: Console, show_epoch: Callable[[int], None]) -> None:
        self._instance, self._console, self._show_epoch = instance, console, show_epoch

    def epoch(self, values: Mapping[str, float]) -> None:
        self._show_epoch(int(values["epoch"]))

    def note(self, text: str) -> None:
        note = text.replace(f"fold {ALL_ITEMS}", "the final model", 1)
        self._console.print(f"instance {self._instance}: {note}", soft_wrap=True, markup=False)

    def printed(self, line: str) -> None:
        self._console.print(f"the final model: {line}", soft_wrap=True, markup=False)


def _train(job: Job, n_epochs: int, run: RunJobs, console: Console, item: str) -> None:
    with progress_bar(console, f"Training on {counted(len(job.fold.training), item)}", noun="epochs") as advance:
        progress = _FinalModelProgress(job.instance, console, lambda epoch: advance(epoch, n_epochs))
        (outcome,) = WatchedJobs([job], lambda *_: progress).run(run)
    if outcome.status == "elsewhere":
        raise ResultsError(f"instance {job.instance}: another process is training its final model. Wait until it has finished.")
    if outcome.status in FAILED:
        raise JobError(f"instance {job.instance}: training on all items failed: {outcome.error}\n{outcome.details}".strip())


def _print_close(folder: ExperimentFolder, instance: Instance, console: Console) -> None:
    """Print the path of the model, what is known about it, and how to use it."""
    record = folder.record(instance.number, ALL_ITEMS) or {}
    item = _item_word(folder, instance.number)
    write_card(folder.fold_folder(instance.number, ALL_ITEMS), record, instance.settings, item)
    path = _model_path(folder, instance)
    names = [name for name in instance.settings.task.main_metrics if name in record["expected"]]
    n_folds = len(record["best_epochs_of_folds"])
    origin = clause(judge_record(record, instance.parameters))
    end = f"{origin and f'; {origin}'}.{_TOO_GOOD if len(folder.instances()) > 1 else ''}"
    scores = ", ".join(f"{name} {format_score(record['expected'][name], n_folds)}" for name in names)
    console.print(
        f"{path}: trained on all {counted(len(record['items']['training']), item)} "
        f"({counted(record['n_training_clips'], 'clip')}), {record['epochs'] or 'no'} "
        f"epoch{'s' * (record['epochs'] != 1)}.\nIt is untested, because no {item or ITEM} is left to test it. "
        f"Cross-validation estimate from {counted(n_folds, 'fold')} with fewer training {call_items('items', item)}: "
        f"{record_side(record, instance.settings, item)} {scores}{end}\nNext: xval predict {path} FILE"
    )
