"""Every parameter of config.ini with its type, what it allows and its scope.

Comes in: text and values of all layers. Goes out: a frozen `Settings`; and the names of the settings of a scope, such as those
that belong to the whole experiment, or those that cannot change a result.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, reduce
from operator import or_
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

from preprocessing.annotations.annotation_settings import FrameSettings
from preprocessing.features.feature_settings import (
    FeatureSettings,
    NonNegativeFloat,
    NonNegativeInt,
    OptionalPositiveFloat,
    OptionalText,
    PositiveFloat,
    PositiveInt,
    none_from_text,
)
from xval.base import keras_objects
from xval.base.user_code import definitions
from xval.base.user_code.modules import SHARED_PACKAGE
from xval.data.class_weights import read_class_weights
from xval.data.clip_average import Averaging
from xval.folds.condition import Condition
from xval.folds.plan import FoldSettings, Strategy
from xval.measures import binary
from xval.measures.forms import FigureOptions
from xval.measures.task import LabelForm, Task, find_task
from xval.settings import architectures, further_metrics
from xval.settings.finding_codes import join_codes
from xval.settings.part_arguments import join_arguments
from xval.settings.recipes import RecipeName
from xval.settings.scope import Scope
from xval.settings.space import Choice, SearchPlan
from xval.settings.validators import (
    TaskType,
    below_one,
    check_executor,
    join_names,
    of_regression,
    read_gpu,
    read_strategy,
    reading,
    rename_reshaping,
)

RETIRED = {"engine": "sequential"}
"""Settings that are no more, with the value that all results have which are still read."""

# Scopes that come together.
_RUN = Scope.EXPERIMENT | Scope.UNHASHED
_CLUSTER = _RUN | Scope.CLUSTER
_FOLDS = _RUN | Scope.FOLDS
_PACE = Scope.BETWEEN_STEPS
_WORDS = Scope.WORDS | Scope.BETWEEN_STEPS
_NETWORK = Scope.NETWORK | Scope.MODEL

Part = TypeVar("Part", FeatureSettings, FoldSettings, FrameSettings)
"""A part of the settings."""
_CONDITION = reading(lambda text: Condition(text).text)

Name = Annotated[str, Field(pattern=r"^[^/\\.][^/\\]*$", max_length=200)]
ItemName = Annotated[str, Field(pattern=r"^[^\W\d_][^\n]*$", max_length=20)]
Share = Annotated[PositiveFloat, Field(lt=1)]
OptionalShare = Annotated[OptionalPositiveFloat, AfterValidator(below_one)]
Factor = Annotated[NonNegativeFloat, Field(lt=1)]
OptionalNoiseFloor = Annotated[Annotated[float, Field(gt=-60, lt=0)] | None, BeforeValidator(none_from_text)]
DottedPath = Annotated[str, Field(pattern=r"\.")]
OptionalFactor = Annotated[Factor | None, BeforeValidator(none_from_text)]


class Settings(FeatureSettings):
    """All parameters of one instance, each right by itself; config.ini has the meaning and unit of each.

    `contradictions.checked_settings` makes those that are right together, too.

    Raises:
        pydantic.ValidationError: A value of the wrong type or out of range.
    """

    # experiment
    dataset: Annotated[Name, Scope.EXPERIMENT]
    num_experiment: Annotated[NonNegativeInt, _RUN | Scope.BETWEEN_STEPS]
    item_name: Annotated[ItemName, _RUN | _WORDS] = "auto"  # as data_on_device
    task_type: Annotated[TaskType, Scope.EXPERIMENT | Scope.MODEL]
    experiment_folder: Annotated[str, _RUN | Scope.BETWEEN_STEPS]
    data_folder: Annotated[str, _RUN]
    overwrite_results: Annotated[bool, _RUN | Scope.BETWEEN_STEPS]
    debug_mode: Annotated[bool, _RUN | Scope.BETWEEN_STEPS]
    page: Annotated[Literal["complete", "without_audio", "none"], _RUN | Scope.BETWEEN_STEPS]
    tracking: Annotated[Literal["mlflow", "wandb", "none"], _RUN | Scope.BETWEEN_STEPS]
    # execution
    gpu_ID: Annotated[str, BeforeValidator(read_gpu), _RUN]  # noqa: N815 - the name that scripts have used for years
    backend: Literal["tensorflow", "torch", "jax"]
    executor: Annotated[str, AfterValidator(check_executor), _RUN]
    workers: Annotated[NonNegativeInt, _RUN]
    workers_per_gpu: Annotated[PositiveInt, _RUN]
    threads_per_job: Annotated[PositiveInt, Scope.EXPERIMENT]
    max_worker_memory_mb: Annotated[PositiveInt, _RUN]
    in_memory_mb: Annotated[NonNegativeInt, _RUN]
    data_on_device: Annotated[bool, _RUN] = True  # what was written before has none
    search_storage: Annotated[OptionalText, _RUN | Scope.BETWEEN_STEPS] = None  # as data_on_device
    checkpoint_minutes: Annotated[NonNegativeFloat, _RUN | Scope.BETWEEN_STEPS] = 5.0  # as data_on_device
    lock: Annotated[Literal["flock", "lease"], _RUN] = "flock"  # as data_on_device
    lease_s: Annotated[PositiveFloat, Field(ge=1, le=3600), _RUN] = 60.0  # as leases.LONGEST_S
    slurm_cluster: Annotated[Literal["slurm", "local"], _CLUSTER]
    slurm_partition: Annotated[OptionalText, _CLUSTER]
    slurm_time_limit_min: Annotated[PositiveInt, _CLUSTER]
    slurm_cpus_per_job: Annotated[NonNegativeInt, _CLUSTER]
    slurm_memory_gb: Annotated[PositiveFloat, _CLUSTER]
    slurm_gpus_per_job: Annotated[NonNegativeInt, _CLUSTER]
    slurm_max_running: Annotated[NonNegativeInt, _CLUSTER]
    ray_address: Annotated[str, Field(min_length=1), _CLUSTER]
    ray_gpus_per_job: Annotated[NonNegativeFloat, _CLUSTER]
    # folds
    num_folds: Annotated[PositiveInt, _FOLDS]
    fold_strategy: Annotated[Strategy | DottedPath, BeforeValidator(read_strategy), _FOLDS]
    fold_seed: Annotated[NonNegativeInt, _FOLDS]
    validation: Annotated[Literal["fraction", "next_fold"], _FOLDS]
    validation_fraction: Annotated[Share, _FOLDS]
    test_fraction: Annotated[Share, _FOLDS]
    fold_repeats: Annotated[PositiveInt, _FOLDS] = 1  # as repeats
    repeats: Annotated[PositiveInt, _RUN] = 1  # what was written before there were repeats has none
    # what was written before there were these has none either, and keeps its hash: see NEUTRAL
    train_fraction: Annotated[PositiveFloat, Field(le=1)] = 1.0
    train_where: Annotated[OptionalText, _CONDITION, Scope.LOSS] = None
    test_where: Annotated[OptionalText, _CONDITION] = None
    # model
    recipe: Annotated[RecipeName, Scope.UNHASHED | Scope.BETWEEN_STEPS] = "none"  # what it sets is written out, and counts
    architecture: Annotated[str, BeforeValidator(architectures.known_name), Scope.MODEL]
    reshaping_type: Annotated[Literal["auto", "conv", "rnn", "none"], BeforeValidator(rename_reshaping), _NETWORK]
    normalization: Annotated[Literal["per_bin", "global", "per_clip", "per_item", "none"], _NETWORK | Scope.FEATURE_LOSS]
    enrolment_s: Annotated[OptionalPositiveFloat, Scope.LOSS] = None  # as train_fraction
    # What was written before there was this setting was trained without it.
    target_scaling: Annotated[Literal["standard", "none"], AfterValidator(of_regression), Scope.NUMBERS | Scope.LOSS] = "none"
    regularization_lambda: Annotated[NonNegativeFloat, Scope.NETWORK]
    # frame_classification
    label_form: Annotated[LabelForm, Scope.FRAMES | Scope.MODEL | Scope.FRAME_LOSS]
    label_frame_s: Annotated[PositiveFloat, Scope.FRAMES | Scope.MODEL | Scope.FRAME_LOSS]
    sequence_frames: Annotated[PositiveInt, Scope.FRAMES | Scope.MODEL]
    frame_overlap: Annotated[PositiveFloat, Field(le=1), Scope.FRAMES | Scope.FRAME_LOSS]
    annotation_policy: Annotated[str, Scope.FRAMES | Scope.FRAME_LOSS]
    random_excerpts: Annotated[bool, Scope.FRAMES]
    event_threshold: Annotated[OptionalShare, Scope.FRAMES]
    event_median_frames: Annotated[PositiveInt, Scope.FRAMES]
    event_min_duration_s: Annotated[NonNegativeFloat, Scope.FRAMES]
    segment_s: Annotated[PositiveFloat, Scope.FRAMES]
    # transfer
    initial_model: Annotated[OptionalText, _NETWORK]
    initial_model_match: Annotated[Literal["all", "names", "shapes", "prefix"], _NETWORK] = "all"
    pretrained_on: Annotated[OptionalText, Scope.UNHASHED | _WORDS] = None
    frozen_layers: Annotated[NonNegativeInt, _NETWORK]
    frozen: Annotated[Literal["none", "convolutions"], _NETWORK]
    unfreeze_every: Annotated[NonNegativeInt, _NETWORK] = 0
    layer_learning_rate_decay: Annotated[PositiveFloat, Field(le=1), _NETWORK] = 1.0
    # training
    generator: Annotated[bool, Scope.UNHASHED | Scope.BETWEEN_STEPS | Scope.NETWORK]
    seed: Annotated[NonNegativeInt, _PACE]
    batch_size: PositiveInt
    num_epochs: Annotated[PositiveInt, _PACE | Scope.NETWORK]
    optimizer: Annotated[str, _NETWORK]
    learning_rate: Annotated[PositiveFloat, _PACE | Scope.NETWORK]
    momentum: Annotated[OptionalFactor, _NETWORK]
    weight_decay: Annotated[OptionalFactor, _NETWORK]
    optimizer_arguments: Annotated[OptionalText, reading(lambda text: join_arguments("optimizer", text, {})), _NETWORK] = None
    schedule: Annotated[str, _PACE | _NETWORK]
    schedule_arguments: Annotated[
        OptionalText, reading(lambda text: join_arguments("schedule", text, {})), _PACE | _NETWORK
    ] = None
    schedule_unit: Annotated[Literal["epoch", "batch"], _PACE | Scope.NETWORK] = "epoch"
    schedule_decay: Annotated[Share, _PACE | Scope.NETWORK]
    schedule_patience: Annotated[PositiveInt, _PACE | Scope.NETWORK]
    final_learning_rate: Annotated[OptionalPositiveFloat, _PACE | Scope.NETWORK]
    loss: Annotated[str, Scope.MODEL | Scope.LOSS]
    class_weights: Annotated[str, BeforeValidator(read_class_weights), _PACE | Scope.LOSS]
    weight_column: Annotated[OptionalText, _NETWORK | Scope.LOSS] = None
    sampling: Annotated[Literal["none", "balanced"], _PACE | Scope.NETWORK | Scope.LOSS] = "none"
    clip_norm: Annotated[OptionalPositiveFloat, _NETWORK]
    weight_average: Annotated[OptionalFactor, _NETWORK] = None
    warmup_epochs: Annotated[NonNegativeInt, _PACE | Scope.NETWORK] = 0
    label_smoothing: Annotated[Factor, _NETWORK] = 0.0
    monitor: Annotated[str, _PACE | Scope.MODEL]
    early_stopping: Annotated[bool, _PACE | Scope.NETWORK]
    restore_best_weights: Annotated[bool, _PACE | Scope.NETWORK] = True
    patience: Annotated[PositiveInt, _PACE | Scope.NETWORK]
    min_delta: Annotated[NonNegativeFloat, _PACE | Scope.NETWORK] = 0.0  # as train_fraction
    start_from_epoch: Annotated[NonNegativeInt, _PACE | Scope.NETWORK] = 0
    precision: Annotated[Literal["float32", "tensorfloat32", "mixed_bfloat16", "mixed_float16"], _NETWORK]
    deterministic: bool
    tensorboard: Annotated[bool, Scope.UNHASHED | Scope.BETWEEN_STEPS | Scope.NETWORK]
    tensorboard_batches: Annotated[bool, Scope.UNHASHED | Scope.NETWORK] = False  # as data_on_device
    callbacks: Annotated[OptionalText, BeforeValidator(join_names), _NETWORK] = None
    # evaluation
    silence: Annotated[OptionalText, BeforeValidator(join_names), reading(join_codes), _RUN | _WORDS] = (
        None  # as data_on_device
    )
    rank_by: Annotated[str, _RUN | _WORDS] = "auto"  # as data_on_device
    evaluate_training: Annotated[bool, _PACE]
    metrics: Annotated[str, BeforeValidator(join_names), _PACE | Scope.MODEL]
    positive_class: Annotated[OptionalText, Scope.EXPERIMENT | _PACE | Scope.MODEL] = None  # as train_fraction
    clip_average: Annotated[Literal["probabilities", "logits", "votes"], _PACE]
    item_decision: Annotated[Literal["none", "mean", "vote"], Scope.EXPERIMENT | _PACE] = "none"
    calibration: Annotated[Literal["temperature", "none"], _PACE | Scope.NETWORK] = "none"  # as train_fraction
    # training_augmentation
    augment_time_masks: Annotated[NonNegativeInt, _NETWORK]
    augment_time_mask_frames: Annotated[NonNegativeInt, _NETWORK]
    augment_frequency_masks: Annotated[NonNegativeInt, _NETWORK]
    augment_frequency_mask_bins: Annotated[NonNegativeInt, _NETWORK]
    augment_time_shift_s: Annotated[NonNegativeFloat, _NETWORK]
    augment_frequency_shift_bins: Annotated[NonNegativeInt, _NETWORK]
    augment_noise: Annotated[NonNegativeFloat, _NETWORK]
    augment_gain_db: Annotated[NonNegativeFloat, _NETWORK]
    augment_mixup: Annotated[NonNegativeFloat, _NETWORK]
    augment_mixstyle: Annotated[NonNegativeFloat, Field(le=1), _NETWORK] = 0.0
    augment_mixstyle_alpha: Annotated[PositiveFloat, _NETWORK] = 0.3
    augment_vocal_tract: Annotated[Factor, _NETWORK] = 0.0
    augment_speed: Annotated[Factor, _NETWORK] = 0.0
    augment_response_db: Annotated[NonNegativeFloat, _NETWORK] = 0.0
    augment_noise_floor_db: Annotated[OptionalNoiseFloor, _NETWORK] = None
    # of an experiment or instance alone, so without a default in config.ini
    comment_1: Annotated[str, Scope.UNHASHED | _WORDS] = ""
    comment_2: Annotated[str, Scope.UNHASHED | _WORDS] = ""
    search: Annotated[OptionalText, reading(lambda text: SearchPlan.from_text(text).to_text())] = None  # a `SearchPlan`

    @property
    def task(self) -> Task:
        """What the engine knows of the task."""
        return find_task(self.task_type, self.label_form)

    def positive_number(self, class_names: Sequence[str]) -> int | None:
        """Return the number of the class that is to be found; None: the settings name none."""
        return binary.number_of(self.positive_class, class_names)

    @property
    def scales_targets(self) -> bool:
        """Whether the model scales its answers by the statistics of the training items' targets."""
        return self.target_scaling == "standard"

    @property
    def averaging(self) -> Averaging:
        """How the predictions of examples are combined for figures of clips, or of items where each has one decision."""
        return Averaging(self.clip_average, self.item_decision)

    @property
    def scales_items(self) -> bool:
        """Whether the features of each item are scaled by its own clips, before a network or estimator reads them."""
        return self.normalization == "per_item" and self.architecture not in (architectures.ENSEMBLE, architectures.COMBINATION)

    @property
    def scales_loss(self) -> bool:
        """Whether errors count in deviations of the training items' targets."""
        return self.scales_targets and self.task.loss_kind(self.task.loss_name(self.loss)) in self.task.scaled_losses

    @property
    def uses_keras(self) -> bool:
        """Whether a network is trained or read, or a part is of Keras; an estimator of scikit-learn needs no backend."""
        metrics = [] if self.metrics == "auto" else further_metrics.split_names(self.metrics)
        without_keras = (definitions.is_dotted(name) or further_metrics.is_of_positive(self.task, name) for name in metrics)
        is_plain = self.loss == "auto" and self.callbacks is None and all(without_keras)
        return architectures.trains_network(self.architecture) or self.architecture == architectures.COMBINATION or not is_plain

    def own_parts(self) -> set[str]:
        """Return the dotted paths of what the settings name that decides the figures of a fold: of the user's own or not.

        A splitter is none of them: it decides the folds, which are compared themselves.
        """
        if self.architecture == architectures.ENSEMBLE:
            return set()  # nothing is trained
        named = {"architecture": [self.architecture], "loss": [self.loss], "optimizer": [self.optimizer]}
        named |= {"schedule": [self.schedule], "metrics": [self.metrics], "callbacks": [self.callbacks or "auto"]}
        for name, tried in self.search_plan.space.items() if self.search_plan else ():
            if name in named and isinstance(tried, Choice):
                named[name] += map(str, tried.options)
        networks = [architectures.find_architecture(name).build_path for name in named.pop("architecture")]
        texts = [text for values in named.values() for text in values]
        parts = {name for text in texts for name in further_metrics.split_names(text)}
        paths = {keras_objects.parse(name).own_path if keras_objects.is_object(name) else name for name in parts}
        return {path for path in paths if definitions.is_dotted(path)} | {path for path in networks if path}

    def own_modules(self) -> set[str]:
        """Return the modules of the user's own that the settings name, but for those of architectures/."""
        modules = {path.rpartition(".")[0] for path in {*self.own_parts(), self.fold_strategy}}
        return {name for name in modules if name and not name.startswith(f"{SHARED_PACKAGE}.")}

    @property
    def search_plan(self) -> SearchPlan | None:
        """What is searched in each fold; None: nothing."""
        return SearchPlan.from_text(self.search) if self.search else None

    def feature_settings(self) -> FeatureSettings:
        """Return the part that decides the features."""
        return self._part(FeatureSettings, FeatureSettings.model_fields)

    def fold_settings(self) -> FoldSettings:
        """Return the part that decides the folds."""
        return self._part(FoldSettings, names_of(Scope.FOLDS))

    def frame_settings(self) -> FrameSettings:
        """Return the part that decides what frames and events are."""
        return self._part(FrameSettings, FrameSettings.model_fields)

    def _part(self, kind: Callable[..., Part], names: Iterable[str]) -> Part:
        return kind(**{name: getattr(self, name) for name in names})

    @property
    def frames(self) -> FrameSettings | None:
        """How recordings are cut into frames, each with a label; None: clips have labels."""
        return self.frame_settings() if self.task.target == "frame" else None

    def figure_options(self, class_names: Sequence[str]) -> FigureOptions:
        """Return what figures depend on beside targets and predictions."""
        frames = self.frames
        frame_s = frames.frame_s(self.sample_rate_hz) if frames else 0.0
        return FigureOptions(tuple(class_names), clip_average=self.clip_average, frames=frames, frame_s=frame_s)


