"""The windows of a microphone, with a fake package sounddevice and a fake device."""

import sys
import threading
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from xval.base.errors import SettingsError
from xval.extras.live import microphone
from xval.extras.live.microphone import Microphone

RATE_HZ = 8000
TONE = (0.3 * np.sin(np.arange(4 * RATE_HZ) / 9)).astype(np.float32)


class PortAudioError(Exception):
    pass


class InputStream:
    """Return a tone in blocks of 100 ms from a separate thread, as PortAudio does; the third reports lost samples."""

    def __init__(self, *, samplerate, channels, dtype, callback):
        assert (samplerate, channels, dtype) == (RATE_HZ, 1, "float32")
        self.thread = threading.Thread(target=self.play, args=(callback,))

    def play(self, callback):
        buffer = np.empty((800, 1), np.float32)  # reused for each block
        for number, block in enumerate(TONE.reshape(-1, 800)):
            buffer[:, 0] = block
            callback(buffer, 800, None, SimpleNamespace(input_overflow=number == 2))

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.thread.join()


@pytest.fixture
def device(monkeypatch):
    """Replace the module sounddevice by one with one input device, and return it."""
    package = ModuleType("sounddevice")
    package.PortAudioError, package.InputStream = PortAudioError, InputStream
    package.query_devices = lambda kind: {"name": "tone", "default_samplerate": float(RATE_HZ)}
    monkeypatch.setitem(sys.modules, "sounddevice", package)
    return package


def test_windows_are_of_one_length_and_have_all_samples(device):
    recorder = Microphone()

    windows = list(recorder.windows(0.25, 0.25, 1.1))

    assert [start_s for start_s, _ in windows] == [0, 0.25, 0.5, 0.75]
    assert np.array_equal(np.concatenate([samples for _, samples in windows]), TONE[:RATE_HZ])
    assert recorder.n_lost == 1


def test_windows_may_overlap(device):
    starts = [start_s for start_s, _ in Microphone().windows(0.5, 0.25, 1)]

    assert starts == [0, 0.25, 0.5]


def test_a_device_without_samples_raises_an_error(device, monkeypatch):
    monkeypatch.setattr(microphone, "_PATIENCE_S", 0.1)

    with pytest.raises(SettingsError, match=r"the device has returned nothing for 0\.1 s"):
        list(Microphone().windows(0.5, 0.5, 5))


def test_a_missing_device_or_package_raises_with_the_command_to_type(device, monkeypatch):
    def no_device(kind):
        raise PortAudioError("Error querying device -1")

    monkeypatch.setattr(device, "query_devices", no_device)
    with pytest.raises(SettingsError, match=r"there is no input device \(Error querying device -1\)"):
        Microphone()
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(SettingsError, match=r"needs the package sounddevice: pip install -e .*microphone"):
        Microphone()


def test_a_device_that_cannot_be_opened_raises_an_error(device):
    def fail(**_):
        raise PortAudioError("Device unavailable")

    device.InputStream = fail
    with pytest.raises(SettingsError, match=r"the input device cannot be opened \(Device unavailable\)"):
        list(Microphone().windows(0.5, 0.5, 1))
