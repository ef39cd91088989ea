"""Checks of the chosen instances that need the corpus or a feature store, before any job runs."""

from typing import TYPE_CHECKING

from preprocessing.corpus import Corpus
from preprocessing.features.settings import SPECTRAL_KEYS
from xval.combination.checks import check_instance
from xval.data.frames import check_recordings
from xval.errors import SettingsError
from xval.jobs.plan import Plan
from xval.settings.architectures import COMBINATION, find_architecture
from xval.settings.combination import CombinationOptions
from xval.settings.resolve import Instance

if TYPE_CHECKING:
    from preprocessing.corpus import Corpus


def check_features(corpus: "Corpus", instance: Instance) -> None:
    """Refuse feature settings that cannot be computed, or that a corpus of ready-made features cannot follow."""
    from preprocessing.features.extract import check_settings

    features = instance.settings.feature_settings()
    check_settings(features)
    longest_s = float(corpus.index["duration_s"].max())
    if features.crop_s is not None and features.crop_s >= longest_s:
        raise SettingsError(
            f"crop_s={features.crop_s:g}: no clip is longer (the longest has {longest_s:.3g} s), so nothing would be cropped"
        )
    depending = (*type(features).model_fields, "augment_gain_db", "augment_time_shift_s")
    architecture = find_architecture(instance.settings.architecture)
    changed = [name for name in depending if instance.sources[name] != "config.ini" and name not in architecture.feature_keys]
    if corpus.is_custom and changed:
        raise SettingsError(
            f"'{changed[0]}' is set, but the features of dataset '{corpus.dataset}' were made by a script "
            "(preprocessing.store.write); feature settings have no effect on it. Leave them out."
        )
    without_effect = [name for name in SPECTRAL_KEYS if instance.sources[name] in ("instance", "--set")]
    if features.trim_db is not None:
        without_effect = [name for name in without_effect if name not in ("n_fft", "hop_length")]
    if features.features == "waveform" and features.frontend == "none" and without_effect:
        raise SettingsError(
            f"'{without_effect[0]}' is set, but the model reads the samples themselves (features=waveform, frontend=none), on "
            "which it has no effect. Set frontend to logmel or stft, or leave it out."
        )
    if instance.settings.task.is_framewise:
        check_recordings(corpus, instance.settings.frame_settings(), features.sample_rate_hz)
    wanted = architecture.features
    if wanted is not None and not corpus.is_custom and (features.features, features.frontend) != (wanted, "none"):
        raise SettingsError(
            f"architecture '{architecture.name}' reads features={wanted} without a front end; received "
            f"features={features.features}, frontend={features.frontend}. Set features={wanted} and frontend=none."
        )


def check_combination(planned: Plan, instance: Instance, corpus: Corpus) -> list[str]:
    """Check an instance of a plan, as `check_instance` does; others than those that combine features have nothing to check.

    Models that jobs of the same plan are going to write need not be there.
    """
    if instance.settings.architecture != COMBINATION:
        return []
    folds = {fold.number: fold for fold in planned.folds.folds}
    chosen = [folds[fold] for number, fold in planned.to_do if number == instance.number]
    if not chosen:
        return []
    settings = {other.number: other.settings for other in planned.instances}
    to_come = {
        planned.folder.fold_folder(number, fold).resolve() / "model.keras": settings[number].feature_settings()
        for number, fold in planned.to_do
        if settings[number].architecture != COMBINATION
    }
    return check_instance(
        CombinationOptions.of(instance.options), settings[instance.number].feature_settings(), corpus, chosen, to_come
    )
