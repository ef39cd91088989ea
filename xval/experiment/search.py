"""Run the searches of an experiment, generation by generation, the trials of all folds and instances at once.

Trials are jobs that any executor runs; xval/engine/search/replay.py says which come next. In the end the jobs of searched
instances have the settings that their folds have chosen.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from itertools import groupby

from rich.console import Console

from preprocessing.clips.columns import with_columns
from preprocessing.corpus import Corpus
from xval.base.errors import SettingsError, how_to_install
from xval.base.json_files import write_json
from xval.engine.search.replay import FoldSearch
from xval.engine.search.storage import hide_values, open_storage
from xval.experiment.feature_stores import SCALING
from xval.experiment.progress import JobProgress
from xval.folds.split import inner_folds
from xval.jobs.claim import Report
from xval.jobs.fold_part import choose_clips
from xval.jobs.job import Job
from xval.jobs.observers import WatchedJobs
from xval.jobs.outcome import FAILED, JobOutcome, Outcomes
from xval.results.job_key import JobKey
from xval.settings.resolve import Declaration, Instance, resolve_values
from xval.settings.space import SearchPlan

RunJobs = Callable[[Sequence[Job], Report], Outcomes]


def check_search(instances: Sequence[Instance]) -> None:
    """Refuse a search where Optuna is not installed, or its data base cannot be opened."""
    searched = [instance.number for instance in instances if instance.settings.search]
    if searched and find_spec("optuna") is None:
        raise SettingsError(f"instance {searched[0]}: a search needs Optuna. Install it: {how_to_install('search')}.")
    if searched and (url := instances[0].settings.search_storage):
        open_storage(url)


def feature_variants(instance: Instance, resolve: Callable[[Mapping[str, object]], Instance]) -> list[Instance]:
    """Return an instance with each combination of the features that its search tries; itself, where it tries none.

    Where some trial scales by the statistics of its features, which are made with them, the instances that are returned do.
    """
    plan = instance.settings.search_plan
    if plan is None:
        return [instance]
    corners = list(plan.corners())
    scaling = [corner for corner in corners if corner.get("normalization") in SCALING]
    choices = list(plan.feature_choices()) or [{}] * bool(scaling)
    return [resolve((scaling or corners)[0] | values) for values in choices] or [instance]


def make_searches(
    jobs: Sequence[Job], declaration: Declaration, overrides: Mapping[str, object], corpus: Corpus
) -> dict[tuple[int, int], FoldSearch]:
    """Return the search of each fold that is searched, by instance and fold."""
    searches: dict[tuple[int, int], FoldSearch] = {}
    for job in jobs:
        plan, place = job.settings.search_plan, (job.instance, job.fold.number)
        if plan and place not in searches:
            searches[place] = make_search(job, plan, corpus, partial(resolve_values, declaration, job.instance, overrides))
    return searches


def make_search(job: Job, plan: SearchPlan, corpus: Corpus, resolve: Callable[[Mapping[str, object]], Instance]) -> FoldSearch:
    """Return the search of the fold of a job; its instance is resolved with values of the space."""
    settings = job.settings
    counting = choose_clips(settings, with_columns(corpus.index, corpus.folder)).get("training", corpus.index["clip"])
    folds = inner_folds(
        job.fold,
        plan.inner_folds,
        corpus.index[corpus.index["clip"].isin(counting)],
        task_type=settings.task_type,
        has_classes=settings.task.stratifies_classes,
        settings=settings.fold_settings(),
    )
    find_store = partial(_find_stored, corpus) if list(plan.feature_choices()) else None
    return FoldSearch(job, plan, folds, resolve, find_store)


def _find_stored(corpus: Corpus, instance: Instance) -> str:
    """Return where the features of an instance are, which `xval.experiment.prepare_jobs` has made."""
    from preprocessing.store.make import store_folder

    return str(store_folder(corpus, instance.settings.feature_settings()).resolve())


def run_searches(
    jobs: Sequence[Job],
    searches: Mapping[tuple[int, int], FoldSearch],
    run: RunJobs,
    record_failure: Callable[[Job, JobOutcome], None],
    console: Console,
    *,
    quiet: bool,
) -> tuple[list[Job], list[JobOutcome], int]:
    """Run the trials of all searches that are not done, as executors run jobs, and put what is chosen into the jobs.

    Returns:
        The jobs that can go on; the outcomes of trials that failed, and of folds that no trial of has a score; and how many
        folds wait for trials that another process or a scheduler has.
    """
    failed: dict[JobKey, JobOutcome] = {}
    waiting: dict[tuple[int, int], FoldSearch] = dict(searches)
    open_keys: set[JobKey] = set()

    def take(job: Job, outcome: JobOutcome) -> None:
        if outcome.status in FAILED:
            failed[outcome.key] = outcome
            record_failure(job, outcome)
        elif outcome.status == "done":
            open_keys.discard(outcome.key)

    while True:
        ahead = {place: search.next_jobs(failed) for place, search in waiting.items()}
        # What has run and has no record is with another process, or handed on to a scheduler.
        stage = [job for fold_jobs in ahead.values() if not open_keys & {job.key for job in fold_jobs} for job in fold_jobs]
        waiting = {place: search for place, search in waiting.items() if ahead[place]}
        if not stage:
            break
        _say(waiting, console, quiet=quiet)
        _copy(waiting.values(), console)
        open_keys |= {job.key for job in stage}
        with JobProgress(console, stage, quiet=quiet) as progress:
            WatchedJobs(stage, progress.watch).run(run, take)
    ready_jobs, outcomes = list[Job](), list(failed.values())
    for job in jobs:
        search = searches.get((job.instance, job.fold.number))
        if search is None:
            ready_jobs.append(job)
        elif (job.instance, job.fold.number) not in waiting:
            if (chosen := search.choose(job)) is not None:
                search.write_journal()
                if not _is_kept(chosen):
                    ready_jobs.append(chosen)
                elif not quiet:
                    stays = f"the model of trial {(chosen.chosen or {}).get('trial')} stays"
                    console.print(f"{job.key}: the additional trials were no better; {stays}.", markup=False)
            else:
                outcome = JobOutcome.of(job.key, "failed", error=_describe_none(search))
                record_failure(job, outcome)
                outcomes.append(outcome)
    _copy(searches.values(), console)
    return ready_jobs, outcomes, len(waiting)


def _is_kept(job: Job) -> bool:
    """Return whether the model of a fold whose search has gone on stays, and write the further trials into its record.

    That is where the same trial is the best: training with its settings again would end as it has.
    """
    folder, chosen = job.folder, job.chosen or {}
    record = folder.record(*job.key)
    if not record or record["status"] != "done" or not record.get("search"):
        return False
    earlier = record["search"]
    n_earlier = len(earlier["trials"])
    is_same = all(earlier[name] == chosen[name] for name in ("trial", "values", "score")) and n_earlier < len(chosen["trials"])
    if not is_same or replace(job.identity, settings_hash=None).changes(record):
        return False
    path = folder.fold_folder(*job.key) / "record.json"
    write_json(path, record | {"settings_hash": job.settings_hash, "search": dict(chosen)})
    return True


def _copy(searches: Iterable[FoldSearch], console: Console) -> None:
    """Copy searches into the data base of the settings, if there is one; it is a copy, so that a fault of it ends nothing."""
    for url, url_searches in groupby(searches, lambda search: search.job.settings.search_storage):
        try:
            if url:
                storage = open_storage(url)
                for search in url_searches:
                    search.copy_to(storage)
        except Exception as error:  # noqa: BLE001 - whatever a driver of a data base raises
            reason = hide_values(str(url), str(error).partition("\n")[0])
            console.print(f"The search could not be copied to {url}: {reason}", soft_wrap=True, markup=False)


def _say(waiting: Mapping[tuple[int, int], FoldSearch], console: Console, *, quiet: bool) -> None:
    if quiet:
        return
    by_instance: dict[int, list[str]] = {}
    for (instance, fold), search in waiting.items():
        by_instance.setdefault(instance, []).append(
            f"{f'fold {fold}' if fold else 'all items'}: {len(search.tried)} of {search.n_trials}"
        )
    for instance, folds in by_instance.items():
        console.print(f"Search of instance {instance}, trials that have ended: {'; '.join(folds)}.", soft_wrap=True)


def _describe_none(search: FoldSearch) -> str:
    states = [trial.state for trial in search.tried]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    return f"no trial of the search has a score ({counts}); see the records in search/"
