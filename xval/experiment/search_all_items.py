"""Search the settings and the best number of epochs for the final model of an instance on all items, as each fold has searched.

The nested scores of the folds estimate this procedure too: a search and a training.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Console

from xval.base.errors import JobError
from xval.experiment.search import RunJobs, check_search, make_search, run_searches
from xval.jobs.job import Job
from xval.jobs.outcome import JobOutcome
from xval.jobs.written_settings import with_values
from xval.results.read import read_history
from xval.settings.resolve import Instance

if TYPE_CHECKING:
    from preprocessing.corpus import Corpus


@dataclass(frozen=True)
class Chosen:
    """What the search on all items has chosen.

    Attributes:
        job: The job of the final model with the settings of the best trial.
        best_epochs: The best epoch of that trial in each inner fold.
        learning_rates: Of the epochs of that trial, for each inner fold.
    """

    job: Job
    best_epochs: list[int]
    learning_rates: list[Sequence[float]]


def search_all_items(
    job: Job,
    instance: Instance,
    corpus: "Corpus",
    run: RunJobs,
    record_failure: Callable[[Job, JobOutcome], None],
    console: Console,
) -> Chosen:
    """Search as in a fold. Trials are scored by the inner folds of all items; without any, by `validation_fraction` of them.

    The fold of the job has training items alone.
    """
    check_search([instance])
    plan = instance.settings.search_plan
    if plan is None:
        raise ValueError(f"instance {instance.number} is not searched")
    search = make_search(job, plan, corpus, partial(with_values, instance))
    place = (instance.number, job.fold.number)
    jobs, outcomes, n_waiting = run_searches([job], {place: search}, run, record_failure, console, quiet=False)
    if not jobs:
        errors = "; ".join(dict.fromkeys(outcome.error for outcome in outcomes))
        reason = "another process runs its trials. Wait until they have finished" if n_waiting else errors
        raise JobError(f"instance {instance.number}: the search on all items has chosen nothing: {reason}.")
    chosen = jobs[0]
    best = search.tried[(chosen.chosen or {})["trial"] - 1]
    paths = [job.folder.fold_folder(*place, number, best.number) / "history.csv" for number in range(1, len(search.folds) + 1)]
    return Chosen(chosen, search.best_epochs(best), [read_history(path, "learning_rate")["learning_rate"] for path in paths])
