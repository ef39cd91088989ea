"""Record from a microphone in windows, with the package sounddevice."""

import queue
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import SettingsError, how_to_install
from xval.reuse.inference.inputs import cut_stream

_PATIENCE_S = 10.0  # without samples, until an error is raised
_WAIT_S = 0.2  # so that Ctrl-C works even on systems where it does not interrupt a waiting queue


class Microphone:
    """The default audio input device of the computer.

    Attributes:
        rate_hz: The default sample rate of the device; samples are not resampled.
        n_lost: How often samples were lost because the computer was too slow.

    Raises:
        SettingsError: The package or its library is not installed, or there is no input device.
    """

    def __init__(self) -> None:
        try:
            import sounddevice
        except ImportError as error:
            raise SettingsError(f"--microphone: needs the package sounddevice: {how_to_install('microphone')}.") from error
        except OSError as error:  # on Linux, where the package does not include the library
            raise SettingsError(f"--microphone: sounddevice lacks its library ({error}): apt install libportaudio2") from error
        self._package: Any = sounddevice
        try:
            device = sounddevice.query_devices(kind="input")
        except (sounddevice.PortAudioError, ValueError) as error:
            raise SettingsError(
                f"--microphone: there is no input device ({error}). python -m sounddevice lists the devices of this machine."
            ) from error
        self.rate_hz, self.n_lost = round(device["default_samplerate"]), 0

    def windows(self, length_s: float, step_s: float, seconds: float | None) -> Iterator[tuple[float, NDArray[np.float32]]]:
        """Yield the start (s) and the samples, float32 (n_samples,), of each complete window; all have one length.

        Args:
            length_s: Length of a window.
            step_s: Time from the start of a window to the start of the next.
            seconds: How long to record; None: without end.

        Raises:
            SettingsError: The device cannot be opened, or returns no samples any more.
        """
        length, step = max(1, round(length_s * self.rate_hz)), max(1, round(step_s * self.rate_hz))
        n_samples = None if seconds is None else round(seconds * self.rate_hz)
        for first, samples in cut_stream(self._blocks(n_samples), length, step, moved_back=False):
            if samples.size == length:
                yield first / self.rate_hz, samples

    def _blocks(self, n_samples: int | None) -> Iterator[NDArray[np.float32]]:
        blocks: queue.SimpleQueue[NDArray[np.float32]] = queue.SimpleQueue()

        def take(samples: NDArray[np.float32], _n_frames: int, _time: object, status: Any) -> None:
            self.n_lost += bool(status and status.input_overflow)
            blocks.put(samples[:, 0].copy())

        try:
            with self._package.InputStream(samplerate=self.rate_hz, channels=1, dtype="float32", callback=take):
                n_recorded, since_s = 0, time.monotonic()
                while n_samples is None or n_recorded < n_samples:
                    try:
                        block = blocks.get(timeout=_WAIT_S)
                    except queue.Empty:
                        if time.monotonic() - since_s > _PATIENCE_S:
                            raise SettingsError(
                                f"--microphone: the device has returned nothing for {_PATIENCE_S:g} s. Check that it is "
                                "connected."
                            ) from None
                        continue
                    block = block if n_samples is None else block[: n_samples - n_recorded]
                    n_recorded, since_s = n_recorded + block.size, time.monotonic()
                    yield block
        except self._package.PortAudioError as error:
            raise SettingsError(f"--microphone: the input device cannot be opened ({error}).") from error
