"""``resemblyzer``: a speaker encoder, 256 values for each segment of 1.6 s, with the weights of the package Resemblyzer.

Three LSTM layers on 40 mel powers, trained to distinguish speakers (Wan et al. 2018, "Generalized end-to-end loss for speaker
verification"; https://github.com/resemble-ai/Resemblyzer, Apache-2.0). A clip that is softer than -30 dBFS is amplified to this
level, and cut into segments that begin 0.77 s apart; their embeddings, which are non-negative and have Euclidean norm 1, are
its frames. Only the file with the weights is read from the package. Unlike its own preprocessing, pauses are not removed.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.embeddings.embedder import Identity, hash_files
from preprocessing.features import extract
from preprocessing.features.feature_settings import FeatureSettings
from xval.base.errors import SettingsError, how_to_install

_RATE_HZ, _HOP, _N_MELS = 16000, 160, 40
_OF_POWERS: dict[str, Any] = {
    "features": "logmel", "sample_rate_hz": _RATE_HZ, "n_fft": 400, "win_length": 400, "hop_length": _HOP, "window": "hann",
    "n_mels": _N_MELS, "mel_scale": "slaney", "fmin_hz": 0.0, "fmax_hz": None, "power": 2.0, "scale": "linear",
    "pre_emphasis": 0.0, "stretch_frames": None,
}  # fmt: skip
_POWERS = FeatureSettings.model_construct(**_OF_POWERS)
_WIDTH, _N_STACKED = 256, 3
_STRETCH_FRAMES = 160
_STEP_FRAMES = 77  # 1.3 segments in a second
_SMALLEST_COVERAGE = 0.75
_LEVEL_DBFS = -30


def identify(name: str) -> Identity:
    """Return the identity, a hash of the weights; the name after the colon has to be empty."""
    return Identity(hash_files([_find_weights(name)]), _RATE_HZ)


def load(name: str, *, is_pooled: bool) -> "SpeakerEncoder":  # noqa: ARG001
    """Return the encoder."""
    weights = _find_weights(name)
    if find_spec("torch") is None:
        raise SettingsError(f"embedding_model=resemblyzer: torch is not installed. Install it: {how_to_install('torch')}")
    import torch

    state = torch.load(weights, map_location="cpu", weights_only=True)["model_state"]  # only tensors: no code is unpickled
    network = torch.nn.ModuleDict(
        {"lstm": torch.nn.LSTM(_N_MELS, _WIDTH, _N_STACKED, batch_first=True), "linear": torch.nn.Linear(_WIDTH, _WIDTH)}
    )
    network.load_state_dict({key: value for key, value in state.items() if key.partition(".")[0] in network})
    return SpeakerEncoder(network.eval(), "cuda" if torch.cuda.is_available() else "cpu")


class SpeakerEncoder:
    """An `Embedder` with one layer, a frame for each segment."""

    n_layers = 1

    def __init__(self, network: Any, device: str) -> None:
        self.device = device
        self._network = network.to(device)

    def embed(self, waveforms: NDArray[np.float32], sample_rate_hz: int, layers: tuple[int, ...]) -> NDArray[np.float32]:  # noqa: ARG002
        """Return the embeddings of the segments of clips, float32 (n_clips, 1, n_segments, 256)."""
        import torch

        power = np.mean(waveforms**2, axis=1, keepdims=True)
        raised = 10 ** (_LEVEL_DBFS / 20) / np.sqrt(np.maximum(power, np.finfo(np.float32).tiny))
        waveforms = waveforms * np.where(power > 0, np.maximum(raised, 1), 1).astype(np.float32)
        firsts = _segment_starts(waveforms.shape[1])
        missing = max(0, (firsts[-1] + _STRETCH_FRAMES) * _HOP - waveforms.shape[1])
        padded = np.pad(waveforms, ((0, 0), (0, missing)))
        mels = np.stack([extract.extract(samples, _POWERS) for samples in padded])
        cut = np.stack([mels[:, first : first + _STRETCH_FRAMES] for first in firsts], axis=1)
        with torch.inference_mode():
            read = torch.from_numpy(np.ascontiguousarray(cut.reshape(-1, _STRETCH_FRAMES, _N_MELS), np.float32))
            _, (hidden, _) = self._network["lstm"](read.to(self.device))
            embedded = torch.relu(self._network["linear"](hidden[-1]))
            embedded = embedded / torch.linalg.vector_norm(embedded, dim=1, keepdim=True).clamp_min(1e-12)
        vectors: NDArray[np.float32] = embedded.cpu().numpy()
        return vectors.reshape(len(waveforms), 1, len(firsts), _WIDTH)


def _segment_starts(n_samples: int) -> list[int]:
    """Return the first frame of each segment; the last segment is dropped if less than 75 % of it is audio."""
    n_frames = -(-(n_samples + 1) // _HOP)
    firsts = list(range(0, max(1, n_frames - _STRETCH_FRAMES + _STEP_FRAMES + 1), _STEP_FRAMES))
    coverage = (n_samples - firsts[-1] * _HOP) / (_STRETCH_FRAMES * _HOP)
    return firsts[:-1] if len(firsts) > 1 and coverage < _SMALLEST_COVERAGE else firsts


def _find_weights(name: str) -> Path:
    if name:
        raise SettingsError(
            f"embedding_model=resemblyzer:{name}: this family has one model. Write embedding_model=resemblyzer."
        )
    package = find_spec("resemblyzer")
    path = Path(package.origin).with_name("pretrained.pt") if package and package.origin else None
    if path is None or not path.is_file():
        raise SettingsError(
            "embedding_model=resemblyzer: the package with its weights is not installed. Install it without its "
            "dependencies, because only its weights are read: pip install --no-deps resemblyzer==0.1.4"
        )
    return path
