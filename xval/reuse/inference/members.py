"""Saved models that predict or embed batches, each with its description, grouped by the kind of their inputs."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, Union

import pandas as pd

from xval.base.errors import AudioError
from xval.models.saved.description import ModelDescription
from xval.models.saved.provenance import find_seen
from xval.results.folder import ESTIMATOR_NAME
from xval.reuse.inference.batches import Answer, Answers, answer_in_batches, find_undefined, join_answers
from xval.reuse.inference.inputs import Inputs, clip_inputs, segment_inputs, sequence_inputs
from xval.reuse.inference.item_scaling import group_by_item, scaled
from xval.reuse.inference.request import Per, PredictionRequest
from xval.reuse.inference.sources import ClipToPredict, Failures, LeftOut, list_sources

if TYPE_CHECKING:
    from xval.reuse.inference.estimator import SavedEstimator
    from xval.reuse.inference.network import Network

Member: TypeAlias = Union["Network", "SavedEstimator"]  # Keras is loaded only for networks
Collected: TypeAlias = tuple[dict[int, Answers], list[ClipToPredict], list[LeftOut]]
"""The predictions for each source by its number, all sources, and the skipped sources."""


def load_member(path: Path, description: ModelDescription) -> Member:
    """Load a model.keras or model.skops, and check that its description fits."""
    if path.name == ESTIMATOR_NAME:
        from xval.reuse.inference.estimator import load_estimator

        return load_estimator(path.parent)
    from xval.reuse.inference.network import load_network

    return load_network(path, description)


class MemberGroup(NamedTuple):
    """Members that read the same inputs, and their places among all members of a model."""

    members: list[Member]
    places: list[int]

    @property
    def description(self) -> ModelDescription:
        """The description of how inputs are made."""
        return self.members[0].description

    def collect(self, request: PredictionRequest, answers: Sequence[Answer]) -> Collected:
        """Return the predictions for each readable source by its number, all sources, and the skipped sources.

        `answers` are the prediction functions of all members of the model.
        """
        request.check(self.description)
        sources = list_sources(request.audio, sample_rate_hz=request.sample_rate_hz, is_custom=self.description.is_custom)
        failures, paths = Failures(are_skipped=request.skip_unreadable), [member.path for member in self.members]

        def inputs(numbers: Iterable[int]) -> Iterator[tuple[int, Inputs]]:
            for number in numbers:
                try:
                    for examples in self.inputs(sources[number], request.per, request.every_s):
                        yield number, examples
                except AudioError as error:
                    failures.add(number, error)

        pieces: dict[int, list[Answers]] = defaultdict(list)
        if self.description.scaled_by_item:
            groups = group_by_item([source.name for source in sources], request)
            pooled = self.members[0].pooled
            item_inputs = (scaled(item, inputs(numbers), request.enrolment, pooled) for item, numbers in groups.items())
            given: Iterable[tuple[int, Inputs]] = chain.from_iterable(item_inputs)
        else:
            given = inputs(range(len(sources)))
        for number, piece in answer_in_batches(given, [answers[place] for place in self.places]):
            failures.add(number, find_undefined(piece, sources[number].name, paths))
            pieces[number].append(piece)
        answered = {number: join_answers(pieces[number]) for number in sorted(pieces.keys() - failures.numbers)}
        return answered, sources, failures.listed(sources)

    def inputs(self, source: ClipToPredict, per: Per, every_s: float | None) -> Iterator[Inputs]:
        """Yield the inputs of a source; raise an error for a shape that a member does not accept, as with ready features."""
        with_basic = any(member.needs_basic for member in self.members)
        made: Iterable[Inputs]
        if self.description.frames is not None:
            made = sequence_inputs(source, self.description)
        elif per == "segment":
            made = segment_inputs(source, self.description, every_s, with_basic=with_basic)
        else:
            made = [clip_inputs(source, self.description, with_basic=with_basic)]
        for inputs in made:
            shape = inputs.predictors.shape[1:]
            for member in self.members:
                wanted = member.input_shape
                if wanted is not None and (
                    len(wanted) != len(shape) or any(size not in (None, got) for size, got in zip(wanted, shape, strict=True))
                ):
                    raise AudioError(f"{source.name}: gives examples of shape {shape}, but {member.path} reads {wanted}.")
            yield inputs


def names_of_seen(members: Sequence[Member], sources: Sequence[ClipToPredict]) -> list[str] | None:
    """Return the names of sources whose audio trained a member or chose its epoch; None: not known for some member."""
    if members[0].description.is_custom:
        return None
    clips = pd.DataFrame({"item": "", "audio_hash": [source.audio_hash for source in sources]})
    is_seen = find_seen([member.path for member in members], clips, ()).by_audio
    return None if is_seen is None else [source.name for source, seen in zip(sources, is_seen, strict=True) if seen]
