"""Plan the training of a final model, which has no validation items for early stopping, and check whether it exists."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import geometric_mean, median, median_low
from typing import TYPE_CHECKING, Any

from rich.console import Console

from preprocessing.corpus import Corpus
from xval.answers.pretrained import judge_instance, to_record
from xval.answers.read import read_instance
from xval.answers.score_text import format_interval, interval_clause
from xval.answers.summary import test_side
from xval.base.csv_text import read_csv
from xval.base.errors import REMEDY, JobError, ResultsError, SettingsError
from xval.experiment.search import RunJobs, check_search, make_search, run_searches
from xval.folds.plan import Fold, FoldPlan
from xval.folds.predefined import SIDES
from xval.jobs.fold_part import part_of_fold
from xval.jobs.job import Job, Refit
from xval.jobs.outcome import JobOutcome
from xval.jobs.plan import identity_of
from xval.jobs.written_settings import differences, with_values
from xval.models.saved.initial import name_model
from xval.models.saved.novelty import limit_ratio_of
from xval.results.folder import ALL_ITEMS, ExperimentFolder
from xval.results.instance import InstanceResults
from xval.results.job_key import JobKey
from xval.results.read import Record, read_history
from xval.settings.architectures import COMBINATION, trains_network
from xval.settings.classical import grid_of
from xval.settings.combination import CombinationOptions
from xval.settings.optimizers import schedule_name
from xval.settings.resolve import Instance
from xval.settings.schema import Settings
from xval.settings.space import option_text

if TYPE_CHECKING:
    import pandas as pd


# These lead from the first to the last of num_epochs epochs, and to nothing behind it.
_SPANNING = ("cosine", "linear", "logarithmic")
_EXPECTED_NOTE = (
    "The scores are the mean and sample standard deviation over the folds, whose models were tested on unseen items. They are "
    "the estimate of cross-validation for a model trained like this, not a test of this model. If the model was chosen among "
    "several, they are optimistic; the nested value in results.xlsx is not."
)


@dataclass(frozen=True)
class Chosen:
    """The result of the search on all items.

    Attributes:
        job: The job of the final model with the settings of the best trial.
        best_epochs: The best epoch of that trial in each inner fold.
        learning_rates: The learning rates of the epochs of that trial, for each inner fold.
    """

    job: Job
    best_epochs: list[int]
    learning_rates: list[Sequence[float]]


def search_all_items(
    job: Job,
    instance: Instance,
    corpus: Corpus,
    run: RunJobs,
    record_failure: Callable[[Job, JobOutcome], None],
    console: Console,
) -> Chosen:
    """Search as in a fold. Inner folds of all items score a trial; without them, `validation_fraction` of the items do.

    The fold of the job only has training items. The nested scores of the folds also estimate this procedure: search and
    training.
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


def plan_refit(
    folder: ExperimentFolder, instance: Instance, records: Mapping[JobKey, Record], epochs: int | None, chosen: Chosen | None
) -> Refit:
    """Return the plan of the training: epochs, learning rates, and the entries of the record on both and on expected scores.

    Args:
        folder: Folder of the experiment.
        instance: The instance.
        records: The records of its folds.
        epochs: The requested number of epochs; None: the folds, or the search, choose.
        chosen: The result of the search on all items; None: the instance has no search.
    """
    finished = read_instance(folder, instance.number)
    if finished is None:
        raise ResultsError(f"{folder.path}: instance {instance.number} has no settings.json. Run the experiment first.")
    side = test_side([finished])
    expected = {
        "expected": expected_figures(finished, side),
        "expected_intervals": {
            name: format_interval(score, finished.over_folds(side, name)["mean"])
            for name in finished.metrics(side)
            if (score := finished.item_score(side, name))
        },
        "expected_about": interval_clause([finished]),
        "expected_side": side,
        "expected_note": _EXPECTED_NOTE,
        "expected_origin": to_record(judge_instance(finished)),
    }
    best_epochs: dict[str, list[int]] = {}
    for key, record in records.items():
        best_epochs.setdefault(str(key.fold), []).append(int(record.get("best_epoch", 0)))
    chosen_by = "folds" if chosen is None else "search"
    facts: dict[str, Any] = expected | {
        "epochs_chosen_by": chosen_by if epochs is None else "--epochs",
        "best_epochs_of_folds": {fold: best[0] if len(best) == 1 else best for fold, best in best_epochs.items()},
    }
    if thresholds := median_thresholds(records.values()):
        facts["thresholds"] = thresholds
    facts["novelty_limit_ratio"] = limit_ratio_of(records.values())
    temperature, is_network = mean_temperature(records.values()), trains_network(instance.settings.architecture)
    facts |= {"temperature": temperature} if temperature or not is_network else {}
    if not is_network:
        if chosen_settings := _classifier_settings(folder, instance, records):
            facts["classifier_settings"] = chosen_settings
        return Refit(0, None, facts)
    if chosen is not None:
        n_epochs = epochs or choose_epochs(chosen.best_epochs)
        return Refit(n_epochs, choose_learning_rates(chosen.job.settings, n_epochs, chosen.learning_rates), facts)
    n_epochs = epochs or choose_epochs([best for fold_epochs in best_epochs.values() for best in fold_epochs])
    histories = [read_history(folder.fold_folder(*key) / "history.csv", "learning_rate")["learning_rate"] for key in records]
    return Refit(n_epochs, choose_learning_rates(instance.settings, n_epochs, histories), facts)


