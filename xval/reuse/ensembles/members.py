"""The members of an ensemble: the finished jobs of some instances, with their stored predictions."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from preprocessing.clips.parquet_files import read_frame
from xval.base.errors import REMEDY, ResultsError, SettingsError, brief, first_of
from xval.data.clip_average import Averaging
from xval.jobs.model_files import refuse_replaced
from xval.measures.answered import Answered
from xval.results.find_instances import find_instances
from xval.results.folder import ExperimentFolder, find_model_file
from xval.results.instance import InstanceResults
from xval.results.job_key import JobKey
from xval.results.read import PREDICTION_COLUMNS, Record
from xval.settings.architectures import ENSEMBLE
from xval.settings.schema import Settings
from xval.training.evaluation.fold import KEPT_SIDES

_AGAIN = "The members of an ensemble must agree in this. Choose other members."


@dataclass(frozen=True)
class Member:
    """A finished job, with its fold folder and the settings of its instance."""

    key: JobKey
    folder: Path
    record: Record
    settings: Settings

    @property
    def model(self) -> Path:
        """The path of its model.keras or model.skops."""
        model_path = find_model_file(self.folder)
        if model_path is None:
            raise ResultsError(f"{self.key}: its model is missing in {self.folder}, so an ensemble with it cannot predict.")
        refuse_replaced(model_path)
        return model_path

    @cached_property
    def sides(self) -> dict[str, Answered]:
        """Its predictions for ``validation`` and ``test``."""
        path, task = self.folder / "predictions.parquet", self.settings.task
        try:
            table = read_frame(path, {**PREDICTION_COLUMNS, "start_s": "number", "end_s": "number"})
            sides = {side: table[table["side"] == side].reset_index(drop=True) for side in KEPT_SIDES}
            names = self.record["class_names"]
            return {side: Answered(side_rows, *task.decode(side_rows, names).complete()) for side, side_rows in sides.items()}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ResultsError(f"{path}: damaged ({brief(error)}). {REMEDY}") from error


def find_members(folder: ExperimentFolder, numbers: Sequence[int]) -> dict[int, list[Member]]:
    """Return the members of each fold: all finished jobs of the instances, for all seeds."""
    if len(set(numbers)) < len(numbers):
        raise SettingsError(f"instances {', '.join(map(str, numbers))}: received an instance twice. Give each once.")
    instances = {instance.number: instance for instance in find_instances(folder, numbers)}
    chosen = [instances[number] for number in numbers]
    for instance in chosen:
        _check_instance(instance)
        _check_same_task(chosen[0], instance)
    folds = sorted({key.fold for instance in chosen for key in instance.done})
    members = {
        fold: [
            Member(key, folder.fold_folder(*key), instance.done[key], instance.written.settings)
            for instance in chosen
            for key in sorted(instance.done)
            if key.fold == fold
        ]
        for fold in folds
    }
    for fold, fold_members in members.items():
        if len(fold_members) < 2:
            only = fold_members[0].key
            raise SettingsError(
                f"fold {fold}: only one job of these instances is finished ({only}); an ensemble needs at least two members. "
                f"Name another instance too: xval ensemble {folder.path} {only.instance} ..."
            )
        for other in fold_members[1:]:
            _check_same_fold(fold_members[0], other)
    return members


def are_same_examples(members: Sequence[Member]) -> bool:
    """Return whether members cut clips into the same examples; otherwise only predictions for clips can be combined."""
    first = members[0].sides
    return all(_is_same(first[side].rows, other.sides[side].rows) for other in members[1:] for side in KEPT_SIDES)


def answers_of(members: Sequence[Member], side: str, *, same_examples: bool) -> tuple[pd.DataFrame, NDArray[np.float32]]:
    """Return the rows of ``validation`` or ``test`` and the predictions of the members of a fold.

    Returns:
        A row per example, or per clip unless members cut clips into the same examples; float32 (n_members, n, n_outputs).
    """
    first = members[0]
    if same_examples:
        return first.sides[side].rows, np.stack([member.sides[side].predictions for member in members])
    if first.settings.frames:
        raise ResultsError(f"{first.key} and the other members label different frames of recordings. {_AGAIN}")
    by_clip = [member.sides[side].by_clip(Averaging(member.settings.clip_average)) for member in members]
    order = by_clip[0].rows["clip"]
    values = []
    for member, answers in zip(members, by_clip, strict=True):
        places = pd.Series(np.arange(len(answers)), index=answers.rows["clip"])
        if set(places.index) != set(order):
            lost = sorted(set(places.index) ^ set(order))
            raise ResultsError(
                f"{member.key} and {first.key} predict other {side} clips: {', '.join(lost[:3])} ({len(lost)} in all). {_AGAIN}"
            )
        values.append(answers.predictions[places[order].to_numpy()])
    return by_clip[0].rows, np.stack(values)


def _check_instance(instance: InstanceResults) -> None:
    """Raise an error if an instance is not finished or its predictions cannot be combined."""
    settings = instance.written.settings
    if settings.architecture == ENSEMBLE:
        raise SettingsError(f"instance {instance.number}: it is an ensemble itself. Give its members.")
    if settings.task.why_no_ensemble:
        raise SettingsError(f"instance {instance.number}: {settings.task.why_no_ensemble}")
    missing = [str(key) for key in instance.wanted if key not in instance.done]
    if missing:
        raise ResultsError(
            f"{first_of(missing, 3, '; ')}: not finished with the current settings. Finish the run of the instance first."
        )


def _check_same_task(first: InstanceResults, other: InstanceResults) -> None:
    settings, other_settings = first.written.settings, other.written.settings
    names = ("task_type", "label_form", "label_frame_s", "frame_overlap", "annotation_policy") if settings.frames else (
        "task_type",
    )  # fmt: skip
    for name in names:
        if getattr(settings, name) != getattr(other_settings, name):
            raise ResultsError(
                f"instance {other.number} has {name}={getattr(other_settings, name)}, instance {first.number} "
                f"{getattr(settings, name)}; an ensemble needs instances with the same task and clips."
            )


def _check_same_fold(first: Member, other: Member) -> None:
    for side in KEPT_SIDES:
        items = set(first.record["items"][side]) ^ set(other.record["items"][side])
        if items:
            raise ResultsError(f"{other.key} and {first.key} have other {side} items: {', '.join(sorted(items)[:5])}. {_AGAIN}")
    if first.settings.task.has_classes and first.record["class_names"] != other.record["class_names"]:
        raise ResultsError(
            f"{other.key} has the classes {', '.join(other.record['class_names'])}, but {first.key} has "
            f"{', '.join(first.record['class_names'])}. {_AGAIN}"
        )
    shapes = [member.sides["test"].predictions.shape[1] for member in (first, other)]
    if shapes[0] != shapes[1]:
        raise ResultsError(f"{other.key} predicts {shapes[1]} numbers, {first.key} {shapes[0]}. {_AGAIN}")


def _is_same(one: pd.DataFrame, two: pd.DataFrame) -> bool:
    if len(one) != len(two) or (one["clip"].to_numpy() != two["clip"].to_numpy()).any():
        return False
    times = ["start_s", "end_s"]
    return np.allclose(one[times].to_numpy(float), two[times].to_numpy(float), atol=1e-6, equal_nan=True)
