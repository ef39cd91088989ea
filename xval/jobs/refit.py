"""How the final model of an instance is trained, which has no validation items to tell when to stop.

Comes in: the folds of the experiment, the records and histories of the instance's finished folds. Goes out: a `Refit`, the
epochs that the folds chose with the learning rates that they had, and what cross-validation estimates.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import geometric_mean, median, median_low
from typing import TYPE_CHECKING, Any

from xval.base.errors import SettingsError
from xval.folds.plan import Fold, FoldPlan
from xval.folds.predefined import SIDES
from xval.jobs.fold_part import part_of_fold
from xval.jobs.job import Refit
from xval.results.folder import ALL_ITEMS
from xval.results.instance import InstanceResults
from xval.settings.architectures import COMBINATION, trains_network
from xval.settings.combination import CombinationOptions
from xval.settings.optimizers import schedule_name
from xval.settings.resolve import Instance
from xval.settings.schema import Settings
from xval.settings.space import option_text

if TYPE_CHECKING:
    import pandas as pd


# These lead from the first to the last of num_epochs epochs, and to nothing behind it.
_SPANNING = ("cosine", "linear", "logarithmic")


def all_items(folds: FoldPlan, settings: Settings, clips: "pd.DataFrame") -> Fold:
    """Return the fold in which the items of all folds train, and none is left to validate or test.

    Items without a clip of train_where are left out; an instance that trains on a share of the items is refused.
    """
    if settings.train_fraction < 1:
        raise SettingsError(
            f"train_fraction={settings.train_fraction:g} trains on a share of the items, but the final model is trained on "
            "all. Refit an instance with train_fraction = 1."
        )
    items = {item for fold in folds.folds for side in SIDES for item in getattr(fold, side)}
    return part_of_fold(Fold(ALL_ITEMS, tuple(sorted(items)), (), ()), settings, clips, settings.seed)


def refuse_what_needs_folds(instance: Instance, epochs: int | None = None) -> None:
    """Refuse instances that read models of folds without a final form, and epochs for an architecture that has none."""
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
    """Return the median of the folds' best epochs, to the nearest whole number; a half goes up."""
    return max(1, math.floor(median(best_epochs) + 0.5))


def choose_learning_rates(settings: Settings, epochs: int, fold_rates: Sequence[Sequence[float]]) -> tuple[float, ...] | None:
    """Return the learning rate of each epoch, where the schedule cannot say it without validation items.

    That is the schedule `plateau`. Its rate in an epoch is the (lower) median of those that the folds had in that epoch; folds
    that had stopped before count with their last rate, so that it never rises again. None where the schedule says it.
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
    """Return the geometric mean of the temperatures of the folds, found on their validation items; None if none has one."""
    known = [record["temperature"] for record in records if record.get("temperature")]
    return geometric_mean(known) if known else None


def median_thresholds(records: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Return for each label the median of the thresholds that validation items chose; none where a clip has one class."""
    known = [record["thresholds"] for record in records if "thresholds" in record]
    return {label: median([thresholds[label] for thresholds in known]) for label in known[0]} if known else {}


def describe_choice(
    instance: int,
    records: Iterable[Mapping[str, Any]],
    epochs: int | None,
    refit: Refit,
    chosen: Mapping[str, Any] | None = None,
) -> str:
    """Return what the folds, or the search on all items, chose for the final model.

    `epochs` are those that were asked for (None: the folds chose), `chosen` what the search chose (None: nothing searched).
    """
    if not refit.epochs:
        if settings := refit.facts.get("classifier_settings"):
            return f"Instance {instance}: {settings}, on average the best on the validation items of the folds."
        settings_chosen = "; ".join(dict.fromkeys(str(record["classifier_settings"]) for record in records))
        return f"Instance {instance}: folds chose {settings_chosen}; the search is repeated on all items."
    if chosen:
        values = ", ".join(f"{name}={option_text(value)}" for name, value in chosen["values"].items())
        reason = "as requested" if epochs is not None else "which were best for it"
        trial = f"trial {chosen['trial']} ({values}); {refit.epochs} epoch{'s' * (refit.epochs != 1)}"
        return f"Instance {instance}: the search on all items chose {trial}, {reason}."
    listed = ", ".join(str(record["best_epoch"]) for record in records)
    if epochs is not None:
        return f"Instance {instance}: {epochs} epoch{'s' * (epochs != 1)}, as requested; the folds chose {listed}."
    epoch = f"{refit.epochs} epoch{'s' * (refit.epochs != 1)}"
    return f"Instance {instance}: {epoch}, the median of the folds' choices: {listed}."


def expected_figures(instance: InstanceResults, side: str) -> dict[str, dict[str, Any]]:
    """Return what cross-validation estimates: of each metric the mean and the deviation over the folds, and their number.

    The side is ``test`` or ``clip_test``.
    """
    figures = {name: instance.over_folds(side, name) for name in instance.metrics(side)}
    return {name: {"mean": figure["mean"], "std": figure["std"], "n": figure["n"]} for name, figure in figures.items()}