def _classifier_settings(
    folder: ExperimentFolder, instance: Instance, records: Mapping[JobKey, Record]
) -> dict[str, Any] | None:
    """Return the settings with the best mean score on the validation items of the folds, for the classifier after networks.

    None for a combination without networks, and for baselines, which search again by leaving out some of the items. After
    networks this would be misleading, because the networks have been trained on all items.
    """
    if instance.settings.architecture != COMBINATION:
        return None
    options = CombinationOptions.of(instance.options)
    if not options.models:
        return None
    import pandas as pd

    tables = [_read_grid(folder.fold_folder(*key) / "grid.csv") for key in records]
    means = pd.concat([table["macro_f1"] for table in tables], axis=1).mean(axis=1)
    if means.empty:
        return None
    from sklearn.model_selection import ParameterGrid

    from xval.training.classical.estimators import EstimatorSpec

    grid = EstimatorSpec.for_combination(options.classifier, options.pca_components).grid
    settings = list(ParameterGrid({name: list(values) for name, values in grid.items()}))  # the rows of grid.csv
    return dict(settings[int(means.argmax())])


def _read_grid(path: Path) -> "pd.DataFrame":
    try:
        return read_csv(path, (), keep_default_na=True).astype({"macro_f1": float})
    except (OSError, ValueError, KeyError) as error:
        raise ResultsError(f"{path}: missing or damaged ({error!r:.150}). {REMEDY}") from error


def is_there(
    folder: ExperimentFolder, instance: Instance, folds: FoldPlan, refit: Refit, parameters: Mapping[str, object]
) -> bool:
    """Return whether the final model exists; raise an error if it was trained with other folds or parameters."""
    record = folder.record(instance.number, ALL_ITEMS)
    if record is None:
        return False
    changes = differences(record["parameters"], parameters)
    identity = identity_of(instance, folds.hash)
    changed = identity.changes(record)
    if "folds_hash" in changed:
        changes.append(f"the folds or the dataset were different (hash {record['folds_hash']}, now {folds.hash})")
    if record["epochs"] != refit.epochs:
        changes.append(f"epochs was {record['epochs']}, now {refit.epochs}")
    if record["expected"] != refit.facts["expected"]:
        changes.append("the folds have run again since and have other test scores")
    if code := identity.code_changes(record):
        changes.append(code)
    if "models" in changed:
        changes.append(f"another model was at {name_model(instance.settings)}")
    if changes:
        raise ResultsError(
            f"{folder.fold_folder(instance.number, ALL_ITEMS)}: the final model there was trained differently: "
            f"{'; '.join(changes)}. Keep it, or replace it with --overwrite."
        )
    return True


def all_items(folds: FoldPlan, settings: Settings, clips: "pd.DataFrame") -> Fold:
    """Return the fold in which all items train, and none is left for validation or test.

    Items without a clip of train_where are excluded; raises an error if an instance trains on a share of the items.
    """
    if settings.train_fraction < 1:
        raise SettingsError(
            f"train_fraction={settings.train_fraction:g} trains on a share of the items, but the final model is trained on "
            "all. Refit an instance with train_fraction = 1."
        )
    items = {item for fold in folds.folds for side in SIDES for item in getattr(fold, side)}
    return part_of_fold(Fold(ALL_ITEMS, tuple(sorted(items)), (), ()), settings, clips, settings.seed)


