"""What the driver says of a GPU, with a stand-in for its tool, in a run and in the record of a job."""

import shlex
import time

import pytest

from xval.backend import gpu_readings
from xval.backend.gpu_readings import (
    GpuReading,
    describe_now,
    describe_since,
    note_data_share,
    read_gpu,
    readings,
    watched_gpus,
)


@pytest.fixture(autouse=True)
def tool(tmp_path, monkeypatch):
    """A stand-in for nvidia-smi that writes down for which GPU it was asked; no NVML."""
    tool = tmp_path / "nvidia-smi"
    asked = shlex.quote(str(tmp_path / "asked"))
    tool.write_text(f'#!/bin/sh\nfor last; do :; done\necho "$last" >> {asked}\necho "90, 10240, 81559"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(gpu_readings, "_by_nvml", lambda identity: None)
    monkeypatch.setattr(gpu_readings, "_SECONDS_BETWEEN", 0.01)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    yield tmp_path
    note_data_share(None)


def test_a_gpu_is_read_by_the_name_that_the_driver_has_for_it(tool, monkeypatch):
    assert read_gpu("1") == GpuReading(90.0, 10240.0, 81559.0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-aa,3")
    read_gpu("0")
    read_gpu("1")
    assert (tool / "asked").read_text().split() == ["1", "GPU-aa", "3"]

    (tool / "nvidia-smi").write_text("#!/bin/sh\necho '[N/A], 1, 2'\n")
    assert read_gpu("0") is None


def test_readings_of_a_run_are_there_for_its_processes_and_for_records():
    with watched_gpus(["cpu", "0", "0"]):
        until = time.monotonic() + 100
        while (begin := readings("0")) is None or begin.n < 2:
            assert time.monotonic() < until
            time.sleep(0.01)
        assert begin.last == GpuReading(90.0, 10240.0, 81559.0)
        assert describe_now("0") == {"utilisation": 90.0, "used_mb": 10240}
        while readings("0").n == begin.n:
            assert time.monotonic() < until
            time.sleep(0.01)
        note_data_share(0.25)
        assert describe_since("0", begin) == {"utilisation": 90.0, "used_mb": 10240, "data_share": 0.25}
        assert readings("cpu") is None
    assert readings("0") is None
    assert describe_since("0", None) == {"data_share": 0.25}


def test_a_reading_that_fails_does_not_count(tool):
    fails = shlex.quote(str(tool / "fails"))
    fails_in_turn = f'[ -e {fails} ] && rm {fails} && exit 9\ntouch {fails}\necho "90, 10240, 81559"\n'
    (tool / "nvidia-smi").write_text(f"#!/bin/sh\n{fails_in_turn}")
    with watched_gpus(["0"]):
        until = time.monotonic() + 100
        while (found := readings("0")) is None or found.n < 3:
            assert time.monotonic() < until
            time.sleep(0.01)
        assert describe_since("0", None)["utilisation"] == 90.0


def test_without_a_driver_nothing_is_said(tool):
    (tool / "nvidia-smi").write_text("#!/bin/sh\nexit 9\n")
    with watched_gpus(["0"]):
        time.sleep(0.05)
        assert readings("0") is None
        assert describe_now("0") == {}
