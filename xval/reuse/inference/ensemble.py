"""Combine the members of an ensemble: in each fold according to its model.ensemble, and over folds by the mean."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import SettingsError
from xval.data.clip_average import combine_examples
from xval.models.saved.description import ModelDescription
from xval.reuse.ensembles.model_file import member_paths, read_ensemble
from xval.reuse.inference.batches import Answer, Answers
from xval.reuse.inference.members import Collected, Member, MemberGroup
from xval.reuse.inference.request import PredictionRequest


class Ensemble:
    """The folds of an ensemble of instances, each with the places of its members among `members`.

    Args:
        path: The requested path.
        files: The model.ensemble of each fold.
        descriptions: The description of each fold.
    """

    def __init__(self, path: Path, files: Sequence[Path], descriptions: Sequence[ModelDescription]) -> None:
        self._path, self.descriptions, self.folders = path, descriptions, [file.parent for file in files]
        contents, places = [read_ensemble(file) for file in files], dict[Path, int]()
        self._folds = [
            (content.combiner, [places.setdefault(model, len(places)) for model in member_paths(file, content)])
            for file, content in zip(files, contents, strict=True)
        ]
        self.members = list(places)
        self._combines_clips = any(content.combined == "clips" for content in contents)

    def collect(self, groups: Sequence[MemberGroup], request: PredictionRequest, answers: Sequence[Answer]) -> Collected:
        """Return the result of `MemberGroup.collect` for all groups."""
        if isinstance(request.audio, Iterator):
            request = request._replace(audio=list(request.audio))
        if self._combines_clips and request.per == "example":
            raise SettingsError(
                f"{self._path}: its members cut clips into different windows, so only their predictions for clips or segments "
                "can be combined. Use per='file' or per='segment' (--segments)."
            )
        by_clip = self._combines_clips and request.per == "file"
        collected = [group.collect(request, answers) for group in groups]
        readable = set.intersection(*(set(source_answers) for source_answers, _, _ in collected))
        left_out = {unread.number: unread for _, _, group_unread in collected for unread in group_unread}
        joined = {
            number: self._join([source_answers[number] for source_answers, _, _ in collected], groups, by_clip=by_clip)
            for number in sorted(readable)
        }
        return joined, collected[0][1], [left_out[number] for number in sorted(left_out)]

    def combine(self, answers: Answers) -> Answers:
        """Return the predictions of its folds from those of all members."""
        return replace(answers, values=np.stack([combiner.combine(answers.values[places]) for combiner, places in self._folds]))

    def _join(self, group_answers: list[Answers], groups: Sequence[MemberGroup], *, by_clip: bool) -> Answers:
        """Return the predictions of all members for one source: float32 (n_members, n_rows, n_outputs)."""
        if by_clip:
            averages = [group.description.clip_average for group in groups]
            group_answers = [
                _average_examples(answers, average) for answers, average in zip(group_answers, averages, strict=True)
            ]
        shapes = {answers.values.shape[1:] for answers in group_answers}
        if len(shapes) > 1:
            raise SettingsError(
                f"{self._path}: its members cut the audio into different pieces. Use per='file', which combines their "
                "predictions."
            )
        values: NDArray[np.float32] = np.empty((len(self.members), *shapes.pop()), np.float32)
        novelty: NDArray[np.float32] = np.empty((len(self.members), group_answers[0].novelty.shape[1]), np.float32)
        for answers, group in zip(group_answers, groups, strict=True):
            values[group.places], novelty[group.places] = answers.values, answers.novelty
        return Answers(group_answers[0].inputs, values, novelty)


def group_members(members: Sequence[Member]) -> list[MemberGroup]:
    """Return the groups of members that read the same inputs."""
    groups: list[MemberGroup] = []
    for place, member in enumerate(members):
        same = next((group for group in groups if _reads_same(group.description, member.description)), None)
        if same is None:
            groups.append(same := MemberGroup([], []))
        same.members.append(member)
        same.places.append(place)
    return groups


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


def _average_examples(answers: Answers, clip_average: str) -> Answers:
    """Return one row for all of a file."""
    codes = np.zeros(answers.values.shape[1], np.int64)
    values = np.stack([combine_examples(model_values, codes, clip_average) for model_values in answers.values])
    inputs = replace(answers.inputs, start_s=answers.inputs.start_s[:1], end_s=answers.inputs.end_s[-1:])
    return Answers(inputs, values, answers.novelty.mean(axis=1, keepdims=True))
