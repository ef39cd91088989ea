"""The recipes: each value of the setting `recipe` stands for several other settings.

A recipe overrides config.ini, and a script overrides the recipe. docs/recipe.md explains each setting and its effect.
"""

from collections.abc import Mapping
from typing import Any, Literal

from xval.measures.task import all_tasks

RecipeName = Literal["none", "speech", "sounds"]

_TRAINING: Mapping[str, Any] = {
    "optimizer": "adamw",
    "weight_decay": 0.05,
    "learning_rate": 0.003,
    "schedule": "cosine",
    "warmup_epochs": 1,
    "num_epochs": 28,
    "early_stopping": False,
    "restore_best_weights": False,
    "weight_average": 0.98,
    "label_smoothing": 0.1,
}
_RECIPES: Mapping[str, Mapping[str, Any]] = {
    "none": {},
    "speech": {
        **_TRAINING,
        "top_db": 40,
        "normalization": "per_clip",
        "augment_vocal_tract": 0.12,
        "augment_response_db": 8,
        "augment_noise_floor_db": -20,
        "augment_time_masks": 1,
        "augment_time_mask_frames": 4,
        "augment_frequency_masks": 1,
        "augment_frequency_mask_bins": 3,
    },
    "sounds": {
        **_TRAINING,
        "example_length_s": 2.0,
        "example_overlap": 0.5,
        "clip_average": "logits",
        "augment_time_shift_s": 0.5,
        "augment_mixup": 0.3,
        "augment_response_db": 8,
        "augment_time_masks": 1,
        "augment_time_mask_frames": 8,
        "augment_frequency_masks": 1,
        "augment_frequency_mask_bins": 6,
    },
}


def recipe_settings(name: object, task_type: object) -> dict[str, Any]:
    """Return the settings of a recipe, without those that the task does not support.

    Args:
        name: A value of `recipe`; an unknown one sets nothing, and `Settings` raises the error.
        task_type: A value of `task_type`, known or not.
    """
    task = all_tasks().get(str(task_type))
    refused = task.refused if task else {}
    return {key: value for key, value in _RECIPES.get(str(name), {}).items() if key not in refused}
