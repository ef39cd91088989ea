"""Choose the number of repeats for `fold_repeats = auto` with a reason: three if training is cheap, otherwise one."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from preprocessing.corpus import open_corpus
from xval.base.errors import FoldsError, SettingsError, counted
from xval.base.keras_backends import AUTO
from xval.jobs.folds_file import load_folds
from xval.results.folder import ExperimentFolder
from xval.results.open import open_results
from xval.settings.architectures import trains_network
from xval.settings.resolve import Declaration, Instance, resolve
from xval.settings.schema import Settings, default_settings

N_REPEATS = 3
MOST_TRAINED = 20_000  # clips times epochs, of an instance in one fold


def settle_fold_repeats(
    declaration: Declaration, overrides: Mapping[str, object], chosen: list[Instance], folder: ExperimentFolder
) -> tuple[Declaration, str]:
    """Return the declaration with the number of repeats, and the reason; unchanged, with an empty text, if it is not `auto`.

    All declared instances decide because they share the folds, or only the chosen ones if others have errors.

    Raises:
        UsageError: There is no corpus, or it cannot be split.
    """
    layers = default_settings() | declaration.parameters | dict(overrides)
    if layers["fold_repeats"] != AUTO:
        return declaration, ""
    instances = chosen
    with suppress(SettingsError):
        instances = resolve(declaration, None, overrides)
    n_fold_repeats, why = _choose([instance.settings for instance in instances], folder)
    times = counted(n_fold_repeats, "repeat of the cross-validation", "repeats of the cross-validation")
    return replace(declaration, n_fold_repeats=n_fold_repeats), f"fold_repeats = auto: {times}, {why}."


def _choose(all_settings: list[Settings], folder: ExperimentFolder) -> tuple[int, str]:
    settings = all_settings[0]
    if folder.folds_file.exists() and (results := open_results(folder)).done(
        key for number in folder.instances() for key in folder.jobs(number)
    ):
        n_fold_repeats = results.folds.plan.n_fold_repeats
        if n_fold_repeats == 1 or settings.fold_strategy == "balanced":
            return n_fold_repeats, "as in the existing results"
    if settings.fold_strategy != "balanced":
        return 1, f"because fold_strategy = {settings.fold_strategy} has only one way to split"
    if settings.repeats > 1:
        return 1, "because repeats already train each fold several times"
    index = open_corpus(settings.dataset, Path(settings.data_folder)).index
    n_clips = int((~index["augmented"].astype(bool)).sum())
    most = max(n_clips * (of.num_epochs if trains_network(of.architecture) else 1) for of in all_settings)
    trained = f"an instance trains on {counted(most, 'clip')} in all epochs of a fold"
    if any(of.search_plan for of in all_settings):
        return 1, "because settings are searched"
    if most > MOST_TRAINED:
        return 1, f"because {trained}, more than {MOST_TRAINED}"
    try:
        load_folds(folder, settings.model_copy(update={"fold_repeats": N_REPEATS}))
    except FoldsError:
        return 1, f"because the items cannot be split {N_REPEATS} times"
    return N_REPEATS, f"because {trained}, at most {MOST_TRAINED}"
