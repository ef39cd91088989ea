"""An out-of-distribution score: the distance of an input from the training data in the model's own embedding.

Embeddings of training and validation clips are measured once, and kept in novelty.npy and the entry ``novelty`` of
model.json; new audio is compared with these. The distance is that to the k-th nearest training example, of a network between
embeddings of length 1 (Sun et al. 2022, "Out-of-distribution detection with deep nearest neighbors"). The limit is the 0.99
quantile over the clips of the validation items, whom the model has not been fitted to.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from xval.base.errors import ResultsError
from xval.base.setting_fields import PositiveFloat
from xval.models.saved.array_header import read_array

NOVELTY_NAME = "novelty.npy"
"""Embeddings of training examples, float16 (n_kept, n_features)."""
NEIGHBOUR_OF_NETWORKS, NEIGHBOUR_OF_ESTIMATORS = 10, 1
_QUANTILE = 0.99
_MOST_VALUES = 1 << 17  # 256 kB
_FEWEST_EXAMPLES, _MOST_EXAMPLES = 64, 1000


class NoveltySettings(BaseModel):
    """The entry ``novelty`` of model.json.

    Attributes:
        neighbour: The distance is that to the n-th nearest training example.
        unit_length: Whether embeddings are scaled to length 1 first.
        limit: The distance that 99 % of the validation clips do not exceed.
        limit_ratio: The same, divided by what 99 % of the training examples do not exceed.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    neighbour: int = Field(ge=1)
    unit_length: bool
    limit: PositiveFloat
    limit_ratio: PositiveFloat


@dataclass(frozen=True)
class Novelty:
    """The embeddings of a model's training examples, and the limit of distances from them.

    Attributes:
        settings: The settings of distances, and their limit.
        embeddings: float32 (n_kept, n_features), embeddings of training examples.
    """

    settings: NoveltySettings
    embeddings: NDArray[np.float32]

    def of(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the distances of new examples divided by the limit, float32 (n_examples,).

        Args:
            embeddings: float32 (n_examples, n_features).
        """
        distances = _distances(embeddings, self.embeddings, self.settings.neighbour, unit_length=self.settings.unit_length)
        return (distances / self.settings.limit).astype(np.float32)

    def write(self, folder: Path) -> dict[str, Any]:
        """Write novelty.npy into the folder of a model, and return the entry of its model.json."""
        np.save(folder / NOVELTY_NAME, self.embeddings.astype(np.float16), allow_pickle=False)
        return describe_novelty(self)


def choose_kept(n_examples: int, n_features: int) -> NDArray[np.int64]:
    """Return the indices of the examples to keep or measure, evenly spaced: int64 (n_kept,)."""
    n_kept = min(n_examples, _MOST_EXAMPLES, max(_FEWEST_EXAMPLES, _MOST_VALUES // max(n_features, 1)))
    return np.unique(np.linspace(0, n_examples - 1, n_kept).astype(np.int64)) if n_examples else np.empty(0, np.int64)


def measure_novelty(
    training: NDArray[np.float32],
    validation: NDArray[np.float32] | None,
    clips: NDArray[Any] | None,
    *,
    is_network: bool,
    limit_ratio: float | None = None,
) -> Novelty | None:
    """Find the distance from which on an input is out of distribution for a model.

    Args:
        training: Embeddings of training examples, float32 (n_kept, n_features).
        validation: Embeddings of validation examples, float32 (n_examples, n_features); None: there are none.
        clips: (n_examples,), the clip of each; a clip's distance is the mean over its examples.
        is_network: Whether the embeddings are a network's; otherwise they are the scaled features of an estimator.
        limit_ratio: Without validation examples: see `NoveltySettings`, as the folds had it.

    Returns:
        None where it cannot be known: there is neither validation example nor ratio, there are fewer than two training
        examples, or all embeddings are one.
    """
    neighbour = min(NEIGHBOUR_OF_NETWORKS if is_network else NEIGHBOUR_OF_ESTIMATORS, len(training) - 1)
    if neighbour < 1 or (validation is None and limit_ratio is None):
        return None
    training = training.astype(np.float16).astype(np.float32)  # as they are read again
    among_training = _distances(training, training, neighbour + 1, unit_length=is_network)  # the nearest is itself
    own_limit = float(np.quantile(among_training, _QUANTILE))
    limit = own_limit * (limit_ratio or 0)
    if validation is not None and clips is not None:
        _, codes = np.unique(clips, return_inverse=True)
        distances = _distances(validation, training, neighbour, unit_length=is_network)
        limit = float(np.quantile(np.bincount(codes, distances) / np.bincount(codes), _QUANTILE))
    if not (np.isfinite([own_limit, limit]).all() and own_limit > 0 and limit > 0):
        return None
    settings = NoveltySettings(neighbour=neighbour, unit_length=is_network, limit=limit, limit_ratio=limit / own_limit)
    return Novelty(settings, training)


def read_novelty(model: Path, settings: NoveltySettings | None) -> Novelty | None:
    """Return what novelty.npy next to a saved model holds; None: there is none, or no limit for its distances.

    Raises:
        ResultsError: The file is damaged.
    """
    path = model.with_name(NOVELTY_NAME)
    embeddings = read_array(path)
    if embeddings is None or settings is None:
        return None
    is_sound = embeddings.dtype == np.float16 and embeddings.ndim == 2 and len(embeddings) >= settings.neighbour
    if not is_sound or not np.isfinite(embeddings).all():
        raise ResultsError(
            f"{path}: holds {embeddings.dtype} {embeddings.shape}; expected finite float16 (n_examples, n_features)."
        )
    return Novelty(settings, embeddings.astype(np.float32))


def describe_novelty(novelty: Novelty | None) -> dict[str, Any]:
    """Return the entry of a record; empty: nothing is known."""
    return {"novelty": novelty.settings.model_dump(mode="json")} if novelty else {}


def limit_ratio_of(records: Iterable[Mapping[str, Any]]) -> float | None:
    """Return the median over the folds' records of `NoveltySettings.limit_ratio`; None if none has it."""
    known = [record["novelty"]["limit_ratio"] for record in records if "novelty" in record]
    return float(np.median(known)) if known else None


def _distances(
    embeddings: NDArray[np.float32], reference: NDArray[np.float32], neighbour: int, *, unit_length: bool
) -> NDArray[np.float64]:
    """Return the distance of each embedding to the n-th nearest of the reference, float64 (n_examples,)."""
    from scipy.spatial.distance import cdist

    if unit_length:
        embeddings, reference = _unit_vectors(embeddings), _unit_vectors(reference)
    nearest = np.partition(cdist(embeddings, reference), neighbour - 1, axis=1)[:, neighbour - 1]
    return np.asarray(nearest, np.float64)


def _unit_vectors(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return np.asarray(embeddings / np.where(lengths > 0, lengths, 1), np.float32)
