"""Every parameter of config.ini with its type and what it allows.

Comes in: text and values of all layers. Goes out: a frozen `Settings`. Which parameters belong to the whole experiment and
which of them can change a result is said here too.
"""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from preprocessing.features.settings import (
    FeatureSettings,
    NonNegativeFloat,
    NonNegativeInt,
    OptionalPositiveFloat,
    OptionalText,
    PositiveFloat,
    PositiveInt,
    none_from_text,
)
from xval.errors import SettingsError, suggestion
from xval.metrics.frame_classification import EVENT_METRICS
from xval.settings import architectures, further_metrics, optimizers, tasks, user_code

_OLDER_NAMES = {"cnn": "conv", "lstm": "rnn"}


def _rename_reshaping(value: object) -> object:
    return _OLDER_NAMES.get(value, value) if isinstance(value, str) else value


def _read_gpu(value: object) -> object:
    """Take 0 for "0", since the device is written either way, and refuse what is no device."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(text, str) and text != "cpu" and not all(part.strip().isdecimal() for part in text.split(",")):
        raise ValueError("allowed: a GPU number such as 0, several such as 0,1,2, or cpu")
    return text


def _check_executor(name: str) -> str:
    if name not in (names := architectures.executor_names()):
        raise ValueError(f"no such executor. {suggestion(name, names)}")
    return name


def _below_one(value: float | None) -> float | None:
    if value is not None and value >= 1:
        raise ValueError("allowed: above 0 and below 1, or none")
    return value


def _join_names(value: object) -> object:
    """Take a list of names for the text that config.ini has."""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else value


Name = Annotated[str, Field(pattern=r"^[^/\\.][^/\\]*$", max_length=200)]
Share = Annotated[PositiveFloat, Field(lt=1)]
OptionalShare = Annotated[OptionalPositiveFloat, AfterValidator(_below_one)]
OptionalFactor = Annotated[Annotated[NonNegativeFloat, Field(lt=1)] | None, BeforeValidator(none_from_text)]


class Settings(FeatureSettings):
    """All parameters of one instance; config.ini has the meaning and unit of each.

    Raises:
        pydantic.ValidationError: A value of the wrong type or out of range, or values that contradict each other.
    """

    # experiment
    dataset: Name
    num_experiment: NonNegativeInt
    task_type: Literal["classification", "regression", "representation", "frame_classification"]
    experiment_folder: str
    data_folder: str
    overwrite_results: bool
    debug_mode: bool
    # execution
    gpu_ID: Annotated[str, BeforeValidator(_read_gpu)]  # noqa: N815 - the name that scripts have used for years
    backend: Literal["tensorflow", "torch", "jax"]
    engine: Literal["sequential", "fused", "fused_always"]
    executor: Annotated[str, AfterValidator(_check_executor)]
    workers: NonNegativeInt
    workers_per_gpu: PositiveInt
    threads_per_job: PositiveInt
    max_worker_memory_mb: PositiveInt
    in_memory_mb: NonNegativeInt
    slurm_cluster: Literal["slurm", "local"]
    slurm_partition: OptionalText
    slurm_time_limit_min: PositiveInt
    slurm_cpus_per_job: NonNegativeInt
    slurm_memory_gb: PositiveFloat
    slurm_gpus_per_job: NonNegativeInt
    slurm_max_running: NonNegativeInt
    ray_address: Annotated[str, Field(min_length=1)]
    ray_gpus_per_job: NonNegativeFloat
    # folds
    num_folds: PositiveInt
    fold_strategy: Literal["balanced", "leave_one_out", "predefined", "holdout"]
    fold_seed: NonNegativeInt
    validation: Literal["fraction", "next_fold"]
    validation_fraction: Share
    test_fraction: Share
    # model
    architecture: str
    reshaping_type: Annotated[Literal["auto", "conv", "rnn", "none"], BeforeValidator(_rename_reshaping)]
    normalization: Literal["per_bin", "global", "per_clip", "none"]
    regularization_lambda: NonNegativeFloat
    # frame_classification
    label_form: Literal["multi_class", "multi_label"]
    label_frame_s: PositiveFloat
    sequence_frames: PositiveInt
    frame_overlap: Annotated[PositiveFloat, Field(le=1)]
    annotation_policy: str
    random_excerpts: bool
    event_threshold: OptionalShare
    event_median_frames: PositiveInt
    event_min_duration_s: NonNegativeFloat
    segment_s: PositiveFloat
    # transfer
    initial_model: OptionalText
    frozen_layers: NonNegativeInt
    frozen: Literal["none", "convolutions"]
    # training
    generator: bool
    seed: NonNegativeInt
    batch_size: PositiveInt
    num_epochs: PositiveInt
    optimizer: str
    learning_rate: PositiveFloat
    momentum: OptionalFactor
    weight_decay: OptionalFactor
    schedule: str
    schedule_decay: Share
    schedule_patience: PositiveInt
    final_learning_rate: OptionalPositiveFloat
    loss: str
    class_weights: Literal["none", "balanced"]
    clip_norm: OptionalPositiveFloat
    monitor: str
    early_stopping: bool
    patience: PositiveInt
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"]
    deterministic: bool
    tensorboard: bool
    # evaluation
    evaluate_training: bool
    metrics: Annotated[str, BeforeValidator(_join_names)]
    clip_average: Literal["probabilities", "logits", "votes"]
    # augmentation_in_training
    augment_time_masks: NonNegativeInt
    augment_time_mask_frames: NonNegativeInt
    augment_frequency_masks: NonNegativeInt
    augment_frequency_mask_bins: NonNegativeInt
    augment_time_shift_s: NonNegativeFloat
    augment_frequency_shift_bins: NonNegativeInt
    augment_noise: NonNegativeFloat
    augment_gain_db: NonNegativeFloat
    augment_mixup: NonNegativeFloat
    # of an experiment or instance alone, so without a default in config.ini
    comment_1: str = ""
    comment_2: str = ""

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        try:
            architecture = architectures.find_architecture(self.architecture)
            loss = tasks.loss_name(self.task_type, self.loss, self.label_form)
            optimizers.check_options(dict(self))
            further = further_metrics.directions(self.task_type, self.metrics)
        except SettingsError as error:
            raise ValueError(str(error)) from error
        if self.task_type not in architecture.task_types:
            allowed = ", ".join(architecture.task_types)
            raise ValueError(f"architecture '{self.architecture}' does {allowed}, not {self.task_type}")
        if self.augment_mixup and user_code.is_dotted(loss) and self.task_type == "classification":
            raise ValueError(f"augment_mixup gives examples shares of classes; loss '{loss}' gets the number of one class")
        if self.clip_average != "probabilities" and self.task_type != "classification":
            raise ValueError(f"clip_average='{self.clip_average}' needs classes; the task is {self.task_type}")
        monitors = tasks.monitors(self.task_type, further)
        if self.task_type == "frame_classification" and self.monitor.removeprefix("val_") in EVENT_METRICS:
            raise ValueError(
                f"monitor '{self.monitor}': metrics of segments and events are computed once, after training; monitor one of "
                f"frames: {', '.join(monitors)}"
            )
        if self.monitor not in monitors:
            raise ValueError(f"monitor '{self.monitor}' is produced by no metric. {suggestion(self.monitor, monitors)}")
        if self.class_weights == "balanced" and self.task_type != "classification":
            raise ValueError(f"class_weights='balanced' needs classes; the task is {self.task_type}")
        if self.validation == "next_fold" and self.fold_strategy == "balanced" and self.num_folds < 3:
            raise ValueError(f"validation='next_fold' needs three folds or more; received num_folds={self.num_folds}")
        return self

    @model_validator(mode="after")
    def _check_engine(self) -> Self:
        if self.engine != "sequential" and self.backend != "jax":
            raise ValueError(
                f"engine='{self.engine}' trains folds together on the backend jax; received backend='{self.backend}'. Set "
                "backend=jax, or engine=sequential"
            )
        return self

    @model_validator(mode="after")
    def _check_task(self) -> Self:
        if self.task_type not in ("classification", "regression") and self.augment_mixup:
            raise ValueError(f"augment_mixup mixes the targets of clips; {self.task_type} has none")
        if self.task_type != "frame_classification":
            return self
        if self.features != "waveform" or self.frontend != "none":
            raise ValueError(
                "frame_classification labels stretches of samples: features='waveform' and frontend='none' are wanted; "
                f"received features='{self.features}', frontend='{self.frontend}'"
            )
        moving = ("crop_s", "trim_db", "clip_length_s", "stretch_frames", "example_length_s")
        for name in moving:
            if getattr(self, name) is not None:
                raise ValueError(
                    f"{name}={getattr(self, name)} would move audio away from its annotations; for frame_classification it is "
                    "none, and sequence_frames says how long examples are"
                )
        if self.augment_time_shift_s:
            raise ValueError("augment_time_shift_s would move audio away from its annotations; random_excerpts moves both")
        if self.event_median_frames % 2 == 0:
            raise ValueError(f"event_median_frames={self.event_median_frames}; an odd number has a frame in the middle")
        return self

    @model_validator(mode="after")
    def _check_transfer(self) -> Self:
        if self.frozen_layers and self.frozen != "none":
            raise ValueError(
                f"frozen_layers={self.frozen_layers} and frozen='{self.frozen}' contradict each other; set one of them"
            )
        if self.initial_model is None:
            if self.frozen_layers or self.frozen != "none":
                name, value = ("frozen_layers", self.frozen_layers) if self.frozen_layers else ("frozen", self.frozen)
                raise ValueError(
                    f"{name}={value!r} freezes weights that nothing has trained; set initial_model, or leave it out"
                )
        elif not self.initial_model.endswith(".keras") or set("{}") & set(self.initial_model.replace("{fold}", "")):
            raise ValueError(
                f"initial_model={self.initial_model!r}; allowed: none, or the path of a .keras file, in which {{fold}} stands "
                "for the number of the fold"
            )
        return self

    @model_validator(mode="after")
    def _check_augmentation(self) -> Self:
        masks = {"augment_time_masks": "augment_time_mask_frames", "augment_frequency_masks": "augment_frequency_mask_bins"}
        for number, width in masks.items():
            if bool(getattr(self, number)) != bool(getattr(self, width)):
                raise ValueError(
                    f"{number}={getattr(self, number)} with {width}={getattr(self, width)} masks nothing; set both, or neither"
                )
        is_waveform = self.features == "waveform"
        step_s = (1 if is_waveform else self.hop_length) / self.sample_rate_hz
        if self.augment_time_shift_s and round(self.augment_time_shift_s / step_s) == 0:
            raise ValueError(
                f"augment_time_shift_s={self.augment_time_shift_s} is nothing after rounding to steps of {step_s:g} s"
            )
        if self.augment_mixup and self.batch_size == 1:
            raise ValueError("augment_mixup mixes the examples of a batch, and batch_size is 1")
        if self.crop_s is not None and self.augment_time_shift_s >= self.crop_s:
            raise ValueError(
                f"augment_time_shift_s={self.augment_time_shift_s} empties crops of crop_s={self.crop_s}; lower it"
            )
        if self.augment_frequency_shift_bins and self.features == "mfcc":
            raise ValueError("augment_frequency_shift_bins needs bins of frequency; features='mfcc' has coefficients")
        on_features = [*masks, "augment_frequency_shift_bins"]
        on_features += [] if is_waveform else ["augment_time_shift_s", "augment_noise"]
        switched_on = next((name for name in on_features if getattr(self, name)), None)
        if switched_on and is_waveform and self.frontend == "none":
            raise ValueError(f"{switched_on} works on frames and bins, and samples have none; set frontend to logmel or stft")
        if switched_on and self.normalization == "none":
            raise ValueError(
                f"{switched_on} works on features of mean 0 and deviation 1, but normalization='none'; choose per_bin or global"
            )
        if self.augment_gain_db and self.features != "mfcc" and self.normalization == "per_clip":
            raise ValueError("augment_gain_db has no effect with normalization='per_clip', which takes the gain out again")
        has_decibels = self.features == "mfcc" or (self.scale == "db" and not (is_waveform and self.frontend == "none"))
        if self.augment_gain_db and self.db_reference == "max" and has_decibels:
            raise ValueError("augment_gain_db contradicts db_reference='max', which takes the loudness out of the features")
        return self

    def feature_settings(self) -> FeatureSettings:
        """Return the part that decides the features."""
        return FeatureSettings(**{name: getattr(self, name) for name in FeatureSettings.model_fields})


FOLD_KEYS = (
    "num_folds", "fold_strategy", "fold_seed", "validation", "validation_fraction", "test_fraction",
)  # fmt: skip
# Only experiments whose task is frame_classification have these.
FRAME_KEYS = (
    "label_form", "label_frame_s", "sequence_frames", "frame_overlap", "annotation_policy", "random_excerpts",
    "event_threshold", "event_median_frames", "event_min_duration_s", "segment_s",
)  # fmt: skip
# Where jobs run and what they ask of a cluster.
CLUSTER_KEYS = (
    "slurm_cluster", "slurm_partition", "slurm_time_limit_min", "slurm_cpus_per_job", "slurm_memory_gb", "slurm_gpus_per_job",
    "slurm_max_running", "ray_address", "ray_gpus_per_job",
)  # fmt: skip
# All instances of an experiment share these; an instance that sets one is refused.
EXPERIMENT_KEYS = frozenset(
    {
        "dataset", "num_experiment", "task_type", "experiment_folder", "data_folder", "overwrite_results", "debug_mode",
        "gpu_ID", "executor", "workers", "workers_per_gpu", "threads_per_job", "max_worker_memory_mb", "in_memory_mb",
        *CLUSTER_KEYS, *FOLD_KEYS,
    }
)  # fmt: skip
# These cannot change a number of a result, or are held fast elsewhere (the folds by their own hash).
UNHASHED_KEYS = frozenset(
    {
        "num_experiment", "experiment_folder", "data_folder", "overwrite_results", "debug_mode", "gpu_ID", "executor",
        "workers", "workers_per_gpu", "max_worker_memory_mb", "in_memory_mb", *CLUSTER_KEYS, "generator", "tensorboard",
        "comment_1", "comment_2", *FOLD_KEYS,
    }
)  # fmt: skip
# With these values they change no figure of validation and test examples from what it was before there were such keys, so that
# results of before stay current.
LATER_KEYS: dict[str, object] = {"engine": "sequential", "evaluate_training": False}
