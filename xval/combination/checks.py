"""Check an instance that combines features before anything is trained.

Comes in: an instance, its corpus and the folds to run. Goes out: warnings, or an error that names what to mend. Keras is not
loaded here; whether models can be cut as asked is checked with all other models, in xval/worker/check_models.py.
"""

from collections.abc import Collection, Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from preprocessing.corpus import Corpus
from preprocessing.features.settings import FeatureSettings
from xval.combination.leakage import judge
from xval.errors import FoldsError, SettingsError, how_to_install
from xval.folds.split import Fold
from xval.json_files import read_json
from xval.settings.combination import CombinationOptions


def check_instance(
    options: CombinationOptions,
    features: FeatureSettings,
    corpus: Corpus,
    folds: Iterable[Fold],
    to_come: Mapping[Path, FeatureSettings] | None = None,
) -> list[str]:
    """Check what an instance needs.

    Args:
        options: Its options.
        features: Its feature settings.
        corpus: The corpus.
        folds: The folds that are to run.
        to_come: The models that jobs of the same run will write before, by their resolved paths, with the feature settings of
            their instances.

    Returns:
        A warning for each model that may have seen what is tested or validated.

    Raises:
        SettingsError: skops is missing, a model is, or one was made for other features.
        CorpusError: Basic features are wanted of a corpus without audio.
        FoldsError: A model has been trained on test items, or a fold has one training item alone.
        ResultsError: A file beside a model is damaged.
    """
    check_skops()
    if corpus.is_custom and options.basic_features:
        raise SettingsError(
            f"basic_features are computed from audio, and dataset '{corpus.dataset}' was made of arrays "
            "(preprocessing.store.write). Set basic_features=False, and combine models"
        )
    known = to_come or {}
    unclear: dict[tuple[str, str], list[int]] = {}
    for fold in folds:
        if len(fold.training) < 2:
            raise FoldsError(
                f"fold {fold.number} has one training item alone; the settings of a classifier are searched by leaving "
                "training items out, for which two are wanted. Use other folds."
            )
        for pattern, name in zip(options.models, options.model_paths(fold.number), strict=True):
            path = Path(name)
            written = known.get(path.resolve())
            if written is not None:
                check_features(path, written.model_dump(mode="json"), features, is_custom=corpus.is_custom)
                continue
            check_files(path, features, is_custom=corpus.is_custom)
            verdict = judge(path, fold, corpus.dataset)
            if verdict.state != "clean":
                unclear.setdefault((pattern, verdict.reason), []).append(fold.number)
    return [_warning(pattern, reason, numbers) for (pattern, reason), numbers in unclear.items()]


def check_skops() -> None:
    """Refuse to begin where a classifier could not be saved.

    Raises:
        SettingsError: skops is not installed.
    """
    if find_spec("skops") is None:
        raise SettingsError(
            "architecture 'feature_combination' saves its classifier with skops, which is not installed. Install it: "
            f"{how_to_install('combination')}"
        )


def check_files(path: Path, features: FeatureSettings, *, is_custom: bool) -> dict[str, Any]:
    """Return the model.json beside a model.keras, once both are there and it was made for these features.

    Raises:
        SettingsError: One is missing, or the model was made for other features.
        ResultsError: model.json is damaged or of a newer format.
    """
    if not path.is_file():
        raise SettingsError(
            f"models: {path} does not exist (paths are relative to the folder where the command runs). Train that instance "
            "first, with these folds, or mend the path"
        )
    described = read_json(path.parent / "model.json")
    if described is None or "feature_settings" not in described:
        raise SettingsError(
            f"models: {path} has no model.json beside it, which says of which features it was made. Copy it from the folder "
            "where the model was trained"
        )
    check_features(path, described["feature_settings"], features, is_custom=is_custom)
    return described


def check_features(path: Path, made_for: Mapping[str, Any], features: FeatureSettings, *, is_custom: bool) -> None:
    """Refuse a model that was trained on other features than those of the instance; arrays of a script have no settings.

    Raises:
        SettingsError: Some setting differs.
    """
    wanted = features.model_dump(mode="json")
    differing = [
        f"{name} is {made_for.get(name)!r} there and {value!r} here"
        for name, value in wanted.items()
        if made_for.get(name) != value and not is_custom
    ]
    if differing:
        raise SettingsError(
            f"models: {path} was trained on other features: {'; '.join(differing)}. Give this instance the feature settings of "
            "the model"
        )


def _warning(pattern: str, reason: str, folds: Collection[int]) -> str:
    listed = ", ".join(map(str, folds))
    return (
        f"possible leakage: {pattern} (fold {listed}): {reason}. Test figures hold only if it has not seen the test items; "
        "models of this corpus with {fold} in their path are checked."
    )
