"""Compressed audio that soundfile cannot write, made with PyAV."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

Encode = Callable[..., Path]
"""encode(path, samples, rate_hz, codec="aac", container=None, **options): samples are float32 (n_samples, n_channels)."""

_LAYOUTS = {1: "mono", 2: "stereo", 7: "6.1"}


def _encode(
    path: Path,
    samples: NDArray[np.float32],
    rate_hz: int,
    codec: str = "aac",
    container: str | None = None,
    bit_rate: int = 128_000,
    **options: str,
) -> Path:
    channels = np.atleast_2d(samples.T)
    with av.open(str(path), "w", format=container, options=options) as file:
        stream = file.add_stream(codec, rate=rate_hz, layout=_LAYOUTS[len(channels)])
        stream.bit_rate = bit_rate
        stream.codec_context.open()
        sample_format = stream.codec_context.format
        bits = {"s16": 16, "s32": 32}.get(sample_format.name.removesuffix("p"))
        if bits is not None:
            channels = (channels * (2 ** (bits - 1) - 1.0)).astype(f"int{bits}")
        flat = channels if sample_format.is_planar else channels.T.reshape(1, -1)
        whole = av.AudioFrame.from_ndarray(np.ascontiguousarray(flat), sample_format.name, stream.layout.name)
        whole.sample_rate, whole.pts, whole.time_base = rate_hz, 0, Fraction(1, rate_hz)
        queue = av.AudioFifo()
        queue.write(whole)
        while (frame := queue.read(stream.codec_context.frame_size or 1024, partial=True)) is not None:
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def encode() -> Encode:
    """Return a function that writes a compressed audio file and returns its path."""
    return _encode
