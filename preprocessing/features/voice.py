"""Find where in a clip somebody speaks, by Silero's voice activity detector.

The detector (Silero Team 2024, github.com/snakers4/silero-vad, MIT licence) is a network that gives each 32 ms a probability
of speech. Its ONNX file is in the package silero-vad; ONNX Runtime runs it on one thread, and nothing else of the package is
used.
"""

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from xval.base.errors import SettingsError, how_to_install

_PACKAGE, _FILE = "silero_vad", Path("data", "silero_vad_16k_sequence.onnx")
_RATE_HZ, _FRAME, _CONTEXT = 16000, 512, 64
_AT_ONCE = 512  # frames
_STATE = (1, 1, 128)

# What Silero's own reading of the probabilities has by default.
_SPEECH, _NO_SPEECH = 0.5, 0.35
_SHORTEST_SPEECH = 8  # frames, 256 ms
_LONGEST_PAUSE = 3  # frames, 96 ms
_PADDING_S = 0.03


def check_detector() -> None:
    """Refuse where the detector is not installed.

    Raises:
        SettingsError: The package, the file in it or ONNX Runtime is missing.
    """
    if find_spec("onnxruntime") is None or _model_path() is None:
        raise SettingsError(
            f"vad=silero: silero-vad (6.2.3 or later) or onnxruntime is not installed. Install them: {how_to_install('vad')}"
        )


def detector_version() -> str:
    """Return the version of the detector; another one may find speech elsewhere."""
    try:
        return version("silero-vad")
    except PackageNotFoundError:
        check_detector()
        raise


def find_voice(samples: NDArray[np.float32], sample_rate_hz: int) -> tuple[int, int] | None:
    """Return the first sample of speech, and the one behind the last, with 30 ms more on both sides.

    Speech begins in a frame with a probability of 0.5 at least. It ends where three frames in a row are below 0.35, and lasts
    for 0.26 s at least.

    Args:
        samples: float32 (n,), mono.
        sample_rate_hz: Their rate; the detector reads them at 16 kHz.

    Returns:
        None where there is no speech.
    """
    segments = speech_segments(speech_probabilities(samples, sample_rate_hz))
    if not segments:
        return None
    first_s = segments[0][0] * _FRAME / _RATE_HZ - _PADDING_S
    stop_s = segments[-1][1] * _FRAME / _RATE_HZ + _PADDING_S
    return max(0, round(first_s * sample_rate_hz)), min(samples.size, round(stop_s * sample_rate_hz))


def speech_probabilities(samples: NDArray[np.float32], sample_rate_hz: int) -> NDArray[np.float32]:
    """Return how probable speech is, float32 (n_frames,), a frame for each 32 ms begun."""
    if sample_rate_hz != _RATE_HZ:
        samples = np.asarray(soxr.resample(samples, sample_rate_hz, _RATE_HZ), np.float32)
    n_frames = max(1, -(-samples.size // _FRAME))
    padded = np.zeros(_CONTEXT + n_frames * _FRAME, np.float32)
    padded[_CONTEXT : _CONTEXT + samples.size] = samples
    frames = np.lib.stride_tricks.sliding_window_view(padded, _CONTEXT + _FRAME)[::_FRAME]
    probabilities, hidden, cell = [], np.zeros(_STATE, np.float32), np.zeros(_STATE, np.float32)
    for first in range(0, n_frames, _AT_ONCE):
        block = np.ascontiguousarray(frames[first : first + _AT_ONCE])
        block_probabilities, hidden, cell = _session().run(None, {"input": block, "h": hidden, "c": cell})
        probabilities.append(block_probabilities)
    return np.concatenate(probabilities)


def speech_segments(probabilities: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Return the first frame of each segment of speech, and the one behind its last."""
    segments, first, last = [], None, 0
    for frame, probability in enumerate(probabilities):
        if probability >= _SPEECH or (first is not None and probability >= _NO_SPEECH):
            first, last = frame if first is None else first, frame
        elif first is not None and frame - last >= _LONGEST_PAUSE:
            segments.append((first, last + 1))
            first = None
    if first is not None:
        segments.append((first, last + 1))
    return [(first, stop) for first, stop in segments if stop - first >= _SHORTEST_SPEECH]


def _model_path() -> Path | None:
    spec = find_spec(_PACKAGE)  # found, not imported: the package imports torch
    folders = [] if spec is None else spec.submodule_search_locations or []
    return next((path for folder in folders if (path := Path(folder) / _FILE).is_file()), None)


@cache
def _session() -> Any:
    """Return the network, loaded once in a process."""
    check_detector()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(_model_path()), options, providers=["CPUExecutionProvider"])
