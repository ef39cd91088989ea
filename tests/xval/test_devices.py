from pathlib import Path

import pytest

from xval import devices
from xval.devices import Slot, environment, make_slots
from xval.errors import SettingsError


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(devices, "gpu_names", lambda: ("Card A", "Card B"))


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(devices, "gpu_names", lambda: ())


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_the_cpu_is_used_and_said():
    slots, where = make_slots("1", workers=3, threads=2)

    assert slots == [Slot("cpu", 2)] * 3
    assert where == "No GPU found: running on the CPU, 3 worker(s), 2 thread(s) each."


@pytest.mark.usefixtures("two_gpus")
def test_each_named_gpu_gets_a_worker():
    slots, where = make_slots("0,1", workers=0, threads=1)

    assert [slot.device for slot in slots] == ["0", "1"]
    assert where == "Running on GPU 0 (Card A), GPU 1 (Card B)."


@pytest.mark.usefixtures("two_gpus")
def test_a_gpu_that_is_not_there_is_an_error_that_lists_them():
    with pytest.raises(SettingsError, match=r"no GPU 2\. Available: 0 \(Card A\), 1 \(Card B\), cpu"):
        make_slots("0,2", workers=0, threads=1)


@pytest.mark.usefixtures("two_gpus")
def test_the_cpu_can_be_chosen_on_a_machine_with_gpus():
    assert make_slots("cpu", workers=1, threads=1) == ([Slot("cpu", 1)], "Running on the CPU, 1 worker(s), 1 thread(s) each.")


def test_the_environment_binds_device_backend_and_threads(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    on_gpu, on_cpu = environment(Slot("1", 4), "torch"), environment(Slot("cpu", 2), "jax")

    assert (on_gpu["CUDA_VISIBLE_DEVICES"], on_gpu["KERAS_BACKEND"], on_gpu["OMP_NUM_THREADS"]) == ("1", "torch", "4")
    assert (on_cpu["CUDA_VISIBLE_DEVICES"], on_cpu["JAX_PLATFORMS"]) == ("-1", "cpu")


def test_gpus_are_numbered_within_those_that_a_scheduler_gave(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")

    assert environment(Slot("1", 1), "jax")["CUDA_VISIBLE_DEVICES"] == "7"


def test_gpus_are_read_from_the_driver_s_own_tool(monkeypatch, tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho '0, GPU-aa, Card A'\necho '1, GPU-bb, Card B'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert devices.gpu_names.__wrapped__() == ("Card A", "Card B")

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-bb")
    assert devices.gpu_names.__wrapped__() == ("Card B",)

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert devices.gpu_names.__wrapped__() == ()


# JAX's cache of compiled programs


def test_jax_keeps_what_it_compiles_in_the_users_cache_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    folder = Path(environment(Slot("cpu", 1), "jax")["JAX_COMPILATION_CACHE_DIR"])

    assert folder.parent == tmp_path / "cache" / "xval" / "jax"
    assert folder.stat().st_mode & 0o77 == 0
    assert list(folder.iterdir()) == []
    assert not any(name.startswith("JAX_COMPILATION") for name in environment(Slot("cpu", 1), "torch"))
    monkeypatch.setenv("JAX_COMPILATION_CACHE_MAX_SIZE", "1")
    assert "JAX_COMPILATION_CACHE_MAX_SIZE" not in environment(Slot("cpu", 1), "jax")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/their/own")
    assert "JAX_COMPILATION_CACHE_DIR" not in environment(Slot("cpu", 1), "jax")


def test_where_no_cache_can_be_written_jax_has_none(tmp_path, monkeypatch):
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))

    assert not any("CACHE" in name for name in environment(Slot("cpu", 1), "jax"))
