"""The names of all settings by section, for what reads config.ini without loading the settings.

Made from the code by python docs/_reference.py.
"""

SETTING_NAMES: dict[str, tuple[str, ...]] = {
    "experiment": (
        "dataset", "num_experiment", "item_name", "task_type", "experiment_folder", "data_folder", "overwrite_results",
        "debug_mode", "page", "tracking",
    ),
    "execution": (
        "gpu_ID", "backend", "executor", "workers", "workers_per_gpu", "threads_per_job", "max_worker_memory_mb",
        "in_memory_mb", "data_on_device", "search_storage", "checkpoint_minutes", "lock", "lease_s", "slurm_cluster",
        "slurm_partition", "slurm_time_limit_min", "slurm_cpus_per_job", "slurm_memory_gb", "slurm_gpus_per_job",
        "slurm_max_running", "ray_address", "ray_gpus_per_job",
    ),
    "folds": (
        "num_folds", "fold_strategy", "fold_seed", "validation", "validation_fraction", "test_fraction", "fold_repeats",
        "repeats", "train_fraction", "train_where", "test_where",
    ),
    "features": (
        "features", "frontend", "crop_s", "padding", "sample_rate_hz", "channel", "n_fft", "win_length", "hop_length", "window",
        "n_mels", "mel_scale", "fmin_hz", "fmax_hz", "n_mfcc", "f0_min_hz", "f0_max_hz", "feature_deltas", "power", "scale",
        "db_reference", "top_db", "pre_emphasis", "trim_db", "vad", "clip_length_s", "stretch_frames", "example_length_s",
        "example_overlap", "embedding_model", "encoder", "embedding_layer", "embedding_pooling",
    ),
    "model": (
        "recipe", "architecture", "reshaping_type", "normalization", "enrolment_s", "target_scaling", "regularization_lambda",
    ),
    "frame_classification": (
        "label_form", "label_frame_s", "sequence_frames", "frame_overlap", "annotation_policy", "random_excerpts",
        "event_threshold", "event_median_frames", "event_min_duration_s", "segment_s",
    ),
    "transfer": (
        "initial_model", "initial_model_match", "pretrained_on", "frozen_layers", "frozen", "unfreeze_every",
        "layer_learning_rate_decay",
    ),
    "training": (
        "generator", "seed", "batch_size", "num_epochs", "optimizer", "learning_rate", "momentum", "weight_decay",
        "optimizer_arguments", "schedule", "schedule_arguments", "schedule_unit", "schedule_decay", "schedule_patience",
        "final_learning_rate", "loss", "class_weights", "weight_column", "sampling", "clip_norm", "weight_average",
        "warmup_epochs", "label_smoothing", "monitor", "early_stopping", "patience", "min_delta", "start_from_epoch",
        "restore_best_weights", "precision", "deterministic", "tensorboard", "tensorboard_batches", "callbacks",
    ),
    "evaluation": (
        "silence", "rank_by", "evaluate_training", "metrics", "positive_class", "clip_average", "item_decision", "calibration",
    ),
    "training_augmentation": (
        "augment_time_masks", "augment_time_mask_frames", "augment_frequency_masks", "augment_frequency_mask_bins",
        "augment_time_shift_s", "augment_frequency_shift_bins", "augment_noise", "augment_gain_db", "augment_mixup",
        "augment_mixstyle", "augment_mixstyle_alpha", "augment_vocal_tract", "augment_speed", "augment_response_db",
        "augment_noise_floor_db",
    ),
    "offline_augmentation": (
        "min_transforms", "background_noise_probability", "background_noise_folder", "background_noise_colour",
        "background_noise_min_snr_db", "background_noise_max_snr_db", "band_limit_probability", "band_limit_min_low_pass_hz",
        "band_limit_max_low_pass_hz", "band_limit_min_high_pass_hz", "band_limit_max_high_pass_hz", "clipping_probability",
        "clipping_min_over_db", "clipping_max_over_db", "equalizer_probability", "equalizer_min_bands", "equalizer_max_bands",
        "equalizer_min_hz", "equalizer_max_hz", "equalizer_min_change_db", "equalizer_max_change_db", "equalizer_min_q",
        "equalizer_max_q", "gain_probability", "gain_min_db", "gain_max_db", "pitch_shift_probability",
        "pitch_shift_min_semitones", "pitch_shift_max_semitones", "reverb_probability", "reverb_folder",
        "reverb_min_reverberation_s", "reverb_max_reverberation_s", "reverb_min_room_m", "reverb_max_room_m", "reverb_min_wet",
        "reverb_max_wet", "time_stretch_probability", "time_stretch_min_rate", "time_stretch_max_rate",
    ),
    "mixing": (
        "mixture_duration_s", "mixture_min_events", "mixture_max_events", "mixture_min_gap_s", "mixture_min_snr_db",
        "mixture_max_snr_db", "mixture_uses", "mixture_sample_rate_hz",
    ),
}  # fmt: skip
