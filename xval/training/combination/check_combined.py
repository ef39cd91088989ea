"""Check that the models of a combination of features were made for the features of the instance.

An error names the fix. Keras is not loaded here: the model.json next to each model has its features.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from preprocessing.features.feature_settings import FeatureSettings
from xval.base.errors import FoldsError, ResultsError, SettingsError
from xval.base.json_files import read_json
from xval.base.setting_fields import later_values
from xval.folds.plan import Fold
from xval.jobs.fold_part import Clips
from xval.jobs.model_files import refuse_replaced
from xval.models.saved.provenance import Leakage, Provenance
from xval.results.folder import ESTIMATOR_NAME


def check_files(path: Path, features: FeatureSettings, *, is_custom: bool, is_fetched: bool = False) -> dict[str, Any]:
    """Return the model.json next to a model.keras, after checking that both exist and that the features match.

    A downloaded model has none; its input shape is compared when it is read.
    """
    if (path.parent / ESTIMATOR_NAME).is_file():
        raise SettingsError(no_network(path))
    if is_fetched:
        return {}
    if not path.is_file():
        raise SettingsError(
            f"models: {path} does not exist (paths are relative to the folder where the command runs). Train that instance "
            "first, with these folds, or correct the path"
        )
    try:
        refuse_replaced(path, "models")
    except ResultsError as error:
        raise SettingsError(str(error)) from error
    described = read_json(path.parent / "model.json")
    if described is None or "feature_settings" not in described:
        raise SettingsError(
            f"models: {path} has no model.json next to it, which describes its features. Copy it from the folder where the "
            "model was trained"
        )
    if described.get("scaled_by_item"):
        raise SettingsError(
            f"models: {path} was trained with normalization=per_item, but a combination uses unscaled features. Train that "
            "instance with normalization=per_bin"
        )
    check_made_for(path, described["feature_settings"], features, is_custom=is_custom)
    return described


def no_network(path: Path) -> str:
    """Return the error for the path of a model in the folder of a combination or a baseline."""
    return (
        f"models: {path} is a fold of a scikit-learn estimator, which has no network. Give the folds of an instance with a "
        "network"
    )


def judge_model(path: Path, fold: Fold, dataset: str, corpus_folder: Path, counted: Clips) -> Leakage:
    """Return the `Provenance.verdict` on a model and a fold; raise an error for a model that has seen test data."""
    verdict = Provenance(path).verdict(fold, dataset, corpus_folder, counted)
    if verdict.state == "leaked":
        raise FoldsError(f"fold {fold.number}: models: {path} {verdict.reason}")
    return verdict


def check_made_for(path: Path, made_for: Mapping[str, Any], features: FeatureSettings, *, is_custom: bool) -> None:
    """Raise an error for a model with features other than those of the instance; arrays of a script have no settings.

    Waveforms may be of another length: see `takes_lengths`.
    """
    wanted, later = features.model_dump(mode="json"), later_values(FeatureSettings)
    differing = [
        f"{name} is {made_for.get(name)!r} there and {value!r} here"
        for name, value in wanted.items()
        if made_for.get(name, later.get(name)) != value and not is_custom
        if name != "clip_length_s" or not _fits_length(made_for.get(name), features)
    ]
    if differing:
        raise SettingsError(
            f"models: {path} was trained on other features: {'; '.join(differing)}. Give this instance the feature settings "
            "of the model (only clip_length_s may be shorter there, for whole waveforms)"
        )


def takes_lengths(features: FeatureSettings) -> bool:
    """Return whether examples of another length follow from those of an instance, to the bit: samples of whole clips.

    The last frames of stored features depend on the samples after them, and their decibels may refer to the whole clip.
    """
    is_whole = features.crop_s is None and features.example_length_s is None
    return features.features == "waveform" and is_whole and features.padding != "masked"


def _fits_length(length_s: float | None, features: FeatureSettings) -> bool:
    """Return whether the examples of a combination cover those of a model with another clip_length_s."""
    reads_s = features.clip_length_s
    return takes_lengths(features) and (reads_s is None or (length_s is not None and length_s <= reads_s))
