"""The scope of each setting: what is derived from it are the lists that were kept by hand before."""

import pytest

from preprocessing.features.feature_settings import FeatureSettings
from xval.base.setting_scope import Scope
from xval.settings.schema import (
    EXPERIMENT_KEYS,
    FRAME_KEYS,
    UNHASHED_KEYS,
    Settings,
    names_of,
    scope_of,
)

FOLDS = ("num_folds", "fold_strategy", "fold_seed", "validation", "validation_fraction", "test_fraction", "fold_repeats")
FRAMES = (
    "label_form", "label_frame_s", "sequence_frames", "frame_overlap", "annotation_policy", "random_excerpts",
    "event_threshold", "event_median_frames", "event_min_duration_s", "segment_s",
)  # fmt: skip
CLUSTER = (
    "slurm_cluster", "slurm_partition", "slurm_time_limit_min", "slurm_cpus_per_job", "slurm_memory_gb", "slurm_gpus_per_job",
    "slurm_max_running", "ray_address", "ray_gpus_per_job",
)  # fmt: skip
AUGMENTATION = (
    "augment_time_masks", "augment_time_mask_frames", "augment_frequency_masks", "augment_frequency_mask_bins",
    "augment_time_shift_s", "augment_frequency_shift_bins", "augment_noise", "augment_gain_db", "augment_mixup",
    "augment_mixstyle", "augment_mixstyle_alpha", "augment_vocal_tract", "augment_speed",
    "augment_response_db", "augment_noise_floor_db",
)  # fmt: skip
TUNING = (
    "initial_model", "initial_model_match", "frozen_layers", "frozen", "unfreeze_every", "layer_learning_rate_decay",
    "optimizer_arguments", "schedule_arguments", "callbacks",
)  # fmt: skip
EXPECTED = {
    Scope.FOLDS: FOLDS,
    Scope.FRAMES: FRAMES,
    Scope.CLUSTER: CLUSTER,
    Scope.EXPERIMENT: (
        "dataset", "num_experiment", "task_type", "experiment_folder", "data_folder", "overwrite_results", "debug_mode",
        "page", "tracking", "gpu_ID", "executor", "workers", "workers_per_gpu", "threads_per_job", "max_worker_memory_mb",
        "in_memory_mb",
        "data_on_device", "lock", "lease_s", "search_storage", "checkpoint_minutes", *CLUSTER, *FOLDS, "repeats",
        "silence", "item_name", "rank_by", "item_decision", "positive_class",
    ),
    Scope.UNHASHED: (
        "num_experiment", "experiment_folder", "data_folder", "overwrite_results", "debug_mode", "page", "tracking", "gpu_ID",
        "executor", "workers", "workers_per_gpu", "max_worker_memory_mb", "in_memory_mb", "data_on_device", "lock", "lease_s",
        "checkpoint_minutes", *CLUSTER, "generator", "tensorboard", "tensorboard_batches", "comment_1", "comment_2",
        *FOLDS, "repeats", "search_storage", "pretrained_on", "silence", "item_name", "rank_by", "recipe",
    ),
    Scope.RUNTIME: (
        "seed", "learning_rate", "schedule", "schedule_arguments", "schedule_unit", "schedule_decay", "schedule_patience",
        "final_learning_rate", "num_epochs",
        "warmup_epochs",
        "early_stopping", "patience", "min_delta", "start_from_epoch", "restore_best_weights",
        "monitor", "metrics", "positive_class", "clip_average", "item_decision", "calibration", "class_weights", "sampling",
        "evaluate_training",
        "tensorboard",
        "generator", "comment_1", "comment_2", "num_experiment", "experiment_folder", "overwrite_results", "debug_mode",
        "page", "tracking", "search_storage", "checkpoint_minutes", "pretrained_on", "silence", "item_name", "rank_by",
        "recipe",
    ),
    Scope.NETWORK: (
        "reshaping_type", "normalization", "regularization_lambda", "generator", "num_epochs", "optimizer", "learning_rate",
        "momentum", "weight_decay", "schedule", "schedule_unit", "schedule_decay", "schedule_patience",
        "final_learning_rate", "clip_norm", "sampling", "weight_column",
        "early_stopping", "patience", "min_delta", "start_from_epoch", "restore_best_weights",
        "tensorboard", "tensorboard_batches", "precision", *TUNING, *AUGMENTATION,
        "weight_average", "warmup_epochs", "label_smoothing", "calibration",
    ),
    Scope.MODEL: (
        "loss", "optimizer", "schedule", "metrics", "positive_class", "monitor", "momentum", "weight_decay",
        "clip_norm", "architecture",
        "weight_column",
        "weight_average", "label_smoothing",
        "reshaping_type", "normalization", "precision", "task_type", "label_form", "label_frame_s", "sequence_frames",
        *TUNING, *FeatureSettings.model_fields, *AUGMENTATION,
    ),
    Scope.DISPLAY_ONLY: ("silence", "item_name", "rank_by", "pretrained_on", "comment_1", "comment_2"),
    Scope.NUMBERS: ("target_scaling",),
    Scope.LOSS: (
        "target_scaling", "loss", "example_length_s", "example_overlap", "train_where", "enrolment_s",
        "class_weights", "weight_column", "sampling",
    ),
    Scope.FEATURE_LOSS: ("normalization", *FeatureSettings.model_fields),
    Scope.FRAME_LOSS: ("label_form", "label_frame_s", "frame_overlap", "annotation_policy"),
}  # fmt: skip


@pytest.mark.parametrize("scope", EXPECTED, ids=lambda scope: scope.name)
def test_the_settings_of_a_scope(scope):
    found = names_of(scope)

    assert sorted(found) == sorted(EXPECTED[scope])
    assert len(set(found)) == len(found)


def test_every_scope_has_its_settings():
    assert set(EXPECTED) == set(Scope)


def test_the_settings_of_folds_frames_and_clusters_keep_their_order():
    assert (names_of(Scope.FOLDS), FRAME_KEYS, names_of(Scope.CLUSTER)) == (FOLDS, FRAMES, CLUSTER)


def test_the_sets_of_keys_are_those_of_their_scope():
    assert set(EXPECTED[Scope.EXPERIMENT]) == EXPERIMENT_KEYS
    assert set(EXPECTED[Scope.UNHASHED]) == UNHASHED_KEYS


def test_every_setting_has_a_scope_of_those_that_there_are():
    every = Scope(0)
    for scope in Scope:
        every |= scope

    for name in Settings.model_fields:
        assert isinstance(scope_of(name), Scope), name
        assert scope_of(name) in every, name


def test_a_scope_that_is_declared_twice_counts_whole():
    assert scope_of("num_folds") == Scope.EXPERIMENT | Scope.UNHASHED | Scope.FOLDS
    assert scope_of("batch_size") == Scope(0)


def test_a_setting_that_is_added_has_a_default_so_that_what_was_written_before_can_be_read():
    first_version = 106  # settings of the first version, which have none

    assert sum(field.is_required() for field in Settings.model_fields.values()) <= first_version