def refuse_what_needs_folds(instance: Instance, epochs: int | None = None) -> None:
    """Raise an error for instances that read fold models without a final model, and for epochs without a network."""
    where, initial = f"instance {instance.number}", instance.settings.start_model
    if instance.settings.architecture == COMBINATION:
        try:
            CombinationOptions.of(instance.options).final_paths()
        except SettingsError as error:
            raise SettingsError(f"{where}: {error}") from error
    if epochs and not trains_network(instance.settings.architecture):
        raise SettingsError(f"--epochs: architecture '{instance.settings.architecture}' has none. Remove --epochs.")
    if initial is not None and "{fold}" in initial:
        raise SettingsError(
            f"{where}: initial_model='{initial}' is a different model in each fold, but the final model has no fold. Refit "
            "the experiment of those models, then run and refit an instance that starts from the one model."
        )


def choose_epochs(best_epochs: Sequence[int]) -> int:
    """Return the median of the folds' best epochs, rounded to the nearest whole number, halves up."""
    return max(1, math.floor(median(best_epochs) + 0.5))


def choose_learning_rates(settings: Settings, epochs: int, fold_rates: Sequence[Sequence[float]]) -> tuple[float, ...] | None:
    """Return the learning rate of each epoch if the schedule cannot compute it without validation items.

    This is the schedule `plateau`. Its rate in an epoch is the (lower) median of the rates of the folds in that epoch; folds
    that have stopped count with their last rate, so that it never increases. None for other schedules.
    """
    name = schedule_name(settings.schedule)
    if name in _SPANNING and epochs > settings.num_epochs:
        raise SettingsError(
            f"--epochs {epochs}: schedule='{name}' is defined only for num_epochs={settings.num_epochs}; expected 1 to "
            f"{settings.num_epochs}."
        )
    if name != "plateau":
        return None
    return tuple(median_low([rates[min(epoch, len(rates) - 1)] for rates in fold_rates]) for epoch in range(epochs))


def mean_temperature(records: Iterable[Mapping[str, Any]]) -> float | None:
    """Return the geometric mean of the temperatures of the folds, fitted to their validation items; None without any."""
    known = [record["temperature"] for record in records if record.get("temperature")]
    return geometric_mean(known) if known else None


def median_thresholds(records: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Return the median of the thresholds that validation items chose, for each label; None if clips have one class."""
    known = [record["thresholds"] for record in records if "thresholds" in record]
    return {label: median([thresholds[label] for thresholds in known]) for label in known[0]} if known else {}


def describe_choice(
    instance: Instance,
    records: Iterable[Mapping[str, Any]],
    epochs: int | None,
    refit: Refit,
    chosen: Mapping[str, Any] | None = None,
) -> str:
    """Return the facts that the folds, or the search on all items, chose for the final model.

    `epochs` is the requested number (None: the folds chose), `chosen` the result of the search (None: no search).
    """
    called = f"Instance {instance.number}"
    if not refit.epochs:
        if settings := refit.facts.get("classifier_settings"):
            return f"{called}: {_list_values(settings)}, on average the best on the validation items of the folds."
        listed = "; ".join(filter(None, dict.fromkeys(_list_values(record["classifier_settings"]) for record in records)))
        if not listed:
            return f"{called}: its estimator has no settings to choose, and is fitted on all items."
        is_combination = instance.settings.architecture == COMBINATION
        if not is_combination and all(len(values) == 1 for values in grid_of(instance.options).values()):
            return f"{called}: {listed}, as set; fitted on all items."
        return f"{called}: the folds chose {listed}; the search is repeated on all items."
    if chosen:
        reason = "as requested" if epochs is not None else "which were best for it"
        trial = f"trial {chosen['trial']} ({_list_values(chosen['values'])}); {refit.epochs} epoch{'s' * (refit.epochs != 1)}"
        return f"{called}: the search on all items chose {trial}, {reason}."
    listed = ", ".join(str(record["best_epoch"]) for record in records)
    if epochs is not None:
        return f"{called}: {epochs} epoch{'s' * (epochs != 1)}, as requested; the folds chose {listed}."
    epoch = f"{refit.epochs} epoch{'s' * (refit.epochs != 1)}"
    return f"{called}: {epoch}, the median of the folds' choices: {listed}."


def _list_values(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={option_text(value)}" for name, value in values.items())


def expected_figures(instance: InstanceResults, side: str) -> dict[str, dict[str, Any]]:
    """Return the estimates of cross-validation: mean and standard deviation over folds for each metric, and their number.

    The side is ``test`` or ``clip_test``.
    """
    scores = {name: instance.over_folds(side, name) for name in instance.metrics(side)}
    return {name: {"mean": score["mean"], "std": score["std"], "n": score["n"]} for name, score in scores.items()}
