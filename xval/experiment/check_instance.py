"""Check an instance against its dataset, its folds and the files that it names, before any job runs; errors name the fix.

Single values are checked when they are resolved (settings/), and what requires Keras in the process that will train
(worker/check_models.py).
"""

from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from itertools import product
from pathlib import Path

from preprocessing.annotations.annotation_settings import FrameSettings
from preprocessing.annotations.labels import resolve_recordings
from preprocessing.clips.columns import with_columns
from preprocessing.clips.table import label_columns
from preprocessing.corpus import CUSTOM, Corpus
from preprocessing.embeddings.embedder import identify
from preprocessing.encoders import resolve_encoder
from preprocessing.features.feature_settings import SPECTRAL_KEYS
from preprocessing.store import open_store
from xval.base.errors import ResultsError, SettingsError, counted, how_to_install
from xval.data.class_weights import check_class_names
from xval.data.frames import describe_too_short
from xval.experiment.check_combination import check_combination
from xval.folds.plan import Fold
from xval.jobs.fold_part import describe_left_out, part_of_fold, read_clip_weights, read_clips_of, uses_part
from xval.jobs.job import job_seed
from xval.jobs.model_files import refuse_replaced
from xval.jobs.plan import Plan
from xval.measures.binary import check_class
from xval.measures.metrics import least_outputs
from xval.models.saved.embedder import foreign_embedder, own_embedder
from xval.models.saved.initial import find_initial_model
from xval.models.saved.preset import judge_preset
from xval.models.saved.provenance import WHAT_TO_DO, Provenance
from xval.results.job_key import JobKey
from xval.settings import further_metrics
from xval.settings.architectures import find_architecture, trains_network
from xval.settings.classical import CLASSICAL, fits_validation, grid_of
from xval.settings.resolve import DEFAULT_SOURCES, Instance, describe_numbers
from xval.settings.schema import Settings
from xval.training.classical.check_estimator import check_skops, check_training_items

_IF_LEAKED = (
    "If it was trained on tested clips or speakers, the test scores are optimistically biased. Set pretrained_on to its "
    "training data; the results quote it."
)
_OTHER_EMBEDDER = "All folds share its embeddings, so use a model of other recordings."
_UNKNOWN_ORIGIN = f"its training data are not known. {_IF_LEAKED}"


def check_instance(planned: Plan, instance: Instance, corpus: Corpus) -> list[str]:
    """Check the features, models and folds of an instance; return warnings that do not prevent a run."""
    check_features(corpus, instance)
    check_item_labels(corpus, instance.settings)
    check_classes(corpus, instance.settings)
    read_clip_weights(instance.settings, corpus.folder)
    if instance.settings.tensorboard and find_spec("tensorboard") is None:
        raise SettingsError(f"tensorboard=true: tensorboard is not installed. Install it: {how_to_install('tracking')}")
    name = instance.settings.architecture
    to_do = {key.fold for key in planned.to_do if key.instance == instance.number}
    folds = [fold for fold in planned.folds.folds if fold.number in to_do]
    if not trains_network(name):
        check_skops(name)
        is_searched = name in CLASSICAL and len(list(product(*grid_of(instance.options).values()))) > 1
        if is_searched and not fits_validation(instance.options):
            check_training_items(folds, instance.options)
    if folds:
        check_pretrained(instance.settings)
    warnings = [
        *check_initial_models(instance.settings, folds, corpus.folder),
        *check_combination(planned, instance, corpus, folds),
    ]
    return [*warnings, *check_embedder(instance.settings, folds, corpus.folder)]


def check_classes(corpus: Corpus, settings: Settings) -> None:
    """Raise an error for settings that name a class which the dataset lacks, or need one to be named or more classes."""
    check_class_names(settings.class_weights, corpus.class_names)
    for_class = further_metrics.positive_metrics(settings.task_type, settings.metrics)
    check_class(for_class, settings.positive_class, corpus.class_names, 'Experiment(..., positive_class="{}")')
    least = least_outputs(settings.task_type, settings.rank_by)
    if 0 < len(corpus.class_names) < least:
        raise SettingsError(
            f"rank_by '{settings.rank_by}' needs at least {least} classes; the dataset has {len(corpus.class_names)}. Set "
            "rank_by=auto, or another metric."
        )


def describe_parts(planned: Plan, instance: Instance, parts: Mapping[JobKey, Fold]) -> list[str]:
    """Return the items that the conditions of an instance exclude, a line for each fold; `parts` is from `find_parts`."""
    folds = {fold.number: fold for fold in planned.folds.folds}
    left_out = (describe_left_out(folds[key.fold], parts[key], instance.settings) for key in planned.to_do if key in parts)
    return [line for line in left_out if line]


