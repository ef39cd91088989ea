"""Check that settings fit together, and that the parts that they name exist."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Any, cast

from pydantic import AfterValidator, TypeAdapter

from xval.base import keras_objects
from xval.base.errors import SettingsError, suggestion
from xval.base.setting_fields import written_type
from xval.base.user_code import definitions
from xval.measures import binary, metrics
from xval.measures.task import Task
from xval.settings import architectures, further_metrics, model_address, optimizers
from xval.settings.schema import DEFAULTS, Settings


def checked_settings(values: Mapping[str, object]) -> Settings:
    """Return the settings with these values.

    Raises:
        pydantic.ValidationError: A value is missing, unknown, of the wrong type or out of range; or values contradict each
            other, or name a part that is not there.
    """
    return cast("Settings", _CHECKED.validate_python(values))


def _check_together(settings: Settings) -> Settings:
    settings = _with_known_names(settings)
    _check_secrets(settings)
    _check_names(settings)
    _check_class_shares(settings)
    _check_refused(settings)
    _check_monitor(settings)
    _check_rank_by(settings)
    _check_training(settings)
    _check_item_scaling(settings)
    _check_task(settings)
    _check_transfer(settings)
    _check_augmentation(settings)
    return settings


def _with_known_names(settings: Settings) -> Settings:
    """Return settings in which metrics have their names in records, without the metrics of the task."""
    task = settings.task
    text = further_metrics.known_names(task, settings.metrics)
    further = {further_metrics.short_name(name) for name in further_metrics.split_names(text)}
    prefix, name = ("val_", settings.monitor[4:]) if settings.monitor.startswith("val_") else ("", settings.monitor)
    names = {"metrics": text, "monitor": f"{prefix}{_known_name(task, name, further)}"}
    rank_by = _known_name(task, settings.rank_by.removeprefix("val_"), further)
    return settings.model_copy(update=names | {"rank_by": rank_by})


def _known_name(task: Task, name: str, further: Collection[str]) -> str:
    """Return the name of a metric in records; `further`: the further metrics, which keep their names."""
    known = name if name in further else metrics.canonical_name(task.name, name)
    return binary.canonical(known) if binary.canonical(known) in further else known


_CHECKED: TypeAdapter[Any] = TypeAdapter(Annotated[written_type(Settings), AfterValidator(_check_together)])  # type: ignore[arg-type]


def _check_secrets(settings: Settings) -> None:
    """Raise an error for a password, because settings are written into records; the error does not repeat it."""
    url = settings.search_storage or ""
    user, separator, _ = url.partition("://")[2].rpartition("@")
    named = re.findall(r"[?&]([^=&]*(?:pass|pwd|secret|token|key)[^=&]*)=(?!\$\{\w+\}(?:&|$))", url, re.IGNORECASE)
    if named or (separator and ":" in user and not re.fullmatch(r"\$\{\w+\}", user.partition(":")[2])):
        raise ValueError(
            "search_storage contains a password, but settings are written into records. Put it into an environment variable: "
            "postgresql://me:${PASSWORD}@host/db, or ${URL} for all of it"
        )


def _check_names(settings: Settings) -> None:
    try:
        architecture = architectures.find_architecture(settings.architecture)
        settings.task.loss_name(settings.loss)
        optimizers.check_options(settings)
        further_metrics.directions(settings.task_type, settings.metrics)
        if definitions.is_dotted(settings.fold_strategy):
            definitions.find_definition(settings.fold_strategy).check_signature(1, "split(items)")
        _check_callbacks(settings)
        if settings.initial_model is not None and model_address.is_address(settings.initial_model):
            model_address.parse_address(settings.initial_model)
    except SettingsError as error:
        raise ValueError(str(error)) from error
    if settings.task_type not in architecture.task_types:
        allowed, others = ", ".join(architecture.task_types), ", ".join(architectures.doing(settings.task_type))
        raise ValueError(
            f"architecture '{settings.architecture}' supports {allowed}; received task_type={settings.task_type}. "
            f"Architectures for it: {others}"
        )
    if architecture.backends and settings.backend not in architecture.backends:
        raise ValueError(
            f"architecture '{settings.architecture}' runs only on {' and '.join(architecture.backends)}; received "
            f"backend={settings.backend}. Set backend = {architecture.backends[0]}"
        )
    if architecture.is_pretrained != (settings.encoder is not None):
        raise ValueError(
            f"architecture '{settings.architecture}' fine-tunes an encoder. Set encoder = wav2vec2-base, or transformers:FOLDER"
            if architecture.is_pretrained
            else f"encoder={settings.encoder} needs architecture = encoder; received '{settings.architecture}'. To use only "
            f"its embeddings: features = embedding, embedding_model = {settings.encoder}"
        )
    if settings.padding == "masked" and architecture.defaults.get("padding") != "masked":
        raise ValueError(f"padding=masked: architecture '{settings.architecture}' does not support masking. Remove it")
    if settings.frames and settings.frontend == "none" and architecture.reshaping_type != "none":
        raise ValueError(
            f"architecture '{settings.architecture}' reads spectrograms. Set features=waveform and frontend=logmel (or stft)"
        )


def _check_refused(settings: Settings) -> None:
    """Raise an error for a setting that the task does not support, unless it has its default."""
    for name, why_not in settings.task.refused.items():
        value = getattr(settings, name)
        if value != DEFAULTS[name]:
            raise ValueError(why_not.format(value=value, task=settings.task_type))
    if settings.item_decision == "vote" and not settings.task.has_classes:
        raise ValueError(f"item_decision='vote' counts classes, but {settings.task.name} has numbers; expected none or mean")


def _check_class_shares(settings: Settings) -> None:
    """Raise an error for settings that give an example shares of several classes if the loss needs one class."""
    task = settings.task
    loss = task.loss_name(settings.loss)
    if (definitions.is_dotted(loss) or keras_objects.is_object(loss)) and task.target_form(loss) == "class":
        why = f"gives examples shares of classes, but loss '{loss}' needs the number of one class"
        _refuse(settings, ("augment_mixup", "label_smoothing"), why)


def _check_monitor(settings: Settings) -> None:
    task = settings.task
    monitors = task.monitors(further_metrics.directions(settings.task_type, settings.metrics))
    if settings.monitor.removeprefix("val_") in task.final_metrics:
        raise ValueError(f"monitor '{settings.monitor}': {task.why_final}: {', '.join(monitors)}")
    if settings.monitor not in monitors:
        raise ValueError(
            f"monitor '{settings.monitor}' is not a metric of this instance. {suggestion(settings.monitor, monitors)}"
        )


def _check_rank_by(settings: Settings) -> None:
    task = settings.task
    further = further_metrics.directions(settings.task_type, settings.metrics)
    allowed = dict.fromkeys(["auto", "loss", *metrics.metric_names(task.name), *task.recorded_metrics, *further])
    if settings.rank_by not in allowed:
        raise ValueError(
            f"rank_by '{settings.rank_by}' is not a validation metric of this instance. "
            f"{suggestion(settings.rank_by, allowed)} To use another metric, add it to the setting metrics too"
        )


def _check_training(settings: Settings) -> None:
    if settings.weight_column is not None and settings.frames:
        raise ValueError(
            f"weight_column='{settings.weight_column}' weighs clips, but frames have their own weights. Set weight_column=none"
        )
    if settings.sampling == "balanced" and settings.class_weights != "none":
        raise ValueError(
            f"sampling='balanced' and class_weights='{settings.class_weights}' would balance classes twice. Set one of them "
            "to none"
        )
    if not settings.early_stopping:
        why = "needs early_stopping=true. Set that, or remove it"
        _refuse(settings, ("min_delta", "start_from_epoch"), why)
    if settings.start_from_epoch >= settings.num_epochs:
        raise ValueError(
            f"start_from_epoch={settings.start_from_epoch} leaves no epoch of num_epochs={settings.num_epochs}. Lower it"
        )
    if settings.tensorboard_batches and not settings.tensorboard:
        raise ValueError("tensorboard_batches needs tensorboard=true. Set that too")
    if settings.validation == "next_fold" and settings.fold_strategy == "balanced" and settings.num_folds < 3:
        raise ValueError(f"validation='next_fold' needs at least three folds; received num_folds={settings.num_folds}")
    if settings.fold_repeats > 1 and settings.fold_strategy != "balanced":
        raise ValueError(
            f"fold_repeats={settings.fold_repeats} needs fold_strategy=balanced; received "
            f"fold_strategy='{settings.fold_strategy}'. Set fold_repeats=1, or to train the same folds with several seeds, "
            "the setting repeats"
        )


def _check_item_scaling(settings: Settings) -> None:
    if settings.normalization == "per_item" and settings.features == "waveform":
        raise ValueError(
            "normalization='per_item' needs stored features, but features='waveform' stores samples. Set features to logmel, "
            "mfcc, stft or embedding, or normalization to per_bin"
        )
    if settings.enrolment_s is not None and settings.normalization != "per_item":
        raise ValueError(
            f"enrolment_s={settings.enrolment_s:g} needs normalization='per_item'; received "
            f"normalization='{settings.normalization}'. Set normalization=per_item, or enrolment_s=none"
        )


def _check_callbacks(settings: Settings) -> None:
    for name in further_metrics.split_names(settings.callbacks or "auto"):
        if not definitions.is_dotted(name):
            raise SettingsError(f"callbacks: '{name}' is not a dotted path. {definitions.HOW_TO_NAME}")
        definitions.find_definition(name).check_signature(0, "callback()")


def _check_task(settings: Settings) -> None:
    frames = settings.frames
    if frames is None:
        return
    if settings.features != "waveform":
        raise ValueError(
            f"frame_classification needs samples; received features='{settings.features}'. Set features='waveform', and "
            "frontend='logmel' for architectures that read spectrograms (crnn)"
        )
    frame_samples = frames.frame_samples(settings.sample_rate_hz)
    if settings.frontend != "none" and frame_samples % settings.hop_length:
        raise ValueError(
            f"hop_length={settings.hop_length} does not divide the {frame_samples} samples of a frame of "
            f"label_frame_s={settings.label_frame_s:g}. Choose a hop_length that divides them, so that each frame has a "
            "whole number of spectrogram columns"
        )
    moving = ("crop_s", "trim_db", "clip_length_s", "stretch_frames", "example_length_s")
    for name in moving:
        if getattr(settings, name) is not None:
            raise ValueError(
                f"{name}={getattr(settings, name)} would shift audio against its annotations. For frame_classification set "
                f"{name}=none; sequence_frames sets the length of examples"
            )
    if settings.vad != "none":
        raise ValueError(f"vad={settings.vad} would shift audio against its annotations. For frame_classification set vad=none")
    why = "would shift audio against its annotations. Use random_excerpts, which shifts both"
    _refuse(settings, ("augment_time_shift_s", "augment_speed"), why)
    if settings.event_median_frames % 2 == 0:
        raise ValueError(f"event_median_frames={settings.event_median_frames}; expected an odd number")


def _check_transfer(settings: Settings) -> None:
    if settings.unfreeze_every and not settings.frozen_layers and settings.frozen == "none":
        raise ValueError(f"unfreeze_every={settings.unfreeze_every}: nothing is frozen. Set frozen_layers or frozen")
    if settings.unfreeze_every >= settings.num_epochs:
        raise ValueError(
            f"unfreeze_every={settings.unfreeze_every} would unfreeze nothing in num_epochs={settings.num_epochs}. Lower it"
        )
    if settings.frozen_layers and settings.frozen != "none":
        raise ValueError(
            f"frozen_layers={settings.frozen_layers} and frozen='{settings.frozen}' contradict each other. Set only one of them"
        )
    if settings.initial_model is None:
        is_pretrained = architectures.find_architecture(settings.architecture).is_pretrained
        if (settings.frozen_layers or settings.frozen != "none") and not is_pretrained:
            name, value = ("frozen_layers", settings.frozen_layers) if settings.frozen_layers else ("frozen", settings.frozen)
            raise ValueError(
                f"{name}={value!r} would freeze random weights. Set initial_model or architecture = encoder, or remove it"
            )
        if settings.initial_model_match != "all":
            raise ValueError(
                f"initial_model_match='{settings.initial_model_match}' has no effect without initial_model. Set "
                "initial_model, or remove it"
            )
    elif model_address.is_address(settings.initial_model):
        return
    elif not settings.initial_model.endswith(".keras") or set("{}") & set(settings.initial_model.replace("{fold}", "")):
        raise ValueError(
            f"initial_model={settings.initial_model!r}; expected none, the path of a .keras file, in which {{fold}} is "
            "replaced by the number of the fold, or an address, https://...#sha256=..."
        )


def _check_augmentation(settings: Settings) -> None:
    masks = {"augment_time_masks": "augment_time_mask_frames", "augment_frequency_masks": "augment_frequency_mask_bins"}
    for number, width in masks.items():
        n_masks, widest = getattr(settings, number), getattr(settings, width)
        if bool(n_masks) != bool(widest):
            raise ValueError(f"{number}={n_masks} with {width}={widest} masks nothing. Set both, or neither")
    is_waveform = settings.features == "waveform"
    step_s = (1 if is_waveform else settings.hop_length) / settings.sample_rate_hz
    if settings.augment_time_shift_s and round(settings.augment_time_shift_s / step_s) == 0:
        raise ValueError(f"augment_time_shift_s={settings.augment_time_shift_s} rounds to 0 in steps of {step_s:g} s")
    if settings.padding == "masked" and is_waveform:
        blind = ("augment_noise", "augment_mixup", "augment_time_shift_s")
        _refuse(settings, blind, "does not support padding=masked. Set it to 0")
    if settings.batch_size == 1:
        _refuse(settings, ("augment_mixup", "augment_mixstyle"), "mixes the examples of a batch, but batch_size is 1")
    if settings.crop_s is not None and settings.augment_time_shift_s >= settings.crop_s:
        raise ValueError(
            f"augment_time_shift_s={settings.augment_time_shift_s} empties crops of crop_s={settings.crop_s}. Lower it"
        )
    on_bins = ("augment_frequency_shift_bins", "augment_vocal_tract")
    has_bins = settings.features in ("logmel", "stft", "waveform") and not settings.feature_deltas
    if not has_bins:
        also = " with feature_deltas" if settings.feature_deltas else ""
        _refuse(settings, on_bins, f"needs bins of frequency; received features='{settings.features}'{also}")
        if settings.features not in ("mfcc", "embedding"):
            _refuse(
                settings,
                ("augment_gain_db",),
                f"does not support all bins of features='{settings.features}'{also}. Set it to 0",
            )
    if settings.features == "embedding":
        why = "changes samples, but features='embedding' are computed before training. Set it to 0"
        _refuse(settings, ("augment_gain_db", "augment_time_shift_s"), why)
    for_recorders = ("augment_response_db", "augment_noise_floor_db")
    if settings.scale != "db" or not has_bins:
        why = f"needs spectra in dB (scale = db); received features='{settings.features}', scale='{settings.scale}'"
        _refuse(settings, for_recorders, why)
    on_features = [*masks, *on_bins, "augment_mixstyle", "augment_speed", *for_recorders]
    on_features += [] if is_waveform else ["augment_time_shift_s", "augment_noise"]
    if is_waveform and settings.frontend == "none":
        _refuse(settings, on_features, "works on frames and bins, but samples have none. Set frontend to logmel or stft")
    if settings.normalization == "none":
        why = (
            "needs features of mean 0 and standard deviation 1, but normalization='none'. Set normalization to per_bin or "
            "global"
        )
        _refuse(settings, on_features, why)
    if settings.normalization == "per_item":
        why = "changes features before scaling, but normalization='per_item' scales them before the network"
        _refuse(settings, ("augment_gain_db", *for_recorders), f"{why}. Set it to 0 or none")
    if settings.augment_gain_db and settings.features != "mfcc" and settings.normalization == "per_clip":
        raise ValueError("augment_gain_db has no effect with normalization='per_clip', which removes the gain")
    has_decibels = settings.features == "mfcc" or (settings.scale == "db" and not (is_waveform and settings.frontend == "none"))
    if settings.augment_gain_db and settings.db_reference == "max" and has_decibels:
        raise ValueError("augment_gain_db contradicts db_reference='max', which removes the loudness from the features")


def _refuse(settings: Settings, names: Iterable[str], why: str) -> None:
    """Raise an error for the first of some settings that is not switched off."""
    for name in names:
        if getattr(settings, name) not in (0, None):
            raise ValueError(f"{name} {why}")
