"""A saved model as the embedder of another one: ``embedding_model = keras:FILE``."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xval.backend.devices import loaded_backend
from xval.base.errors import SettingsError
from xval.reuse.inference import load_for_predictions, load_model


class KerasEmbedder:
    """A saved model that is cut at a layer.

    Attributes:
        n_layers: Number of its layers with a kernel; layer number N is the output after N of them.
        device: The device on which it runs.

    Raises:
        SettingsError: The model does not read audio.
        ResultsError: The model or its .json file is missing, damaged or not safe to load.
    """

    def __init__(self, path: Path) -> None:
        load_for_predictions()  # on the backend of the run, not on that of the model
        self._model = load_model(path)
        self._path = path
        description = self._model.description
        if description.is_custom or description.frames:
            raise SettingsError(
                f"embedding_model=keras:{path}: reads {'features of a script' if description.is_custom else 'frames'}; "
                "expected a model of whole clips of audio."
            )
        self.n_layers = self._model.n_layers
        self.device = str(loaded_backend())

    def embed(self, waveforms: NDArray[np.float32], sample_rate_hz: int, layers: tuple[int, ...]) -> NDArray[np.float32]:
        """Return the layer's outputs; see `Embedder`."""
        if len(layers) > 1:
            raise SettingsError(
                f"embedding_model=keras:{self._path}: its layers have different sizes, so they cannot be weighted. Set "
                f"embedding_layer to 0 to {self.n_layers - 1}, or last."
            )
        dropped = self.n_layers - layers[0]
        table = self._model.embed(
            list(waveforms), layers_dropped=None if dropped == 1 else dropped, per="segment", sample_rate_hz=sample_rate_hz
        )
        values = table.filter(regex=r"^embedding_\d+$").to_numpy(np.float32)
        return values.reshape(len(waveforms), 1, -1, values.shape[1])
