"""Run an experiment: from what the script declares to the workbook.

Comes in: a declaration and a command. Goes out: finished fold folders, the derived files, the table at the end, an exit code.
Everything is checked first; then feature stores are made, an executor runs the jobs, and the derived files are kept up to
date.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from rich.console import Console

from preprocessing.console import make_console
from xval.errors import one_line
from xval.executors import find_executor, inline, make_slots
from xval.experiment import snapshot, tables
from xval.experiment.checks import check_instance
from xval.experiment.feature_stores import make_instance_store, name_in_errors
from xval.experiment.progress import JobProgress
from xval.experiment.tracking import Tracking, track
from xval.jobs.claim import FAILED, JobOutcome
from xval.jobs.folds_file import load_folds, write_folds
from xval.jobs.job import Job
from xval.jobs.plan import Plan, make_jobs, make_plan, write_settings
from xval.jobs.stages import in_stages
from xval.report.request import PageRequest
from xval.report.write import write_page
from xval.results import rebuild
from xval.results.background_rebuild import BackgroundRebuild
from xval.results.folder import ExperimentFolder
from xval.results.job_key import job_keys
from xval.results.read import is_current, read_done
from xval.results.repeats import describe_seed_twins, seed_twins
from xval.settings.resolve import Declaration, Instance, resolve
from xval.settings.schema import Settings
from xval.worker.run import record_failure

_MOST_AUDITED = 200  # jobs whose leakage audit a run adds to the page


@dataclass(frozen=True)
class RunRequest:
    """What the command line asked for.

    Attributes:
        numbers: Instance numbers; None: all.
        overrides: Parameters over everything else.
        fold_numbers: Only these folds; None: all.
        list_only: Show the instances and end.
        dry_run: Show the jobs and end.
        quiet: Print failures and the closing table only.
    """

    numbers: Sequence[int] | None = None
    overrides: Mapping[str, object] = field(default_factory=dict)
    fold_numbers: Sequence[int] | None = None
    list_only: bool = False
    dry_run: bool = False
    quiet: bool = False


def run_experiment(declaration: Declaration, command: RunRequest, console: Console) -> int:
    """Run the chosen jobs of an experiment that are not done yet.

    Args:
        declaration: What the script declares.
        command: What the command line asked for.
        console: Where to print.

    Returns:
        0, or 1 when some job failed.

    Raises:
        UsageError: Anything that the user can mend; nothing has been trained.
        JobError: In debug mode, whatever the first failing job raised.
    """
    instances = resolve(declaration, command.numbers, command.overrides)
    if command.list_only:
        console.print(tables.instance_table(instances))
        return 0
    settings = instances[0].settings
    if settings.executor == "command" and not settings.debug_mode:
        console = make_console(is_error=True)  # the standard output is for its lines
    folder = results_folder(settings)
    folds = load_folds(folder, settings)
    with rebuild.without_collector():
        planned = make_plan(folder, instances, folds, fold_numbers=command.fold_numbers, overwrite=settings.overwrite_results)
    if command.dry_run:
        console.print(tables.fold_table(planned), tables.job_table(planned))
        return 0
    if planned.to_do:
        numbers = sorted({key.instance for key in planned.to_do})
        with track(folder, settings, numbers, console) as tracking:
            folder.prepare(declaration.description)
            with _derived_files(planned, console) as derived:
                outcomes = _run(planned, declaration, command, console, derived, tracking)
    else:
        outcomes = []
        folder.prepare(declaration.description)
        write_folds(folder, folds, settings.dataset, Path(settings.data_folder))  # those of other fold_repeats
        if not command.quiet:
            console.print(f"Nothing to do: all {len(planned.done)} jobs are done.")
        if rebuild.is_stale(folder):
            _print_damaged(rebuild.rebuild(folder), console)
            _write_page(planned, console, is_final=True)
    _end_replacing(planned)
    return tables.print_close(planned, outcomes, console)


def results_folder(settings: Settings) -> ExperimentFolder:
    """Return where the results of an experiment are or will be."""
    return ExperimentFolder(Path(settings.experiment_folder) / settings.dataset / f"experiment_{settings.num_experiment}")


def _run(
    planned: Plan,
    declaration: Declaration,
    command: RunRequest,
    console: Console,
    derived: BackgroundRebuild,
    tracking: Tracking | None,
) -> list[JobOutcome]:
    """Make what the jobs need, run them, and record those that fail."""
    settings = planned.instances[0].settings
    executor = find_executor("inline" if settings.debug_mode else settings.executor)
    run = partial(inline.run, raise_errors=True) if settings.debug_mode else executor.run
    slots, where = make_slots(executor, settings)
    if not command.quiet:
        console.print(where)
        for group in seed_twins({instance.number: instance.parameters for instance in planned.instances}):
            console.print(describe_seed_twins(group), soft_wrap=True)
    jobs = _prepare(planned, declaration, console, quiet=command.quiet)
    progress = JobProgress(console, jobs, quiet=command.quiet)
    outcomes: list[JobOutcome] = []
    n_begun = 0
    with progress:
        for stage in in_stages(jobs):
            if len(outcomes) < n_begun:
                waiting = (
                    f"{len(jobs) - n_begun} further job(s) read models of these: run this command again when they are done."
                )
                console.print(waiting, soft_wrap=True)
                break
            n_begun += len(stage)
            with closing(cast("Generator[JobOutcome]", run(stage, slots, progress.report))) as endings:
                for outcome in endings:
                    if outcome.status in FAILED:
                        job = next(job for job in stage if job.key == outcome.key)
                        _record_failure(job, outcome, console)
                    outcomes.append(outcome)
                    progress.end_job(outcome)
                    if tracking:
                        tracking.add(outcome)
                    derived.update()
    return outcomes


def _prepare(planned: Plan, declaration: Declaration, console: Console, *, quiet: bool) -> list[Job]:
    """Write what stands before any training: folds, settings, the code, and the feature stores."""
    from preprocessing.clips.columns import with_columns
    from preprocessing.corpus import open_corpus
    from preprocessing.quality.cautions import find_cautions

    settings = planned.instances[0].settings
    data_folder = Path(settings.data_folder)
    numbers = {key.instance for key in planned.to_do}
    corpus = open_corpus(settings.dataset, data_folder)
    for instance in planned.instances:
        with name_in_errors(_where(declaration, instance)):
            for warning in check_instance(planned, instance, corpus):
                if not quiet:
                    console.print(f"instance {instance.number}: {warning}", soft_wrap=True)
    stores: dict[int, Path] = {}
    cautions: dict[int, list[str]] = {}
    for instance in planned.instances:
        if instance.number in numbers:
            where = _where(declaration, instance)
            stores[instance.number] = make_instance_store(corpus, instance, console, where=where, quiet=quiet).folder
            cautions[instance.number] = find_cautions(corpus, instance.settings.feature_settings())
    for text in dict.fromkeys(text for texts in cautions.values() for text in texts):
        if not quiet:
            console.print(f"The corpus: {text}.", soft_wrap=True, markup=False)
    if settings.overwrite_results:
        staying = {fold.number for fold in planned.folds.folds} - set(planned.chosen_folds)
        for number in sorted(numbers):
            present = {key for key in planned.folder.jobs(number) if key.fold not in staying}
            planned.folder.replace(number, present.union(planned.jobs_of(number)))
    write_folds(planned.folder, planned.folds, settings.dataset, data_folder)
    own = {module for instance in planned.instances for module in instance.settings.own_modules()}
    with _script(declaration) as script:
        code_folder = snapshot.take_snapshot(planned.folder.path / "code", script, sorted(own))
    for instance in planned.instances:
        if instance.number in numbers:
            about = cautions[instance.number]
            write_settings(planned.folder, instance, declaration.description, declaration.script, about)
    return make_jobs(planned, code_folder, stores, with_columns(corpus.index, corpus.folder))


@contextmanager
def _script(declaration: Declaration) -> Iterator[Path]:
    """Yield the path of the script that declares the experiment; it is written for one that has none."""
    if declaration.script_path:
        yield Path(declaration.script_path)
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "experiment.py"
        path.write_text(snapshot.as_script(declaration), encoding="utf-8")
        yield path


def _end_replacing(planned: Plan) -> None:
    """Delete replaced results that all have their successors."""
    folds = [fold.number for fold in planned.folds.folds]
    for instance in planned.instances:
        if planned.folder.replaced_folder(instance.number).exists():
            available = job_keys(instance.number, folds, instance.settings.repeats)
            records = read_done(planned.folder, available)
            done = [
                key
                for key, found in records.items()
                if is_current(found, instance.settings_hash, planned.folds.hash_of(key.fold))
            ]
            planned.folder.end_replacing(instance.number, done, available)


def _where(declaration: Declaration, instance: Instance) -> str:
    """Return who is named in errors about the settings of an instance."""
    return f"{declaration.script}, instance {instance.number}"


def _record_failure(job: Job, outcome: JobOutcome, console: Console) -> None:
    try:
        record_failure(job, outcome)
    except OSError as error:
        console.print(f"{job.key}: its failure cannot be recorded: {error}")


@contextmanager
def _derived_files(planned: Plan, console: Console) -> Iterator[BackgroundRebuild]:
    """Update the derived files in the background, and rebuild them when the block ends, however it ends."""
    has_ended = False
    derived = BackgroundRebuild(planned.folder, write_page=lambda: _write_page(planned, console, is_final=False))
    try:
        yield derived
        has_ended = True
    finally:
        _print_damaged(derived.close(), console)
        _write_page(planned, console, is_final=has_ended)


def _write_page(planned: Plan, console: Console, *, is_final: bool) -> None:
    """Write the page, if there is to be one; a run does not fail because of it.

    Audio and leakage audit are left out until the end, and the audit of a large experiment then too: it reads every model.
    """
    page = planned.instances[0].settings.page
    if page == "none" or not planned.folder.folds_file.exists():  # without the folds the run failed before any training
        return
    n_jobs = len(planned.done) + len(planned.to_do)
    request = PageRequest(with_audio=is_final and page == "complete", with_audit=is_final and n_jobs <= _MOST_AUDITED)
    try:
        write_page(planned.folder, request)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the results are there
        console.print(f"the page is not up to date: {one_line(error)}", style="red", soft_wrap=True, markup=False)


def _print_damaged(damaged: Sequence[str], console: Console) -> None:
    """Print what is damaged and left out of the derived files."""
    for line in damaged:
        console.print(f"left out of the workbook: {line}", style="red", soft_wrap=True, markup=False)
