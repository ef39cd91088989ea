"""Check an instance that combines features before training; errors name the fix.

Keras is not loaded here; whether models can be cut as requested is checked with all other models, in worker/check_models.py.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from preprocessing.corpus import Corpus
from preprocessing.features.feature_settings import FeatureSettings
from xval.base.errors import SettingsError
from xval.folds.plan import Fold
from xval.jobs.fold_part import Clips, read_clips_of
from xval.jobs.plan import Plan
from xval.models.saved.fetch import find_model
from xval.results.folder import KERAS_NAME
from xval.settings.architectures import COMBINATION, trains_network
from xval.settings.combination import CombinationOptions
from xval.settings.model_address import is_address
from xval.settings.resolve import Instance
from xval.training.classical.check_estimator import check_skops, check_training_items
from xval.training.combination.check_combined import check_files, check_made_for, judge_model, no_network


def check_combination(planned: Plan, instance: Instance, corpus: Corpus, folds: Sequence[Fold]) -> list[str]:
    """Check the open folds of an instance that combines features with `check_combined_models`.

    Models that jobs of the same plan will write need not exist yet.
    """
    if instance.settings.architecture != COMBINATION or not folds:
        return []
    settings = {other.number: other.settings for other in planned.instances}
    to_come = {
        planned.folder.fold_folder(*key).resolve() / KERAS_NAME: settings[key.instance].feature_settings()
        for key in planned.to_do
        if trains_network(settings[key.instance].architecture)
    }
    others = [other.number for other in planned.instances if not trains_network(other.settings.architecture)]
    without_network = {planned.folder.instance_folder(number).resolve() for number in others}
    for path in CombinationOptions.of(instance.options).models:
        if Path(path).resolve().parent.parent in without_network:
            raise SettingsError(no_network(Path(path)))
    counted, features = read_clips_of(instance.settings, corpus.folder), settings[instance.number].feature_settings()
    return check_combined_models(CombinationOptions.of(instance.options), features, corpus, folds, to_come, counted)


def check_combined_models(
    options: CombinationOptions,
    features: FeatureSettings,
    corpus: Corpus,
    folds: Iterable[Fold],
    to_come: Mapping[Path, FeatureSettings] | None = None,
    counted: Clips = MappingProxyType({}),
) -> list[str]:
    """Check the requirements of an instance: skops, suitable models that have not seen test data, audio for basic features.

    `to_come` has the models that jobs of the same run will write first, by resolved path, with the feature settings of their
    instances; `counted` has the clips that count, by side. Returns a warning for each model whose training data are not
    completely known.
    """
    check_skops(COMBINATION)
    if corpus.is_custom and options.basic_features:
        raise SettingsError(
            f"basic_features are computed from audio, and dataset '{corpus.dataset}' was made from arrays "
            "(preprocessing.store.write). Set basic_features=False and combine models"
        )
    known = to_come or {}
    unclear: dict[tuple[str, str], list[int]] = {}
    for fold in folds:
        check_training_items([fold])
        for pattern, name in zip(options.models, options.model_paths(fold.number), strict=True):
            path = find_model(name, "models")
            written = known.get(path.resolve())
            if written is not None:
                check_made_for(path, written.model_dump(mode="json"), features, is_custom=corpus.is_custom)
                continue
            check_files(path, features, is_custom=corpus.is_custom, is_fetched=is_address(name))
            verdict = judge_model(path, fold, corpus.dataset, corpus.folder, counted)
            if verdict.state == "unknown":
                unclear.setdefault((pattern, verdict.reason), []).append(fold.number)
    return [_warning(pattern, reason, numbers) for (pattern, reason), numbers in unclear.items()]


def _warning(pattern: str, reason: str, folds: Collection[int]) -> str:
    listed = ", ".join(map(str, folds))
    return (
        f"possible leakage: {pattern} (fold {listed}): {reason}. Test scores are valid only if it was not trained on the "
        "test items."
    )
