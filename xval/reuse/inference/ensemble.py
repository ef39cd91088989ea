"""An ensemble of instances, applied to audio: in each fold the answers of its members are combined as model.ensemble says.

Comes in: the model.ensemble of one fold or of several. Goes out: an `EnsembleModel`, which is used as any `SavedModel`; several
folds answer with their mean.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xval.base.errors import SettingsError, counted
from xval.data.clip_average import combine_examples
from xval.models.saved.description import ModelDescription, mean_thresholds, read_description
from xval.reuse.ensembles.combine import Combiner
from xval.reuse.ensembles.model_file import member_paths, read_ensemble
from xval.reuse.inference.batches import Answer, Answers
from xval.reuse.inference.members import load_member
from xval.reuse.inference.model import SavedModel
from xval.reuse.inference.request import Per, PredictionRequest
from xval.reuse.inference.sets import Sets
from xval.reuse.inference.sources import ClipToPredict, LeftOut


class _Fold(NamedTuple):
    """One fold: how answers are combined, and the places of its members among all models."""

    folder: Path
    combiner: Combiner
    places: list[int]


@dataclass(frozen=True)
class _Group:
    """Models that read the same features, and their places among all models."""

    model: SavedModel
    places: list[int]


class EnsembleModel(SavedModel):
    """An ensemble of instances; `inference.load_model` makes one."""

    def __init__(
        self,
        path: Path,
        note: str,
        descriptions: Sequence[ModelDescription],
        groups: Sequence[_Group],
        folds: Sequence[_Fold],
        *,
        of_clips: bool,
    ) -> None:
        members = {place: member for group in groups for place, member in zip(group.places, group.model._members, strict=True)}
        super().__init__(path, note, tuple(members[place] for place in sorted(members)))
        self.description = descriptions[0]
        if of_items := [member.description for member in self._members if member.description.scaled_by_item]:
            scaled = {"scaled_by_item": True, "enrolment_s": of_items[0].enrolment_s}  # as their members hear speakers
            self.description = descriptions[0].model_copy(update=scaled)
        self.thresholds = mean_thresholds(descriptions)
        self._groups, self._folds, self._of_clips = groups, folds, of_clips
        self._folders = [fold.folder for fold in folds]

    def _collect(
        self, request: PredictionRequest, answers: list[Answer]
    ) -> tuple[dict[int, Answers], list[ClipToPredict], list[LeftOut]]:
        """Return what `SavedModel._collect` does, each group of models with features of its own."""
        if isinstance(request.audio, Iterator):
            request = request._replace(audio=list(request.audio))
        if self._of_clips and request.per == "example":
            raise SettingsError(
                f"{self.path}: its members cut clips into different windows, so only their predictions for clips or segments "
                "can be combined. Use per='file' or per='segment' (--segments)."
            )
        collected = [group.model._collect(request, [answers[place] for place in group.places]) for group in self._groups]
        readable = set.intersection(*(set(of_source) for of_source, _, _ in collected))
        left_out = {unread.number: unread for _, _, of_group in collected for unread in of_group}
        joined = {
            number: self._join([of_source[number] for of_source, _, _ in collected], request.per) for number in sorted(readable)
        }
        return joined, collected[0][1], [left_out[number] for number in sorted(left_out)]

    def _tabulate(self, source: ClipToPredict, answers: Answers, per: Per, sets: Sets | None = None) -> pd.DataFrame:
        values = np.stack([fold.combiner.combine(answers.values[fold.places]) for fold in self._folds])
        return super()._tabulate(source, replace(answers, values=values), per, sets)

    def _join(self, of_groups: list[Answers], per: Per) -> Answers:
        """Return the answers of all models for one source, float32 (n_models, n_rows, n_outputs)."""
        if self._of_clips and per == "file":
            of_groups = [
                _of_clip(answers, group.model.description.clip_average)
                for answers, group in zip(of_groups, self._groups, strict=True)
            ]
        shapes = {answers.values.shape[1:] for answers in of_groups}
        if len(shapes) > 1:
            raise SettingsError(
                f"{self.path}: its members cut the audio into different pieces. Use per='file', which combines their "
                "predictions."
            )
        joined: NDArray[np.float32] = np.empty((len(self._members), *shapes.pop()), np.float32)
        novelty: NDArray[np.float32] = np.empty((len(self._members), of_groups[0].novelty.shape[1]), np.float32)
        for answers, group in zip(of_groups, self._groups, strict=True):
            joined[group.places], novelty[group.places] = answers.values, answers.novelty
        return Answers(of_groups[0].inputs, joined, novelty)


def load_ensemble(path: Path, note: str, members: Sequence[Path]) -> EnsembleModel:
    """Load the ensemble of one fold or of several; the members are the model.ensemble of each fold."""
    places: dict[Path, int] = {}
    folds, contents = [], [read_ensemble(member) for member in members]
    for member, content in zip(members, contents, strict=True):
        models = member_paths(member, content)
        folds.append(_Fold(member.parent, content.combiner, [places.setdefault(model, len(places)) for model in models]))
    described = {model: read_description(model) for model in places}
    groups: list[list[Path]] = []
    for model, description in described.items():
        of_same = next((group for group in groups if _reads_same(described[group[0]], description)), None)
        groups.append([model]) if of_same is None else of_same.append(model)
    return EnsembleModel(
        path,
        note or f"{path}: {counted(len(places), 'model')}",
        [read_description(member) for member in members],
        [
            _Group(
                SavedModel(path, "", tuple(load_member(model_path, described[model_path]) for model_path in group)),
                [places[model_path] for model_path in group],
            )
            for group in groups
        ],
        folds,
        of_clips=any(content.combined == "clips" for content in contents),
    )


def _reads_same(one: ModelDescription, other: ModelDescription) -> bool:
    names = (
        "feature_settings",
        "clip_samples",
        "example_s",
        "clip_average",
        "is_custom",
        "frames",
        "scaled_by_item",
        "scaled_vectors",
    )
    return all(getattr(one, name) == getattr(other, name) for name in names)


def _of_clip(answers: Answers, clip_average: str) -> Answers:
    """Return one row for all of a file."""
    codes = np.zeros(answers.values.shape[1], np.int64)
    values = np.stack([combine_examples(of_model, codes, clip_average) for of_model in answers.values])
    inputs = replace(answers.inputs, start_s=answers.inputs.start_s[:1], end_s=answers.inputs.end_s[-1:])
    return Answers(inputs, values, answers.novelty.mean(axis=1, keepdims=True))
