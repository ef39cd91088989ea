"""One saved model of an ensemble, which predicts or embeds.

Comes in: the path of a model.keras or model.skops and its description. Goes out: a `Member` that answers batches.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Union

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import SettingsError
from xval.models.saved.description import ModelDescription
from xval.models.saved.novelty import read_novelty
from xval.models.saved.provenance import find_seen
from xval.results.folder import ESTIMATOR_NAME
from xval.reuse.inference.batches import Answer, Answered
from xval.reuse.inference.inputs import Inputs
from xval.reuse.inference.sources import ClipToPredict

if TYPE_CHECKING:
    from xval.reuse.inference.network import Network

Member: TypeAlias = Union["Network", "EstimatorMember"]  # Keras is loaded for networks alone

_VECTORS = 2  # axes of several vectors


@dataclass(frozen=True)
class EstimatorMember:
    """A member that is an estimator of scikit-learn."""

    path: Path
    description: ModelDescription
    fitted: Any

    @property
    def needs_basic(self) -> bool:
        """Whether it reads basic features too."""
        return bool(self.fitted.has_basic_features)

    @property
    def pooled(self) -> Callable[[Inputs], Inputs] | None:
        """What makes the vectors that are scaled by item of examples; None: frames alone are scaled."""
        pooling = self.fitted.pooling
        if pooling is None or not pooling.scales_pooled:
            return None
        return lambda inputs: replace(inputs, predictors=pooling.pool(inputs.predictors, inputs.end_s - inputs.start_s))

    @property
    def input_shape(self) -> tuple[int | None, ...] | None:
        """Shape of one example, with None for any length; None without networks, where features are counted instead."""
        return tuple(self.fitted.networks[0].input.shape[1:]) if self.fitted.networks else None

    def reads_rows(self, shape: tuple[int, ...]) -> bool:
        """Return whether an array of ready features is several examples, and not one."""
        if self.input_shape is not None:
            return len(shape) == len(self.input_shape) + 1
        n_read, about = self.fitted.fitted.pipeline.n_features_in_, self.description.combination
        n_pooled = len(about.pooling) * about.time_parts if about and len(shape) > _VECTORS else 1
        return len(shape) >= _VECTORS and math.prod(shape[2:] or shape[1:]) * n_pooled == n_read

    @property
    def n_layers(self) -> int:
        """Layers with a kernel: none."""
        return 0

    def predictor(self) -> Answer:
        """Return the function that gives probabilities or numbers."""
        novelty = read_novelty(self.path, self.description.novelty)

        def answer(
            predictors: NDArray[np.float32], basic: NDArray[np.float32] | None, durations_s: NDArray[np.float64]
        ) -> Answered:
            features, estimator = self.fitted.features(predictors, basic, durations_s), self.fitted.fitted
            return estimator.answers(features), None if novelty is None else novelty.of(estimator.scaled(features))

        return answer

    def embedder(self, layers_dropped: int | None, layer: str | None) -> Answer:  # noqa: ARG002 - as of any member
        """Raise an error: an estimator has no layers."""
        if not self.fitted.networks:
            raise SettingsError(f"{self.path}: a scikit-learn estimator has no layers. Use a network for embeddings.")
        raise SettingsError(
            f"{self.path}: a combination of features has no layers. Use the networks that it was made from; record.json next "
            "to it lists their files (models)."
        )


def load_member(path: Path, description: ModelDescription) -> Member:
    """Load a model.keras or model.skops, and check that its description fits."""
    if path.name == ESTIMATOR_NAME:
        from xval.training.classical.saved import load

        return EstimatorMember(path, description, load(path.parent))
    from xval.reuse.inference.network import load_network

    return load_network(path, description)


def names_of_seen(members: Sequence[Member], sources: Sequence[ClipToPredict]) -> list[str] | None:
    """Return the names of sources whose audio trained a member or chose its epoch; None: not known of some member."""
    import pandas as pd

    if members[0].description.is_custom:
        return None
    clips = pd.DataFrame({"item": "", "audio_hash": [source.audio_hash for source in sources]})
    is_seen = find_seen([member.path for member in members], clips, ()).by_audio
    return None if is_seen is None else [source.name for source, seen in zip(sources, is_seen, strict=True) if seen]