def find_parts(planned: Plan, instance: Instance, corpus: Corpus) -> dict[JobKey, Fold]:
    """Return the part of the fold that an instance uses in each of its jobs; empty if it uses all.

    Raises an error for conditions and shares that leave a side of a fold empty.
    """
    settings = instance.settings
    if not uses_part(settings):
        return {}
    clips = with_columns(corpus.index, corpus.folder)
    folds = {fold.number: fold for fold in planned.folds.folds}
    return {
        key: part_of_fold(folds[key.fold], settings, clips, job_seed(settings.seed, key.fold, key.repeat))
        for key in (*planned.done, *planned.to_do)
        if key.instance == instance.number
    }


def check_features(corpus: Corpus, instance: Instance) -> None:
    """Raise an error for feature settings that cannot be computed, or that do not apply to ready-made features."""
    from preprocessing.features.extract import check_settings

    features = instance.settings.feature_settings()
    check_settings(features)
    longest_s = float(corpus.index["duration_s"].max())
    if features.crop_s is not None and features.crop_s >= longest_s:
        raise SettingsError(
            f"crop_s={features.crop_s:g}: no clip is longer (the longest has {longest_s:.3g} s), so nothing is cropped"
        )
    depending = (*type(features).model_fields, "augment_gain_db", "augment_time_shift_s")
    architecture = find_architecture(instance.settings.architecture)
    own = [name for name in depending if instance.sources[name] not in (*DEFAULT_SOURCES, architecture.source)]
    changed = [name for name in own if name not in architecture.feature_keys]
    if corpus.is_custom and (frames := instance.settings.frames):
        check_own_frames(corpus, frames, features.sample_rate_hz)
    elif corpus.is_custom and changed:
        raise SettingsError(
            f"'{changed[0]}' is set, but the features of dataset '{corpus.dataset}' were made by a script "
            "(preprocessing.store.write), so feature settings have no effect. Remove them."
        )
    without_effect = [name for name in SPECTRAL_KEYS if instance.sources[name] in ("instance", "--set")]
    if features.trim_db is not None:
        without_effect = [name for name in without_effect if name not in ("n_fft", "hop_length")]
    if features.features == "waveform" and features.frontend == "none" and without_effect:
        raise SettingsError(
            f"'{without_effect[0]}' has no effect, because the model reads raw samples (features=waveform, frontend=none). "
            "Set frontend to logmel or stft, or remove it."
        )
    if features.features == "embedding" and without_effect:
        raise SettingsError(f"'{without_effect[0]}' has no effect with features=embedding. Remove it.")
    if frames := instance.settings.frames:
        check_recordings(corpus, frames, features.sample_rate_hz)
    wanted = architecture.features
    if wanted is not None and not corpus.is_custom and (features.features, features.frontend) != (wanted, "none"):
        raise SettingsError(
            f"architecture '{architecture.name}' needs features={wanted} without a front end; received "
            f"features={features.features}, frontend={features.frontend}. Set features={wanted} and frontend=none."
        )


def check_item_labels(corpus: Corpus, settings: Settings) -> None:
    """Raise an error for one decision per item if the clips of an item have different labels."""
    if settings.item_decision == "none":
        return
    index = corpus.index[~corpus.index["augmented"].astype(bool)]
    for column in label_columns(index.columns):
        n_labels = index.groupby("item")[column].nunique()
        if len(mixed := n_labels.index[n_labels > 1]):
            raise SettingsError(
                f"item_decision='{settings.item_decision}' makes one decision for each item, but the clips of {len(mixed)} "
                f"of {counted(len(n_labels), 'item')} of dataset '{corpus.dataset}' have different labels: {mixed[0]} has "
                f"{n_labels[mixed[0]]}. Set item_decision=none to decide for each clip."
            )


def check_own_frames(corpus: Corpus, settings: FrameSettings, sample_rate_hz: int) -> None:
    """Raise an error if frames differ in length or number of values from those that a script has written."""
    written = open_store(corpus.folder / "features" / CUSTOM).description
    rate_hz, n_values = written.sample_rate_hz, written.frame_samples
    if rate_hz and n_values and (sample_rate_hz, settings.frame_samples(sample_rate_hz)) != (rate_hz, n_values):
        raise SettingsError(
            f"sample_rate_hz={sample_rate_hz}, label_frame_s={settings.label_frame_s:g}: a script made the frames of "
            f"dataset '{corpus.dataset}', with {counted(n_values, 'value')} each. Set sample_rate_hz={rate_hz} and "
            f"label_frame_s={n_values / rate_hz:g}."
        )


