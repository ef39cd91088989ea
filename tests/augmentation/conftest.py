"""A folder of short clips, as a small corpus has them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from augmentation.__main__ import main

RATE_HZ = 16000


def make_clip(number: int, seconds: float = 0.25) -> np.ndarray:
    """Return a tone that swells and fades, with a little noise."""
    rng = np.random.default_rng(number)
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    tone = np.sin(2 * np.pi * (200 + 37 * number) * time_s) * np.sin(np.pi * time_s / seconds)
    return (0.3 * tone + rng.normal(0, 0.003, time_s.size)).astype(np.float32)


def write_aac(path: Path, samples: np.ndarray, rate_hz: int) -> None:
    """Write raw AAC, whose length readers guess from its bit rate."""
    import av

    with av.open(str(path), "w", format="adts") as file:
        track = file.add_stream("aac", rate=rate_hz, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), format="fltp", layout="mono")
        frame.sample_rate = rate_hz
        file.mux(track.encode(frame))
        file.mux(track.encode(None))


def soft_then_loud(seconds: float, rate_hz: int) -> np.ndarray:
    """Return noise of which the first eighth is soft, so that its first frames are small and its length is guessed too long."""
    samples = np.random.default_rng(0).normal(0, 0.1, round(seconds * rate_hz))
    samples[: samples.size // 8] *= 1e-4
    return samples


@pytest.fixture
def aac() -> Callable[[Path, float, int], None]:
    """Return a function that writes raw AAC of a length in seconds at a rate."""
    return lambda path, seconds, rate_hz: write_aac(path, soft_then_loud(seconds, rate_hz), rate_hz)


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Eight clips of two speakers in two folders, and a table beside them."""
    folder = tmp_path / "clips"
    for number in range(8):
        path = folder / f"s{number % 2}" / f"take {number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, make_clip(number), RATE_HZ)
    (folder / "speakers.csv").write_text("speaker,age\ns0,30\ns1,40\n")
    return folder


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return a function that runs a command which must end with exit code 2 and one message, and returns the message."""

    def run(*arguments: object) -> str:
        assert main([str(argument) for argument in arguments]) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert "Traceback" not in error
        return error

    return run
