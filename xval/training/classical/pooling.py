"""Convert each example to one vector for an estimator: the statistics of its features over time.

Frames that are padding do not count.

With normalization = per_item the vectors of an item are scaled by those of all its clips, like its frames, because maxima and
ranges differ between speakers as much as means do.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.features.spectrogram import count_frames
from xval.data.examples import StoredExamples
from xval.data.item_scaling import ItemScaling

_AT_ONCE = 256
_FRAME_AXES = 3  # of several examples that have frames

_STATISTICS: Mapping[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "mean": lambda frames: frames.mean(axis=0),
    "deviation": lambda frames: frames.std(axis=0),
    "minimum": lambda frames: frames.min(axis=0),
    "maximum": lambda frames: frames.max(axis=0),
    "median": lambda frames: np.asarray(np.median(frames, axis=0)),
    "delta_mean": lambda frames: _deltas(frames).mean(axis=0),
    "delta_deviation": lambda frames: _deltas(frames).std(axis=0),
}


@dataclass(frozen=True)
class Pooling:
    """The settings for converting an example to one vector.

    Attributes:
        statistics: Names of `_STATISTICS`, in the order of the vector.
        time_parts: Number of equal parts of the time that are pooled separately.
        settings: The feature settings; None: a script made the features, so every frame counts.
        scales_pooled: Whether the vectors of each item are scaled by those of its clips.
    """

    statistics: tuple[str, ...]
    time_parts: int
    settings: FeatureSettings | None
    scales_pooled: bool = False

    def pool(self, predictors: NDArray[np.float32], durations_s: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the vectors of some examples, float32 (n_examples, n_features), not scaled.

        Args:
            predictors: float32 (n_examples, n_frames, ...); examples of one axis are returned as they are.
            durations_s: float64 (n_examples,), length of each example without padding.
        """
        if predictors.ndim < _FRAME_AXES:
            return predictors
        frames = predictors.reshape(*predictors.shape[:2], -1).astype(np.float64)
        counts = self._counted(durations_s, frames.shape[1])
        return np.stack([self._pool_one(example[:n]) for example, n in zip(frames, counts, strict=True)]).astype(np.float32)

    def pool_examples(self, examples: StoredExamples) -> NDArray[np.float32]:
        """Return the vectors of the examples of a side, in their order; augmented copies do not determine the scale."""
        durations_s = (examples.table["end_s"] - examples.table["start_s"]).to_numpy(np.float64)
        cuts = [np.arange(first, min(first + _AT_ONCE, len(examples))) for first in range(0, len(examples), _AT_ONCE)]
        pooled = np.concatenate([self.pool(examples.predictors(rows), durations_s[rows]) for rows in cuts])
        if self.scales_pooled:
            items, is_original = examples.table["item"].to_numpy(), ~examples.table["augmented"].to_numpy(bool)
            scaling = ItemScaling.from_values(
                {item: [pooled[is_original & (items == item)]] for item in set(items[is_original])}
            )
            for item in set(items):
                pooled[items == item] = scaling.applied(item, pooled[items == item])
        return pooled

    def _counted(self, durations_s: NDArray[np.float64], n_frames: int) -> Sequence[int]:
        """Return the number of frames of each example without padding."""
        settings = self.settings
        if settings is None or settings.stretch_frames is not None:
            return [n_frames] * len(durations_s)
        n_samples = np.rint(durations_s * settings.sample_rate_hz).astype(int)
        return [min(n_frames, count_frames(int(n), settings)) for n in n_samples]

    def _pool_one(self, frames: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the vector of one example, float64 (n_features,); a part has at least one frame."""
        bounds = np.linspace(0, len(frames), self.time_parts + 1)
        parts = [frames[int(begin) : max(int(begin) + 1, int(end))] for begin, end in pairwise(bounds)]
        return np.concatenate([_STATISTICS[name](part) for part in parts for name in self.statistics])


def _deltas(frames: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the differences of neighbouring frames; 0 if there is one frame."""
    return np.diff(frames, axis=0) if len(frames) > 1 else np.zeros_like(frames)
