"""``duration_level``: two numbers for each clip, its duration (s) and its level (dB of full scale).

A model that reads only these two is the least that any other has to beat: where it is above chance, classes differ by
how long or how loud their clips are.
"""

import numpy as np
from numpy.typing import NDArray

from preprocessing.audio.read import level_dbfs
from preprocessing.embeddings.embedder import Identity, hash_files
from xval.base.errors import SettingsError

IS_NETWORK = False


def identify(name: str) -> Identity:
    """Return the identity, which is the same for all; there is nothing to be named behind a colon."""
    if name:
        raise SettingsError(
            f"embedding_model=duration_level:{name}: this family has one set. Write embedding_model=duration_level."
        )
    return Identity(hash_files((), "duration_level"))


def load(name: str, *, is_pooled: bool) -> "DurationLevel":  # noqa: ARG001
    """Return what measures clips."""
    return DurationLevel()


class DurationLevel:
    """Measures clips; see `preprocessing.embeddings.embedder.Embedder`."""

    n_layers = 1
    device = "cpu"

    def embed(self, waveforms: NDArray[np.float32], sample_rate_hz: int, layers: tuple[int, ...]) -> NDArray[np.float32]:  # noqa: ARG002
        """Return duration (s) and level (dBFS), float32 (n, 1, 1, 2)."""
        durations_s = np.full(len(waveforms), waveforms.shape[1] / sample_rate_hz)
        return np.stack([durations_s, level_dbfs(waveforms)], axis=-1).astype(np.float32)[:, np.newaxis, np.newaxis]
