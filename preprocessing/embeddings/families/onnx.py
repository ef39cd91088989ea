"""``onnx:FILE``: any network from samples to embeddings, run by ONNX Runtime.

Its input is float32 (batch, n_samples), or (batch, 1, n_samples), at ``sample_rate_hz`` of the settings. If n_samples is fixed,
clips are cut into segments of this length, and the last one is padded with zeros. Its outputs are (batch, n_values) or (batch,
n_frames, n_values); each output is a layer, in the order of the file.
"""

from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from preprocessing.embeddings.embedder import Identity, find_file, hash_files
from xval.base.errors import SettingsError, brief, how_to_install

_CHANNEL_AXES = 3
_NUMBERS = "fiub"
"""Kinds of NumPy dtypes that are numbers: floating point, signed and unsigned integers, booleans."""


def identify(name: str) -> Identity:
    """Return the identity of a file, a hash of its content."""
    return Identity(hash_files([find_file("onnx", name)]))


def load(name: str, *, is_pooled: bool) -> "OnnxEmbedder":  # noqa: ARG001
    """Return the network."""
    if find_spec("onnxruntime") is None:
        raise SettingsError(
            f"embedding_model=onnx:{name}: onnxruntime is not installed. Install it: {how_to_install('export')}"
        )
    import onnxruntime

    path = find_file("onnx", name)
    wanted = [provider for provider in onnxruntime.get_available_providers() if provider in _PROVIDERS]
    try:
        with TemporaryDirectory() as empty:
            options = onnxruntime.SessionOptions()
            # External weights, which the hash would not cover, are searched here, and no longer in the current folder.
            options.add_session_config_entry("session.model_external_initializers_file_folder_path", empty)
            session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=wanted)
    except Exception as error:  # onnxruntime has no base class of its errors
        raise SettingsError(
            f"embedding_model=onnx:{name}: ONNX Runtime cannot load it ({brief(error, 300)}). Expected a single file that "
            "includes its weights."
        ) from error
    return OnnxEmbedder(session, path)


_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")


class OnnxEmbedder:
    """An `Embedder` whose network runs in ONNX Runtime.

    Raises:
        SettingsError: The network has other inputs than samples, or no outputs.
    """

    def __init__(self, session: Any, path: Path) -> None:
        inputs = session.get_inputs()
        shape = inputs[0].shape if inputs else []
        is_samples = len(inputs) == 1 and inputs[0].type == "tensor(float)"
        if not is_samples or not (len(shape) == 2 or (len(shape) == _CHANNEL_AXES and shape[1] == 1)):
            described = ", ".join(f"{given.name} {given.type} {given.shape}" for given in inputs)
            raise SettingsError(
                f"embedding_model=onnx:{path}: reads {described}; expected one input of samples, float32 (batch, n_samples) "
                "or (batch, 1, n_samples). Export the model together with the layers that compute its features."
            )
        if not session.get_outputs():
            raise SettingsError(f"embedding_model=onnx:{path}: has no outputs; expected the embeddings.")
        self._session, self._path, self._input = session, path, inputs[0]
        self._names = [output.name for output in session.get_outputs()]
        self.n_layers = len(self._names)
        self.device = "cuda" if "CUDAExecutionProvider" in session.get_providers() else "cpu"

    def embed(self, waveforms: NDArray[np.float32], sample_rate_hz: int, layers: tuple[int, ...]) -> NDArray[np.float32]:  # noqa: ARG002
        """Return the outputs of the network for clips, with the shapes of `Embedder.embed`."""
        batch, length = self._input.shape[0], self._input.shape[-1]
        if isinstance(length, int):
            missing = -waveforms.shape[1] % length
            segments = np.pad(waveforms, ((0, 0), (0, missing))).reshape(len(waveforms), -1, length).swapaxes(0, 1)
        else:
            segments = waveforms[np.newaxis]
        size = batch if isinstance(batch, int) else len(waveforms)
        return np.concatenate([self._run(segment, size, layers) for segment in segments], axis=2)

    def _run(self, waveforms: NDArray[np.float32], size: int, layers: tuple[int, ...]) -> NDArray[np.float32]:
        batches = []
        for first in range(0, len(waveforms), size):
            given = waveforms[first : first + size]
            n_given = len(given)
            given = np.pad(given, ((0, size - n_given), (0, 0)))
            given = given[:, np.newaxis] if len(self._input.shape) == _CHANNEL_AXES else given
            outputs = self._session.run([self._names[layer] for layer in layers], {self._input.name: given})
            frames = [self._frames(output, size, n_given) for output in outputs]
            if len({values.shape for values in frames}) > 1:
                shapes = ", ".join(str(output.shape) for output in outputs)
                raise SettingsError(
                    f"embedding_model=onnx:{self._path}: its outputs have different shapes ({shapes}), so they cannot be "
                    "weighted. Set embedding_layer to one of them."
                )
            batches.append(np.stack(frames, axis=1))
        return np.concatenate(batches)

    def _frames(self, output: Any, size: int, n_given: int) -> NDArray[np.float32]:
        shape = getattr(output, "shape", None)  # a sequence of tensors has none
        if shape is None or output.dtype.kind not in _NUMBERS or len(shape) not in (2, 3) or len(output) != size:
            gives = type(output).__name__ if shape is None else f"{output.dtype} {shape}"
            raise SettingsError(
                f"embedding_model=onnx:{self._path}: returned {gives} for {size} segments; expected numbers of the shape "
                "(batch, n_values) or (batch, n_frames, n_values)."
            )
        frames: NDArray[np.float32] = output[:n_given, np.newaxis] if len(shape) == 2 else output[:n_given]
        return frames