def check_recordings(corpus: Corpus, settings: FrameSettings, sample_rate_hz: int) -> None:
    """Raise an error, before features are made, for an unknown policy, and for frames or sequences that are too long.

    Each recording must have at least one frame, and one of them a sequence.
    """
    resolved = resolve_recordings(corpus.annotations().rename(columns={"clip": "path"}), settings.annotation_policy)
    used = corpus.index[corpus.index["clip"].isin(resolved)]
    for clip, duration_s in used[["clip", "duration_s"]].itertuples(index=False):
        if round(duration_s * sample_rate_hz) < settings.frame_samples(sample_rate_hz):
            raise SettingsError(describe_too_short(clip, duration_s, settings))
    n_frames = round(used["duration_s"].max() * sample_rate_hz) // settings.frame_samples(sample_rate_hz) if len(used) else 0
    if n_frames < settings.sequence_frames:
        raise SettingsError(
            f"sequence_frames={settings.sequence_frames} is more than the {counted(n_frames, 'frame')} of the "
            "longest recording. Lower it."
        )


def check_pretrained(settings: Settings) -> None:
    """Raise an error for a missing embedder, and for an unknown name of an encoder preset."""
    if settings.features == "embedding":
        identify(settings.feature_settings())
    elif settings.encoder is not None and ":" not in settings.encoder:
        resolve_encoder(settings.encoder, "encoder")


def check_embedder(settings: Settings, folds: Iterable[Fold], corpus_folder: Path) -> list[str]:
    """Raise an error for an embedder of xval that has seen test items of the folds; return a line if that is not known."""
    path = own_embedder(settings)
    if path is None:
        return _warn_of_foreign(settings, corpus_folder)
    refuse_replaced(path, "embedding_model")
    provenance = Provenance(path)
    counted = read_clips_of(settings, corpus_folder)
    verdicts = {fold.number: provenance.verdict(fold, settings.dataset, corpus_folder, counted) for fold in folds}
    faults = [
        f"fold {number}: embedding_model: {path} {verdict.reason.replace(WHAT_TO_DO, _OTHER_EMBEDDER)}"
        for number, verdict in verdicts.items()
        if verdict.state == "leaked"
    ]
    if faults:
        raise SettingsError("\n".join(faults))
    reason = next((verdict.reason for verdict in verdicts.values() if verdict.state == "unknown"), None)
    return [f"possible leakage: embedding_model {path}: {reason}."] if reason else []


def _warn_of_foreign(settings: Settings, corpus_folder: Path) -> list[str]:
    """Return a line if a foreign encoder was trained on the corpus, or if that is unknown and not vouched for."""
    name = foreign_embedder(settings)
    verdict = judge_preset(name, corpus_folder) if name else None
    if name is None or (verdict is not None and verdict.state == "clean"):
        return []
    if verdict is not None and verdict.state == "leaked":
        return [
            f"possible leakage: {settings.pretrained} {name}: {verdict.reason}. The test scores may be optimistically biased."
        ]
    if settings.pretrained_on:
        return []
    return [
        f"possible leakage: {settings.pretrained} {name}: {verdict.reason + '. ' + _IF_LEAKED if verdict else _UNKNOWN_ORIGIN}"
    ]


def check_initial_models(settings: Settings, folds: Iterable[Fold], corpus_folder: Path) -> list[str]:
    """Check the initial model of each fold to be trained, as `find_initial_model` does; the faults of all folds in one message.

    Returns a line for each model whose training data are not completely known.
    """
    faults: dict[str, list[int]] = {}
    unknown = {}
    counted = read_clips_of(settings, corpus_folder)
    for fold in folds:
        try:
            model = find_initial_model(settings, fold, corpus_folder, counted)
            if model:
                refuse_replaced(model.path, "initial_model")
        except (SettingsError, ResultsError) as error:
            faults.setdefault(str(error).removeprefix(f"fold {fold.number}: "), []).append(fold.number)
        else:
            if model and model.leakage.state == "unknown":
                unknown[model.path] = (
                    f"possible leakage: initial_model {model.path}: {model.leakage.reason}. If it was trained on tested "
                    "clips or speakers, the test scores are optimistically biased. The records say 'initial_model_items: "
                    "unknown'."
                )
    if faults:
        lines = (f"fold{'s' * (len(numbers) > 1)} {describe_numbers(numbers)}: {fault}" for fault, numbers in faults.items())
        raise SettingsError("\n".join(lines))
    return list(unknown.values())