# Of the settings that Settings inherits.
_OF_FEATURES = Scope.MODEL | Scope.FEATURE_LOSS
_OF_EXAMPLES = {"example_length_s": Scope.LOSS, "example_overlap": Scope.LOSS}


@cache
def scope_of(name: str) -> Scope:
    """Return the scope of a setting, as the annotation of its field declares it."""
    if name in FeatureSettings.model_fields:
        return _OF_FEATURES | _OF_EXAMPLES.get(name, Scope(0))
    marks = (mark for mark in Settings.model_fields[name].metadata if isinstance(mark, Scope))
    return reduce(or_, marks, Scope(0))


@cache
def names_of(scope: Scope) -> tuple[str, ...]:
    """Return the settings that have a scope, in the order of config.ini."""
    return tuple(name for name in Settings.model_fields if scope in scope_of(name))


def names_of_loss(task: Task) -> tuple[str, ...]:
    """Return the settings in which instances must agree for their validation losses to be compared."""
    further = {"features": Scope.FEATURE_LOSS, "frame_labels": Scope.FRAME_LOSS, None: Scope.LOSS}[task.loss_depends_on]
    return tuple(dict.fromkeys([*names_of(Scope.LOSS), *names_of(further)]))


FRAME_KEYS = names_of(Scope.FRAMES)
NUMBER_KEYS = names_of(Scope.NUMBERS)
TESTED_KEYS = ("test_where", "enrolment_s")
"""Settings that decide which clips of a fold are tested; instances that differ in them cannot be compared."""
EXPERIMENT_KEYS = frozenset(names_of(Scope.EXPERIMENT))
UNHASHED_KEYS = frozenset(names_of(Scope.UNHASHED))
NEUTRAL: Mapping[str, object] = {
    name: field.default
    for name, field in Settings.model_fields.items()
    if not field.is_required() and name not in UNHASHED_KEYS
}
"""Settings of later versions at the value that changes nothing. There they are no part of the hash: older results hold."""
