"""Simulate other recorders and rooms in training: another frequency response and another noise floor.

Examples are spectra in dB before their normalisation, where `xval.training.augmentation` inserts the layer.
"""

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from xval.training.random_layer import RandomLayer

QUIETEST_DB = -60.0
"""Lowest noise floor that is drawn, relative to the loudest value of an example (dB)."""

_N_GAINS = 5
_NOISE_SPECTRUM_DB = 12.0
_JUST_ABOVE_DB = 0.01


@keras.saving.register_keras_serializable(package="xval")
class RecorderAugmentation(RandomLayer):
    """Change the frequency response and then the noise floor of each example at random.

    The frequency response is a line through gains at five equally spaced bins, from the first to the last (linear
    FilterAugment, Nam et al., "FilterAugment: an acoustic environmental data augmentation method", ICASSP 2022, where the
    positions are random, too). Noise is added as power, equal in all frames, with a spectrum that is drawn in the same way.
    Values at the floor of ``top_db`` stay there, and at the end all values are raised to that floor again.

    Input and output: float32 (batch, n_frames, n_bins) in dB, 10 log10 of a power; n_frames may be unknown.

    Args:
        response_db: Largest gain in either direction, drawn uniformly in dB; 0: the response does not change.
        noise_floor_db: Highest level of the noise relative to the loudest value of the example (dB), drawn uniformly from -60
            to this; each bin differs from it by up to 12 dB. None: no noise.
        top_db: The setting ``top_db`` of the features: range below the loudest value (dB); None: unlimited.
    """

    def __init__(
        self,
        *,
        response_db: float = 0.0,
        noise_floor_db: float | None = None,
        top_db: float | None = None,
        seed: int,
        **keywords: Any,
    ) -> None:
        super().__init__(seed=seed, **keywords)
        self.response_db, self.noise_floor_db, self.top_db = response_db, noise_floor_db, top_db

    def change(self, examples: Any) -> Any:
        """Return changed examples, float32 (batch, n_frames, n_bins) in dB."""
        loudest = ops.max(examples, axis=(1, 2), keepdims=True)
        if self.response_db:
            changed = examples + self._line(examples, self.response_db)
            floor = -np.inf if self.top_db is None else loudest - self.top_db + _JUST_ABOVE_DB
            examples = ops.where(examples < floor, examples, changed)
        if self.noise_floor_db is not None:
            level = QUIETEST_DB + (self.noise_floor_db - QUIETEST_DB) * self.shares(examples)
            noise = loudest + level + self._line(examples, _NOISE_SPECTRUM_DB)
            difference = ops.abs(examples - noise)
            examples = ops.maximum(examples, noise) + 10 * ops.log10(1 + ops.power(10.0, -difference / 10))
        if self.top_db is None:
            return examples
        return ops.maximum(examples, ops.max(examples, axis=(1, 2), keepdims=True) - self.top_db)

    def _line(self, examples: Any, furthest_db: float) -> Any:
        """Draw a line through gains of -furthest_db to furthest_db for each example, float32 (batch, 1, n_bins)."""
        gains = furthest_db * (2 * self.shares(examples, 1, _N_GAINS) - 1)
        return ops.matmul(gains, ops.convert_to_tensor(_straight_lines(examples.shape[2])))


def _straight_lines(n_bins: int) -> NDArray[np.float32]:
    """Return the weights that interpolate gains linearly in each bin, float32 (n_gains, n_bins); those of a bin sum to 1."""
    places = np.linspace(0, _N_GAINS - 1, n_bins)
    return np.asarray(np.maximum(0, 1 - np.abs(places - np.arange(_N_GAINS)[:, None])), np.float32)
