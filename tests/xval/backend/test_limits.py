"""The limits that TensorFlow and torch are told, on stand-ins for GPUs that this machine need not have."""

import sys
from types import SimpleNamespace

import pytest

from xval.backend.limits import limit_gpu_memory, limit_threads


@pytest.fixture
def limited(monkeypatch):
    monkeypatch.setenv("XVAL_GPU_MEMORY_SHARE", "0.4667")
    monkeypatch.setenv("XVAL_GPU_MEMORY_MB", "11200")


@pytest.fixture
def told(monkeypatch):
    """Put stand-ins of torch and TensorFlow on a machine with a GPU in their place; return what they are told."""
    calls = []

    def set_devices(device, configurations):
        calls.append(("tensorflow", device, configurations[0]["memory_limit"]))

    config = SimpleNamespace(
        list_physical_devices=lambda kind: [f"{kind}:0"],
        get_logical_device_configuration=lambda device: [call for call in calls if call[1] == device],
        set_logical_device_configuration=set_devices,
        LogicalDeviceConfiguration=dict,
    )
    cuda = SimpleNamespace(
        is_available=lambda: True, set_per_process_memory_fraction=lambda share: calls.append(("torch", share))
    )
    monkeypatch.setitem(sys.modules, "tensorflow", SimpleNamespace(config=config))
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    return calls


@pytest.mark.usefixtures("limited")
def test_tensorflow_gets_its_limit_in_mb_once(told):
    limit_gpu_memory("tensorflow")
    limit_gpu_memory("tensorflow")

    assert told == [("tensorflow", "GPU:0", 11200)]


@pytest.mark.usefixtures("limited")
def test_torch_gets_its_limit_as_a_share(told):
    limit_gpu_memory("torch")

    assert told == [("torch", 0.4667)]


def test_without_a_share_nothing_is_limited(told, monkeypatch):
    monkeypatch.delenv("XVAL_GPU_MEMORY_SHARE", raising=False)
    for backend in ("tensorflow", "torch", "jax"):
        limit_gpu_memory(backend)

    assert told == []


def test_reading_of_tables_keeps_to_the_threads_too():
    import pyarrow

    before = pyarrow.cpu_count(), pyarrow.io_thread_count()
    try:
        limit_threads("jax", 3)
        assert (pyarrow.cpu_count(), pyarrow.io_thread_count()) == (3, 3)
    finally:
        pyarrow.set_cpu_count(before[0])
        pyarrow.set_io_thread_count(before[1])
