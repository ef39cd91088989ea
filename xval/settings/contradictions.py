"""Check that settings fit together, and that the parts that they name exist: a table of what contradicts, and of its texts."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, TypeAlias, cast

from pydantic import AfterValidator, TypeAdapter

from xval.base import keras_objects
from xval.base.errors import SettingsError, suggestion
from xval.base.findings import Finding, Rule
from xval.base.setting_fields import written_type
from xval.base.user_code import definitions
from xval.measures import binary, metrics
from xval.measures.task import Task
from xval.settings import architectures, further_metrics, model_address, optimizers
from xval.settings.options import Architecture
from xval.settings.schema import DEFAULTS, Settings

_Find: TypeAlias = Callable[[Settings], object]
"""Returns whether settings contradict each other: anything true, or a mapping of what their texts name besides settings."""


class Contradiction(Rule):
    """Settings that contradict each other; fields of its texts are settings, or what was found."""

    def __init__(self, slug: str, message: str, advice: str, find: _Find) -> None:
        super().__init__(0, Finding(message, advice, slug))
        self.find = find

    def describe(self, settings: Settings) -> str:
        """Return what contradicts, and what to do; empty: nothing does."""
        found = self.find(settings)
        fields = {**dict(settings), **(found if isinstance(found, Mapping) else {})}
        return self.findings[0].fill(**fields).caution if found else ""


def checked_settings(values: Mapping[str, object]) -> Settings:
    """Return the settings with these values.

    Raises:
        pydantic.ValidationError: A value is missing, unknown, of the wrong type or out of range; or values contradict each
            other, or name a part that is not there.
    """
    return cast("Settings", _CHECKED.validate_python(values))


def _check_together(settings: Settings) -> Settings:
    settings = _with_known_names(settings)
    for rule in CONTRADICTIONS:
        if text := rule.describe(settings):
            raise ValueError(text)
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


def _used(condition: _Find, names: Collection[str], off: Collection[object] = (0, None)) -> _Find:
    """Return what finds the first of some settings that is not switched off, where a condition holds."""

    def find(settings: Settings) -> object:
        used = [name for name in names if getattr(settings, name) not in off] if condition(settings) else []
        return used and {"name": used[0], "value": getattr(settings, used[0])}

    return find


def _architecture(settings: Settings) -> Architecture:
    return architectures.find_architecture(settings.architecture)


def _has_password(settings: Settings) -> object:
    """Return whether a password would be written into records; the error does not repeat it."""
    url = settings.search_storage or ""
    user, separator, _ = url.partition("://")[2].rpartition("@")
    named = re.findall(r"[?&]([^=&]*(?:pass|pwd|secret|token|key)[^=&]*)=(?!\$\{\w+\}(?:&|$))", url, re.IGNORECASE)
    return named or (separator and ":" in user and not re.fullmatch(r"\$\{\w+\}", user.partition(":")[2]))


def _unknown_part(settings: Settings) -> object:
    """Return what is wrong with the first part that is not there."""
    try:
        _architecture(settings)
        settings.task.loss_name(settings.loss)
        optimizers.check_options(settings)
        further_metrics.directions(settings.task_type, settings.metrics)
        if definitions.is_dotted(settings.fold_strategy):
            definitions.find_definition(settings.fold_strategy).check_signature(1, "split(items)")
        _check_callbacks(settings)
        if settings.initial_model is not None and model_address.is_address(settings.initial_model):
            model_address.parse_address(settings.initial_model)
    except SettingsError as error:
        return {"unknown": error}
    return False


def _check_callbacks(settings: Settings) -> None:
    for name in further_metrics.split_names(settings.callbacks or "auto"):
        if not definitions.is_dotted(name):
            raise SettingsError(f"callbacks: '{name}' is not a dotted path. {definitions.HOW_TO_NAME}")
        definitions.find_definition(name).check_signature(0, "callback()")


def _other_task(settings: Settings) -> object:
    allowed = _architecture(settings).task_types
    if settings.task_type in allowed:
        return False
    return {"allowed": ", ".join(allowed), "others": ", ".join(architectures.doing(settings.task_type))}


def _other_backend(settings: Settings) -> object:
    backends = _architecture(settings).backends
    return backends and settings.backend not in backends and {"backends": " and ".join(backends), "first": backends[0]}


def _needs_one_class(settings: Settings) -> object:
    loss = settings.task.loss_name(settings.loss)
    return (definitions.is_dotted(loss) or keras_objects.is_object(loss)) and settings.task.target_form(loss) == "class"


def _refused_by_task(settings: Settings) -> object:
    """Return why the task does not support a setting, unless it has its default."""
    for name, why_not in settings.task.refused.items():
        value = getattr(settings, name)
        if value != DEFAULTS[name]:
            return {"why_not": why_not.format(value=value, task=settings.task_type)}
    return False


def _wrong_monitor(settings: Settings) -> object:
    task = settings.task
    monitors = task.monitors(further_metrics.directions(settings.task_type, settings.metrics))
    if settings.monitor.removeprefix("val_") in task.final_metrics:
        return {"why": f": {task.why_final}: {', '.join(monitors)}"}
    why = f" is not a metric of this instance. {suggestion(settings.monitor, monitors)}"
    return settings.monitor not in monitors and {"why": why}


def _wrong_rank_by(settings: Settings) -> object:
    task = settings.task
    further = further_metrics.directions(settings.task_type, settings.metrics)
    allowed = dict.fromkeys(["auto", "loss", *metrics.metric_names(task.name), *task.recorded_metrics, *further])
    return settings.rank_by not in allowed and {"suggestion": suggestion(settings.rank_by, allowed)}


def _split_frame(settings: Settings) -> object:
    if settings.frames is None or settings.frontend == "none":
        return False
    frame_samples = settings.frames.frame_samples(settings.sample_rate_hz)
    return frame_samples % settings.hop_length != 0 and {"frame_samples": frame_samples}


def _frozen_at_random(settings: Settings) -> object:
    if settings.initial_model is not None or _architecture(settings).is_pretrained:
        return False
    if settings.frozen_layers:
        return {"name": "frozen_layers", "value": settings.frozen_layers}
    return settings.frozen != "none" and {"name": "frozen", "value": settings.frozen}


def _no_model_path(settings: Settings) -> object:
    model = settings.initial_model
    if model is None or model_address.is_address(model):
        return False
    return not model.endswith(".keras") or set("{}") & set(model.replace("{fold}", ""))


def _half_a_mask(settings: Settings) -> object:
    for number, width in _MASKS.items():
        n_masks, widest = getattr(settings, number), getattr(settings, width)
        if bool(n_masks) != bool(widest):
            return {"masks": f"{number}={n_masks} with {width}={widest}"}
    return False


def _shift_of_no_step(settings: Settings) -> object:
    step_s = (1 if _is_waveform(settings) else settings.hop_length) / settings.sample_rate_hz
    is_lost = settings.augment_time_shift_s != 0 and round(settings.augment_time_shift_s / step_s) == 0
    return is_lost and {"step_s": step_s}


def _is_waveform(settings: Settings) -> object:
    return settings.features == "waveform"


def _has_bins(settings: Settings) -> object:
    return settings.features in ("logmel", "stft", "waveform") and not settings.feature_deltas


def _has_samples_only(settings: Settings) -> object:
    return _is_waveform(settings) and settings.frontend == "none"


def _gains_without_loudness(settings: Settings) -> object:
    has_decibels = settings.features == "mfcc" or (settings.scale == "db" and not _has_samples_only(settings))
    return settings.augment_gain_db and settings.db_reference == "max" and has_decibels


_MASKS = {"augment_time_masks": "augment_time_mask_frames", "augment_frequency_masks": "augment_frequency_mask_bins"}
_ON_BINS = ("augment_frequency_shift_bins", "augment_vocal_tract")
_OF_RECORDERS = ("augment_response_db", "augment_noise_floor_db")
_ON_FEATURES = (*_MASKS, *_ON_BINS, "augment_mixstyle", "augment_speed", *_OF_RECORDERS)


def _unscaled(settings: Settings) -> object:
    names = _ON_FEATURES if _is_waveform(settings) else (*_ON_FEATURES, "augment_time_shift_s", "augment_noise")
    return _used(lambda s: s.normalization == "none", names)(settings)


CONTRADICTIONS = (
    Contradiction(
        "password-in-records",
        "search_storage contains a password, but settings are written into records",
        "Put it into an environment variable: postgresql://me:${{PASSWORD}}@host/db, or ${{URL}} for all of it",
        _has_password,
    ),
    # The parts that settings name.
    Contradiction("unknown-part", "{unknown}", "", _unknown_part),
    Contradiction(
        "unsupported-task",
        "architecture '{architecture}' supports {allowed}; received task_type={task_type}",
        "Architectures for it: {others}",
        _other_task,
    ),
    Contradiction(
        "unsupported-backend",
        "architecture '{architecture}' runs only on {backends}; received backend={backend}",
        "Set backend = {first}",
        _other_backend,
    ),
    Contradiction(
        "missing-encoder",
        "architecture '{architecture}' fine-tunes an encoder",
        "Set encoder = wav2vec2-base, or transformers:FOLDER",
        lambda s: _architecture(s).is_pretrained and s.encoder is None,
    ),
    Contradiction(
        "unused-encoder",
        "encoder={encoder} needs architecture = encoder; received '{architecture}'",
        "To use only its embeddings: features = embedding, embedding_model = {encoder}",
        lambda s: not _architecture(s).is_pretrained and s.encoder is not None,
    ),
    Contradiction(
        "masking-unsupported",
        "padding=masked: architecture '{architecture}' does not support masking",
        "Remove it",
        lambda s: s.padding == "masked" and _architecture(s).defaults.get("padding") != "masked",
    ),
    Contradiction(
        "spectrograms-needed",
        "architecture '{architecture}' reads spectrograms",
        "Set features=waveform and frontend=logmel (or stft)",
        lambda s: s.frames and s.frontend == "none" and _architecture(s).reshaping_type != "none",
    ),
    # What the task and its metrics support.
    Contradiction(
        "one-class-needed",
        "{name} gives examples shares of classes, but loss '{loss}' needs the number of one class",
        "",
        _used(_needs_one_class, ("augment_mixup", "label_smoothing")),
    ),
    Contradiction("unsupported-by-task", "{why_not}", "", _refused_by_task),
    Contradiction(
        "vote-on-numbers",
        "item_decision='vote' counts classes, but {task_type} has numbers; expected none or mean",
        "",
        lambda s: s.item_decision == "vote" and not s.task.has_classes,
    ),
    Contradiction("unknown-monitor", "monitor '{monitor}'{why}", "", _wrong_monitor),
    Contradiction(
        "unknown-rank-by",
        "rank_by '{rank_by}' is not a validation metric of this instance",
        "{suggestion} To use another metric, add it to the setting metrics too",
        _wrong_rank_by,
    ),
    # Training and folds.
    Contradiction(
        "weights-of-frames",
        "weight_column='{weight_column}' weighs clips, but frames have their own weights",
        "Set weight_column=none",
        lambda s: s.weight_column is not None and s.frames,
    ),
    Contradiction(
        "balanced-twice",
        "sampling='balanced' and class_weights='{class_weights}' would balance classes twice",
        "Set one of them to none",
        lambda s: s.sampling == "balanced" and s.class_weights != "none",
    ),
    Contradiction(
        "early-stopping-off",
        "{name} needs early_stopping=true",
        "Set that, or remove it",
        _used(lambda s: not s.early_stopping, ("min_delta", "start_from_epoch")),
    ),
    Contradiction(
        "start-after-the-end",
        "start_from_epoch={start_from_epoch} leaves no epoch of num_epochs={num_epochs}",
        "Lower it",
        lambda s: s.start_from_epoch >= s.num_epochs,
    ),
    Contradiction(
        "tensorboard-off",
        "tensorboard_batches needs tensorboard=true",
        "Set that too",
        lambda s: s.tensorboard_batches and not s.tensorboard,
    ),
    Contradiction(
        "too-few-folds",
        "validation='next_fold' needs at least three folds; received num_folds={num_folds}",
        "",
        lambda s: s.validation == "next_fold" and s.fold_strategy == "balanced" and s.num_folds < 3,
    ),
    Contradiction(
        "repeats-of-given-folds",
        "fold_repeats={fold_repeats} needs fold_strategy=balanced; received fold_strategy='{fold_strategy}'",
        "Set fold_repeats=1, or to train the same folds with several seeds, the setting repeats",
        lambda s: s.fold_repeats > 1 and s.fold_strategy != "balanced",
    ),
    Contradiction(
        "per-item-samples",
        "normalization='per_item' needs stored features, but features='waveform' stores samples",
        "Set features to logmel, mfcc, stft or embedding, or normalization to per_bin",
        lambda s: s.normalization == "per_item" and _is_waveform(s),
    ),
    Contradiction(
        "enrolment-without-scaling",
        "enrolment_s={enrolment_s:g} needs normalization='per_item'; received normalization='{normalization}'",
        "Set normalization=per_item, or enrolment_s=none",
        lambda s: s.enrolment_s is not None and s.normalization != "per_item",
    ),
    # Frames.
    Contradiction(
        "frames-of-features",
        "frame_classification needs samples; received features='{features}'",
        "Set features='waveform', and frontend='logmel' for architectures that read spectrograms (crnn)",
        lambda s: s.frames and not _is_waveform(s),
    ),
    Contradiction(
        "split-frame",
        "hop_length={hop_length} does not divide the {frame_samples} samples of a frame of label_frame_s={label_frame_s:g}",
        "Choose a hop_length that divides them, so that each frame has a whole number of spectrogram columns",
        _split_frame,
    ),
    Contradiction(
        "shifted-audio",
        "{name}={value} would shift audio against its annotations",
        "For frame_classification set {name}=none; sequence_frames sets the length of examples",
        _used(lambda s: s.frames, ("crop_s", "trim_db", "clip_length_s", "stretch_frames", "example_length_s"), (None,)),
    ),
    Contradiction(
        "voice-activity-in-frames",
        "vad={vad} would shift audio against its annotations",
        "For frame_classification set vad=none",
        lambda s: s.frames and s.vad != "none",
    ),
    Contradiction(
        "shifted-examples",
        "{name} would shift audio against its annotations",
        "Use random_excerpts, which shifts both",
        _used(lambda s: s.frames, ("augment_time_shift_s", "augment_speed")),
    ),
    Contradiction(
        "even-median",
        "event_median_frames={event_median_frames}; expected an odd number",
        "",
        lambda s: s.frames and s.event_median_frames % 2 == 0,
    ),
    # Transfer.
    Contradiction(
        "nothing-frozen",
        "unfreeze_every={unfreeze_every}: nothing is frozen",
        "Set frozen_layers or frozen",
        lambda s: s.unfreeze_every and not s.frozen_layers and s.frozen == "none",
    ),
    Contradiction(
        "nothing-unfrozen",
        "unfreeze_every={unfreeze_every} would unfreeze nothing in num_epochs={num_epochs}",
        "Lower it",
        lambda s: s.unfreeze_every >= s.num_epochs,
    ),
    Contradiction(
        "frozen-twice",
        "frozen_layers={frozen_layers} and frozen='{frozen}' contradict each other",
        "Set only one of them",
        lambda s: s.frozen_layers and s.frozen != "none",
    ),
    Contradiction(
        "frozen-at-random",
        "{name}={value!r} would freeze random weights",
        "Set initial_model or architecture = encoder, or remove it",
        _frozen_at_random,
    ),
    Contradiction(
        "match-without-model",
        "initial_model_match='{initial_model_match}' has no effect without initial_model",
        "Set initial_model, or remove it",
        lambda s: s.initial_model is None and s.initial_model_match != "all",
    ),
    Contradiction(
        "no-model-path",
        "initial_model={initial_model!r}; expected none, the path of a .keras file, in which {{fold}} is replaced by "
        "the number of the fold, or an address, https://...#sha256=...",
        "",
        _no_model_path,
    ),
    # Augmentation.
    Contradiction("half-a-mask", "{masks} masks nothing", "Set both, or neither", _half_a_mask),
    Contradiction(
        "shift-of-no-step",
        "augment_time_shift_s={augment_time_shift_s} rounds to 0 in steps of {step_s:g} s",
        "",
        _shift_of_no_step,
    ),
    Contradiction(
        "masked-samples",
        "{name} does not support padding=masked",
        "Set it to 0",
        _used(lambda s: s.padding == "masked" and _is_waveform(s), ("augment_noise", "augment_mixup", "augment_time_shift_s")),
    ),
    Contradiction(
        "batch-of-one",
        "{name} mixes the examples of a batch, but batch_size is 1",
        "",
        _used(lambda s: s.batch_size == 1, ("augment_mixup", "augment_mixstyle")),
    ),
    Contradiction(
        "empty-crop",
        "augment_time_shift_s={augment_time_shift_s} empties crops of crop_s={crop_s}",
        "Lower it",
        lambda s: s.crop_s is not None and s.augment_time_shift_s >= s.crop_s,
    ),
    Contradiction(
        "bins-needed",
        "{name} needs bins of frequency; received features='{features}'{feature_deltas:? with feature_deltas}",
        "",
        _used(lambda s: not _has_bins(s), _ON_BINS),
    ),
    Contradiction(
        "gain-of-other-features",
        "{name} does not support all bins of features='{features}'{feature_deltas:? with feature_deltas}",
        "Set it to 0",
        _used(lambda s: not _has_bins(s) and s.features not in ("mfcc", "embedding"), ("augment_gain_db",)),
    ),
    Contradiction(
        "augmented-embeddings",
        "{name} changes samples, but features='embedding' are computed before training",
        "Set it to 0",
        _used(lambda s: s.features == "embedding", ("augment_gain_db", "augment_time_shift_s")),
    ),
    Contradiction(
        "decibels-needed",
        "{name} needs spectra in dB (scale = db); received features='{features}', scale='{scale}'",
        "",
        _used(lambda s: s.scale != "db" or not _has_bins(s), _OF_RECORDERS),
    ),
    Contradiction(
        "frames-and-bins-needed",
        "{name} works on frames and bins, but samples have none",
        "Set frontend to logmel or stft",
        _used(_has_samples_only, _ON_FEATURES),
    ),
    Contradiction(
        "unscaled-features",
        "{name} needs features of mean 0 and standard deviation 1, but normalization='none'",
        "Set normalization to per_bin or global",
        _unscaled,
    ),
    Contradiction(
        "augmented-before-scaling",
        "{name} changes features before scaling, but normalization='per_item' scales them before the network",
        "Set it to 0 or none",
        _used(lambda s: s.normalization == "per_item", ("augment_gain_db", *_OF_RECORDERS)),
    ),
    Contradiction(
        "gain-removed",
        "augment_gain_db has no effect with normalization='per_clip', which removes the gain",
        "",
        lambda s: s.augment_gain_db and s.features != "mfcc" and s.normalization == "per_clip",
    ),
    Contradiction(
        "gain-without-loudness",
        "augment_gain_db contradicts db_reference='max', which removes the loudness from the features",
        "",
        _gains_without_loudness,
    ),
)
"""In the order in which they are looked for."""
