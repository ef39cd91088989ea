"""``duration_level``: two numbers for each clip, its duration (s) and its level (dB relative to full scale).

A model of these two numbers is a baseline that every other model should beat: if it is above chance, classes differ in the
duration or the level of their clips.
"""

import numpy as np
from numpy.typing import NDArray

from preprocessing.audio.read import level_dbfs
from preprocessing.embeddings.embedder import Identity, hash_files
from xval.base.errors import SettingsError

IS_NETWORK = False


def identify(name: str) -> Identity:
    """Return the identity, which has no files; the name after the colon has to be empty."""
    if name:
        raise SettingsError(
            f"embedding_model=duration_level:{name}: this family has one set. Write embedding_model=duration_level."
        )
    return Identity(hash_files((), "duration_level"))


def load(name: str, *, is_pooled: bool) -> "DurationLevel":  # noqa: ARG001
    """Return the embedder."""
    return DurationLevel()


class DurationLevel:
    """An `Embedder` that measures the duration and the level of clips."""

    n_layers = 1
    device = "cpu"

    def embed(self, waveforms: NDArray[np.float32], sample_rate_hz: int, layers: tuple[int, ...]) -> NDArray[np.float32]:  # noqa: ARG002
        """Return duration (s) and level (dBFS) of each clip, float32 (n_clips, 1, 1, 2)."""
        durations_s = np.full(len(waveforms), waveforms.shape[1] / sample_rate_hz)
        return np.stack([durations_s, level_dbfs(waveforms)], axis=-1).astype(np.float32)[:, np.newaxis, np.newaxis]
