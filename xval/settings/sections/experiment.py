"""The settings of [experiment] in config.ini."""

from typing import Annotated, Literal

from pydantic import Field

from xval.base.config_file import FOLDERS
from xval.base.setting_fields import Later, NonNegativeInt, SettingsModel
from xval.base.setting_scope import DISPLAY, RUN, RUN_TIME, Scope
from xval.settings.validators import TaskType

Name = Annotated[str, Field(pattern=r"^[^/\\.][^/\\]*$", max_length=200)]
ItemName = Annotated[str, Field(pattern=r"^[^\W\d_][^\n]*$", max_length=20)]


class ExperimentSettings(SettingsModel):
    """Names, folders and output of an experiment."""

    dataset: Annotated[Name, Scope.EXPERIMENT] = Field(
        "demo",
        description=(
            "Name of the prepared dataset: data/<dataset>/ has its index and feature stores (see xval prepare --help)."
        ),
    )
    num_experiment: Annotated[NonNegativeInt, RUN_TIME] = Field(
        1, description="Number of the experiment: results go to <experiment_folder>/<dataset>/experiment_<num_experiment>/."
    )
    item_name: Annotated[ItemName, RUN | DISPLAY, Later()] = Field(
        "auto",
        description=(
            "Name of an item in all texts: speaker, actor, patient ...; auto: as the dataset names it, otherwise item."
        ),
    )
    task_type: Annotated[TaskType, Scope.EXPERIMENT | Scope.MODEL] = Field(
        "classification",
        description=(
            "classification | multilabel_classification (any number of labels per clip) | regression | representation (an "
            "autoencoder reconstructs the features; no labels needed) | frame_classification (sound events in frames of "
            "recordings)"
        ),
    )
    experiment_folder: Annotated[str, RUN_TIME] = Field(FOLDERS["experiment_folder"], description="Folder of all results.")
    data_folder: Annotated[str, RUN] = Field(FOLDERS["data_folder"], description="Folder of all datasets.")
    overwrite_results: Annotated[bool, RUN_TIME] = Field(
        False, description="true: replace finished results of the chosen instances; false: keep and skip them."
    )
    debug_mode: Annotated[bool, RUN_TIME] = Field(
        False, description="true: one process, and the first error stops the run with its traceback."
    )
    page: Annotated[Literal["complete", "without_audio", "none"], RUN_TIME] = Field(
        "complete",
        description=(
            "report.html in the results folder, updated during a run: complete (with clips to listen to, added at the "
            "end) | without_audio | none"
        ),
    )
    tracking: Annotated[Literal["mlflow", "wandb", "none"], RUN_TIME] = Field(
        "none",
        description=(
            "mlflow (a store of files in <experiment_folder>/mlflow, or the server of the environment variable "
            "MLFLOW_TRACKING_URI) | wandb | none: a tracker that also gets parameters, curves, metrics and files of each "
            "fold as folds end. See docs/progress.md."
        ),
    )
