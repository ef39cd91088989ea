"""Run an experiment, from the declaration of the script to the workbook.

A run first checks everything, then makes feature stores, runs the jobs with an executor, and writes derived files. It ends with
a table and an exit code.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from preprocessing.console import make_console
from preprocessing.corpus import open_corpus
from xval.answers.names import name_instances
from xval.answers.repeats import copies, describe_copies, describe_seed_replicates, seed_replicates
from xval.base import shelf
from xval.base.code_hash import find_changed_copies
from xval.base.config_file import describe_own_config
from xval.base.errors import CorpusError, ResultsError, SettingsError, counted, plural_of
from xval.base.garbage_collection import without_collector
from xval.base.keras_backends import AUTO, BACKENDS, installed_backends, require_backend
from xval.base.setting_fields import later_values
from xval.engine.executors import find_executor, inline, make_slots
from xval.engine.worker.run import record_failure
from xval.experiment.auto_repeats import settle_fold_repeats
from xval.experiment.check_instance import check_classes, find_parts
from xval.experiment.derived_files import derived_files, renew, update_page
from xval.experiment.feature_stores import name_in_errors
from xval.experiment.prepare_jobs import cut_clips, planned_item_word, prepare_jobs, print_cautions, restore_settings
from xval.experiment.progress import JobProgress
from xval.experiment.search import check_search, make_searches, run_searches
from xval.folds.plan import Fold
from xval.jobs.claim import Report
from xval.jobs.fold_part import uses_part
from xval.jobs.folds_file import load_folds, write_folds
from xval.jobs.job import Job
from xval.jobs.observers import Observer, WatchedJobs
from xval.jobs.other_script import OF_ANY_SCRIPT, refuse_other_script, take_over, working_in
from xval.jobs.outcome import FAILED, JobOutcome, Outcomes
from xval.jobs.plan import Plan, in_stages, make_plan
from xval.jobs.written_settings import other_backends, with_written_unused
from xval.report import rebuild
from xval.report import terminal as tables
from xval.results.checkpoint_note import remove_finished_checkpoints
from xval.results.folder import ExperimentFolder
from xval.results.identity import JobIdentity
from xval.results.job_key import JobKey, job_keys
from xval.results.lock import choose_lock
from xval.results.open import open_results
from xval.settings.randomness import count_repeats, has_randomness
from xval.settings.resolve import Declaration, Instance, resolve
from xval.settings.schema import Settings, default_settings


@dataclass(frozen=True)
class RunRequest:
    """The request of the command line.

    Attributes:
        numbers: Instance numbers; None: all.
        overrides: Parameters with precedence over all others.
        fold_numbers: Only these folds; None: all.
        list_only, dry_run: Only show the instances or the jobs.
        quiet: Only print failures and the closing table.
        is_verbose: Print a line for each ended job, even if there are many.
        details: Print all details at the end, not only three lines.
        take_over: Continue with the results of another script, which belong to this one from then on.
        in_python: Whether a Python function made the request, so that advice names its parameters.
    """

    numbers: Sequence[int] | None = None
    overrides: Mapping[str, object] = field(default_factory=dict)
    fold_numbers: Sequence[int] | None = None
    list_only: bool = False
    dry_run: bool = False
    quiet: bool = False
    is_verbose: bool = False
    details: bool = False
    take_over: bool = False
    in_python: bool = False


class EndedRun(NamedTuple):
    """The results folder, the instances of the run, the outcomes of their jobs, and the console."""

    folder: ExperimentFolder
    numbers: list[int]
    outcomes: list[JobOutcome]
    console: Console


def run_experiment(declaration: Declaration, command: RunRequest, console: Console) -> int:
    """Run the chosen unfinished jobs of an experiment, and print the table and the three lines.

    Returns:
        0, or 1 if some job failed.

    Raises:
        UsageError: As of `run_jobs`.
        JobError: As of `run_jobs`.
    """
    ended = run_jobs(declaration, command, console)
    return 0 if ended is None else tables.print_close(*ended, details=command.details)


def run_jobs(declaration: Declaration, command: RunRequest, console: Console) -> EndedRun | None:
    """Run the chosen unfinished jobs; return the outcome, or None if they were only shown.

    Raises:
        UsageError: Anything that the user can fix; nothing has been trained.
        JobError: In debug mode, the error of the first failed job.
    """
    instances = resolve(declaration, command.numbers, command.overrides)
    if command.list_only:
        console.print(tables.instance_table(instances))
        return None
    settings = instances[0].settings
    if settings.executor == "command" and not settings.debug_mode:
        console = make_console(is_error=True)  # the standard output is for its lines
    folder = results_folder(settings)
    backends = other_backends(folder, instances)
    declaration, repeats_note = settle_fold_repeats(
        replace(declaration, backends=backends), command.overrides, instances, folder
    )
    if backends or repeats_note:
        instances = resolve(declaration, command.numbers, command.overrides)
        settings = instances[0].settings
    instances = [with_written_unused(folder, instance) for instance in instances]
    replaced = [instance.number for instance in instances] if settings.overwrite_results else []
    if not command.take_over:
        refuse_other_script(folder, declaration, replaced=replaced)
    folds = load_folds(folder, settings)
    with without_collector():
        planned = make_plan(folder, instances, folds, fold_numbers=command.fold_numbers, overwrite=settings.overwrite_results)
    backend_note = _check_backends(planned, declaration)
    if command.dry_run:
        _check_classes(planned, declaration)
        for line in filter(None, [describe_own_config(), repeats_note]):
            console.print(line, soft_wrap=True, markup=False)
        items = plural_of(planned_item_word(planned))
        console.print(tables.fold_table(planned, _find_parts(planned, declaration), items), tables.job_table(planned))
        if once := fitted_once(instances):
            console.print(once, soft_wrap=True, markup=False)
        print_cautions(cut_clips(planned), console, in_python=command.in_python)
        return None
    if command.take_over:
        take_over(folder, declaration)
    own_note = describe_own_config() * bool(planned.to_do)
    notes = [own_note, backend_note, repeats_note * bool(planned.to_do), _describe_changed_engine(planned)]
    notes += [_describe_changed_ranking(planned), *_describe_further_seeds(planned)]
    is_restored = restore_settings(planned, declaration)
    if planned.to_do:
        numbers = sorted({key.instance for key in planned.to_do})
        at_work = working_in(folder, declaration, replaced=replaced, takes_over=command.take_over)
        with folder.removed_if_refused():
            choose_lock(folder.path, settings.lock, settings.lease_s)
            with at_work, _observing(folder, settings, numbers, console) as observers:
                folder.prepare(declaration.description, keeps_earlier=declaration.description == OF_ANY_SCRIPT)
                with derived_files(planned, console), folder.restored_if_refused():
                    outcomes = _run(planned, declaration, command, console, observers, notes)
    else:
        for line in filter(None, [] if command.quiet else notes):
            console.print(line, soft_wrap=True, markup=False)
        outcomes = []
        folder.prepare(declaration.description, keeps_earlier=declaration.description == OF_ANY_SCRIPT)
        write_folds(folder, folds, settings.dataset, Path(settings.data_folder))  # those of other fold_repeats
        n_done = len(planned.done)
        if not command.quiet:
            console.print(f"Nothing to do: {f'all {n_done} jobs are' if n_done > 1 else 'the job is'} done.")
        if is_restored or rebuild.is_stale(folder):
            renew(folder, console)
        if rebuild.is_page_stale(folder):
            update_page(planned, console, is_final=True)
    _end_replacing(planned)
    remove_finished_checkpoints(folder)
    return EndedRun(folder, [instance.number for instance in instances], outcomes, console)


def fitted_once(instances: Sequence[Instance]) -> str:
    """Return a note on instances that are fitted only once in each fold although repeats were requested; empty: none."""
    once = [instance for instance in instances if count_repeats(instance.parameters) < instance.settings.repeats]
    if not once:
        return ""
    names = ", ".join(sorted({instance.settings.architecture for instance in once}))
    listed = name_instances([instance.number for instance in once], instances)
    return f"{listed}: fitted once in each fold, not {once[0].settings.repeats} times, because nothing in {names} is random."


def _check_backends(planned: Plan, declaration: Declaration) -> str:
    """Raise an error for a missing backend before features are made; return which one replaces the default backend."""
    numbers = {key.instance for key in planned.to_do}
    instances = [instance for instance in planned.instances if instance.number in numbers and instance.settings.uses_keras]
    for instance in instances:
        source = instance.sources["backend"]
        named = f" ({source})" if source in ("config.ini", "KERAS_BACKEND", "--set") else ""
        require_backend(instance.settings.backend, f"{declaration.place(instance.number)}{named}: ")
    chosen = sorted({instance.settings.backend for instance in instances if instance.sources["backend"] == "config.ini"})
    if not chosen or BACKENDS[0] in installed_backends() or default_settings()["backend"] != AUTO:
        return ""
    return f"{BACKENDS[0]} is not installed: networks train on {', '.join(chosen)}."


def _describe_changed_engine(planned: Plan) -> str:
    """Return a line if xval itself has changed since finished jobs ran; empty if their copy of the code is gone."""
    codes = [str(record["code_hash"]) for record in open_results(planned.folder).done(planned.done).values()]
    changed = find_changed_copies(planned.folder.path / "code", codes)
    if not changed:
        return ""
    n_jobs = sum(code in changed for code in codes)
    listed = f"code/{', code/'.join(changed)}"
    return f"xval itself has changed since {counted(n_jobs, 'finished job')} ran ({listed}); their results are kept."


def _describe_changed_ranking(planned: Plan) -> str:
    """Return a line if finished results are ranked by another metric from now on."""
    done = {key.instance for key in planned.done}
    now = {instance.number: instance.settings.rank_by for instance in planned.instances if instance.number in done}
    in_older = later_values(Settings)["rank_by"]
    changed = set()
    for number, rank_by in now.items():
        with suppress(ResultsError):  # a rebuild names what is damaged
            written = (planned.folder.settings(number) or {}).get("parameters")
            before = str(written.get("rank_by", in_older)) if isinstance(written, Mapping) else rank_by
            changed |= {(before, rank_by)} if before != rank_by else set()
    if not changed:
        return ""
    earlier, later = (", ".join(sorted(set(names))) for names in zip(*changed, strict=True))
    return (
        f"From now on rank_by = {later} selects among these results (before: {earlier}). To change it back, run again with it."
    )


def _describe_further_seeds(planned: Plan) -> list[str]:
    """Return a line for each instance that was trained with more seeds than are requested now: all of them count."""
    lines = []
    for instance in planned.instances:
        n_seeds = count_repeats(instance.parameters)
        further = [key for key in planned.folder.jobs(instance.number) if key.repeat > n_seeds]
        if instance.settings.overwrite_results or not has_randomness(instance.parameters):
            continue
        if trained := open_results(planned.folder).done(further):
            lines.append(
                f"{name_instances([instance.number], planned.instances)}: repeats = {n_seeds} is below the "
                f"{max(key.repeat for key in trained)} seeds that are trained; scores stay the means over all of them."
            )
    return lines


def _check_classes(planned: Plan, declaration: Declaration) -> None:
    """Raise the errors of a run for classes of the dataset that settings name or need; nothing if no job is to do."""
    settings = planned.instances[0].settings
    if not planned.to_do:
        return
    with suppress(CorpusError):  # the folds are there, and a dry run needs no more
        corpus = open_corpus(settings.dataset, Path(settings.data_folder))
        for instance in planned.instances:
            with name_in_errors(declaration.place(instance.number)):
                check_classes(corpus, instance.settings)


def _find_parts(planned: Plan, declaration: Declaration) -> dict[JobKey, Fold]:
    """Return the parts of folds that the jobs of a plan use, if not all."""
    parts: dict[JobKey, Fold] = {}
    for instance in planned.instances:
        if uses_part(instance.settings):
            with name_in_errors(declaration.place(instance.number)):
                corpus = open_corpus(instance.settings.dataset, Path(instance.settings.data_folder))
                parts |= find_parts(planned, instance, corpus)
    return parts


def results_folder(settings: Settings) -> ExperimentFolder:
    """Return the present or future results folder of an experiment."""
    return ExperimentFolder(Path(settings.experiment_folder) / settings.dataset / f"experiment_{settings.num_experiment}")


def _run(
    planned: Plan,
    declaration: Declaration,
    command: RunRequest,
    console: Console,
    observers: Sequence[Observer],
    first_lines: Sequence[str],
) -> list[JobOutcome]:
    """Print the first lines after all checks, make the inputs of the jobs, run them, and record failures."""
    settings = planned.instances[0].settings
    executor = find_executor("inline" if settings.debug_mode else settings.executor)
    run = partial(inline.run, raise_errors=True) if settings.debug_mode else executor.run
    is_search = any(instance.settings.search for instance in planned.instances)  # its trials are jobs too, known later
    slots, where = make_slots(executor, settings, None if is_search else len(planned.to_do))
    notes = Console(quiet=True) if command.quiet else console
    check_search(planned.instances)
    parameters = {instance.number: instance.parameters for instance in planned.instances}
    seeds = (describe_seed_replicates(group, parameters) for group in seed_replicates(parameters))
    alike = (*seeds, *map(describe_copies, copies(parameters)))
    lines = [*first_lines, where, *(found.line for found in alike), fitted_once(planned.instances)]
    jobs, corpus = prepare_jobs(
        planned,
        declaration,
        notes,
        overrides=command.overrides,
        in_python=command.in_python,
        notes=[line for line in lines if line],
    )
    searches = make_searches(jobs, declaration, command.overrides, corpus)

    def run_jobs(stage: Sequence[Job], report: Report) -> Outcomes:
        return run(stage, slots, report)

    def take(job: Job, outcome: JobOutcome) -> None:
        planned.folder.refuse_moved()
        if outcome.status in FAILED:
            _record_failure(job, outcome, console)

    record = partial(_record_failure, console=console)
    jobs, search_outcomes, n_waiting = run_searches(jobs, searches, run_jobs, record, console, quiet=command.quiet)
    outcomes, n_begun = list[JobOutcome](), 0
    if n_waiting:
        console.print(f"Folds whose search waits for trials: {n_waiting}. Run this command again when they are done.")
    with JobProgress(console, jobs, quiet=command.quiet, is_verbose=command.is_verbose) as progress:
        watch: list[Callable[[Job, int], Observer]] = [progress.watch]
        watch += [partial(_itself, observer) for observer in observers]
        for stage in in_stages(jobs):
            if len(outcomes) < n_begun:
                further = f"Other jobs that read models of these: {len(jobs) - n_begun}"
                console.print(f"{further}. Run this command again when they are done.", soft_wrap=True)
                break
            n_begun += len(stage)
            outcomes += WatchedJobs(stage, *watch).run(run_jobs, take)
    return [*search_outcomes, *outcomes]


@contextmanager
def _observing(
    folder: ExperimentFolder, settings: Settings, numbers: Sequence[int], console: Console
) -> Iterator[list[Observer]]:
    """Yield the observers of extras for all jobs of a run; they are closed when its derived files are complete."""
    if settings.tracking != "none" and "tracking" not in shelf.offers("observer"):
        raise SettingsError(
            f"tracking={settings.tracking}: needs the extra 'tracking', but {shelf.FOLDER / 'tracking'} is missing. "
            "Use tracking=none, or install xval again."
        )
    with ExitStack() as stack:
        offered = [
            stack.enter_context(offer.observe(folder, settings, numbers, console)) for offer in shelf.load_offers("observer")
        ]
        yield [observer for observer in offered if observer is not None]


def _itself(observer: Observer, *_: object) -> Observer:
    return observer


def _end_replacing(planned: Plan) -> None:
    """Delete replaced results if all of them have successors."""
    folds = [fold.number for fold in planned.folds.folds]
    for instance in planned.instances:
        if planned.folder.replaced_folder(instance.number).exists():
            available = job_keys(instance.number, folds, count_repeats(instance.parameters))
            records = open_results(planned.folder).done(available)
            own = partial(JobIdentity, instance.settings_hash, user_code=instance.own_code)
            done = [key for key, record in records.items() if not own(planned.folds.hash_of(key.fold)).changes(record)]
            planned.folder.end_replacing(instance.number, done, available)


def _record_failure(job: Job, outcome: JobOutcome, console: Console) -> None:
    try:
        record_failure(job, outcome)
    except OSError as error:
        console.print(f"{job.key}: its failure cannot be recorded: {error}")
