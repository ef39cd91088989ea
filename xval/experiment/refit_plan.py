"""How the final model of an instance is trained, and whether it is there already."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xval.answers.figure_text import format_interval, interval_clause
from xval.answers.pretrained import judge_instance, to_record
from xval.answers.read import read_instance
from xval.answers.summary import test_side
from xval.base.csv_text import read_csv
from xval.base.errors import REMEDY, ResultsError
from xval.experiment.search_all_items import Chosen
from xval.folds.plan import FoldPlan
from xval.jobs.job import Refit
from xval.jobs.plan import identity_of
from xval.jobs.refit import choose_epochs, choose_learning_rates, expected_figures, mean_temperature, median_thresholds
from xval.jobs.written_settings import differences
from xval.models.saved.initial import name_model
from xval.models.saved.novelty import limit_ratio_of
from xval.results.folder import ALL_ITEMS, ExperimentFolder
from xval.results.job_key import JobKey
from xval.results.read import Record, read_history
from xval.settings.architectures import COMBINATION, trains_network
from xval.settings.combination import CombinationOptions
from xval.settings.resolve import Instance

if TYPE_CHECKING:
    import pandas as pd

_EXPECTED_NOTE = (
    "The scores are the mean and sample standard deviation over the folds, whose models were tested on unseen items. They are "
    "the estimate of cross-validation for a model trained like this, not a test of this model. If the model was chosen among "
    "several, they are optimistic; the nested value in results.xlsx is not."
)


def plan_refit(
    folder: ExperimentFolder, instance: Instance, records: Mapping[JobKey, Record], epochs: int | None, chosen: Chosen | None
) -> Refit:
    """Return how to train: epochs, learning rates, and what the record says of both and of what to expect.

    Args:
        folder: Of the experiment.
        instance: The instance.
        records: Of its folds.
        epochs: Those that were asked for; None: the folds, or the search, choose.
        chosen: By the search on all items; None: the instance is not searched.
    """
    finished = read_instance(folder, instance.number)
    if finished is None:
        raise ResultsError(f"{folder.path}: instance {instance.number} has no settings.json. Run the experiment first.")
    side = test_side([finished])
    expected = {
        "expected": expected_figures(finished, side),
        "expected_intervals": {
            name: format_interval(figure, finished.over_folds(side, name)["mean"])
            for name in finished.metrics(side)
            if (figure := finished.item_figure(side, name))
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
    n_epochs = epochs or choose_epochs([best for of_fold in best_epochs.values() for best in of_fold])
    histories = [read_history(folder.fold_folder(*key) / "history.csv", "learning_rate")["learning_rate"] for key in records]
    return Refit(n_epochs, choose_learning_rates(instance.settings, n_epochs, histories), facts)


def _classifier_settings(
    folder: ExperimentFolder, instance: Instance, records: Mapping[JobKey, Record]
) -> dict[str, Any] | None:
    """Return the settings with the best mean score on the validation items of the folds, for the classifier behind networks.

    None of a combination without networks, and of baselines: these search again, by leaving out some of all items. Behind
    networks that says nothing, as the networks have been trained on all of them.
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

    grid = EstimatorSpec.of_combination(options.classifier, options.pca_components).grid
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
    """Return whether the final model is there, trained on these folds with these parameters; refuse one trained otherwise."""
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
