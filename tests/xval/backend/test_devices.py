from pathlib import Path

import pytest

from xval.backend import devices
from xval.backend.devices import Gpu, Slot, environment, make_slots
from xval.backend.gpu_readings import GpuReading
from xval.base.errors import SettingsError


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch):
    monkeypatch.setattr(devices, "count_cores", lambda: 8)


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(devices, "find_gpus", lambda: (Gpu("Card A", 24000), Gpu("Card B", 10000)))


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(devices, "find_gpus", lambda: ())


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_the_cpu_is_used_and_said():
    slots, where = make_slots("1", workers=3, threads=2)

    assert slots == [Slot("cpu", 2)] * 3
    assert where == "No GPU found: running on the CPU, 3 workers, 2 threads each."


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_workers_per_gpu_is_said_to_have_no_effect():
    slots, where = make_slots("0,1", workers=2, threads=1, workers_per_gpu=4)

    assert slots == [Slot("cpu", 1)] * 2
    assert where.endswith("2 workers, 1 thread each. workers_per_gpu=4 has no effect on the CPU.")


@pytest.mark.usefixtures("no_gpu")
def test_more_threads_than_cores_are_said_in_a_line_of_their_own():
    assert "slow" not in make_slots("cpu", workers=4, threads=2)[1]
    assert make_slots("cpu", workers=3, threads=3)[1].splitlines() == [
        "Running on the CPU, 3 workers, 3 threads each.",
        "9 threads (3 workers, 3 each) share 8 cores and slow each other down. Lower workers or threads_per_job.",
    ]


@pytest.mark.usefixtures("two_gpus")
def test_each_named_gpu_gets_a_worker():
    slots, where = make_slots("0,1", workers=0, threads=1)

    assert slots == [Slot("0", 1), Slot("1", 1)]
    assert where == "Running on GPU 0 (Card A, 24000 MB), GPU 1 (Card B, 10000 MB)."


@pytest.mark.usefixtures("two_gpus")
def test_several_workers_share_each_gpu_and_its_memory():
    slots, where = make_slots("0,1", workers=0, threads=1, workers_per_gpu=2)

    assert slots == [Slot("0", 1, 0.5), Slot("1", 1, 0.5), Slot("0", 1, 0.5), Slot("1", 1, 0.5)]
    assert (
        where
        == "Running on GPU 0 (Card A, 24000 MB), GPU 1 (Card B, 10000 MB), 2 workers each, which share its memory equally."
    )


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("n_jobs", "devices_and_shares", "said"),
    [
        (1, [("0", 1.0)], "Running on GPU 0 (Card A, 24000 MB)."),
        (2, [("0", 1.0), ("1", 1.0)], "Running on GPU 0 (Card A, 24000 MB), GPU 1 (Card B, 10000 MB)."),
        (
            3,
            [("0", 0.5), ("1", 1.0), ("0", 0.5)],
            "Running on GPU 0 (Card A, 24000 MB), GPU 1 (Card B, 10000 MB), 2 and 1 workers, which share its memory equally.",
        ),
    ],
)
def test_no_more_workers_are_started_or_named_than_there_are_jobs(n_jobs, devices_and_shares, said):
    slots, where = make_slots("0,1", workers=0, threads=1, workers_per_gpu=4, n_jobs=n_jobs)

    assert [(slot.device, slot.memory_share) for slot in slots] == devices_and_shares
    assert where == said
    slots, where = make_slots("cpu", workers=4, threads=1, n_jobs=n_jobs)
    assert len(slots) == n_jobs
    assert where.startswith(f"Running on the CPU, {n_jobs} worker{'s' * (n_jobs > 1)}, 1 thread each.")


@pytest.mark.usefixtures("two_gpus")
def test_the_number_of_workers_that_find_memory_is_named(monkeypatch):
    monkeypatch.setattr(devices, "read_gpu", lambda device: GpuReading(0.0, 15_000.0 if device == "0" else 100.0, 24_000.0))

    slots, where = make_slots("0,1", workers=0, threads=1, workers_per_gpu=4)

    assert len(slots) == 8
    assert where == (
        "Running on GPU 0 (Card A, 24000 MB), GPU 1 (Card B, 10000 MB), 1 and 4 workers, which share its memory equally. "
        "15000 MB of GPU 0 are in use; up to 4 workers, as memory allows."
    )


@pytest.mark.usefixtures("two_gpus")
def test_on_a_gpu_workers_is_said_to_have_no_effect():
    slots, where = make_slots("1", workers=4, threads=1)

    assert slots == [Slot("1", 1)]
    assert where == (
        "Running on GPU 1 (Card B, 10000 MB). workers=4 has no effect on a GPU; use workers_per_gpu to let several workers "
        "share it."
    )


@pytest.mark.usefixtures("two_gpus")
def test_more_workers_than_fit_into_the_memory_of_a_gpu_are_refused():
    with pytest.raises(SettingsError, match=r"GPU 1 \(Card B\) has 10000 MB,.* expected 1 to 7\."):
        make_slots("0,1", workers=0, threads=1, workers_per_gpu=8)


@pytest.mark.usefixtures("two_gpus")
def test_a_gpu_that_is_not_there_is_an_error_that_lists_them():
    with pytest.raises(SettingsError, match=r"no GPU 2\. Available: 0 \(Card A\), 1 \(Card B\), cpu"):
        make_slots("0,2", workers=0, threads=1)


@pytest.mark.usefixtures("two_gpus")
def test_the_cpu_can_be_chosen_on_a_machine_with_gpus():
    assert make_slots("cpu", workers=1, threads=1) == ([Slot("cpu", 1)], "Running on the CPU, 1 worker, 1 thread each.")


def test_the_environment_binds_device_backend_and_threads(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    on_gpu, on_cpu = environment(Slot("1", 4), "torch"), environment(Slot("cpu", 2), "jax")

    assert (on_gpu["CUDA_VISIBLE_DEVICES"], on_gpu["KERAS_BACKEND"], on_gpu["OMP_NUM_THREADS"]) == ("1", "torch", "4")
    assert (on_cpu["CUDA_VISIBLE_DEVICES"], on_cpu["JAX_PLATFORMS"]) == ("-1", "cpu")


def test_gpus_are_numbered_within_those_that_a_scheduler_gave(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")

    on_second = environment(Slot("1", 1), "jax")
    assert (on_second["CUDA_VISIBLE_DEVICES"], on_second["CUDA_DEVICE_ORDER"]) == ("7", "PCI_BUS_ID")


@pytest.mark.usefixtures("two_gpus")
def test_a_share_of_the_memory_leaves_out_what_the_driver_takes(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    whole, half = environment(Slot("0", 1), "jax"), environment(Slot("0", 1, 0.5), "jax")

    assert not {name for name in whole if "MEMORY" in name or "FRACTION" in name}
    assert half["XVAL_GPU_MEMORY_MB"] == "11200"
    assert float(half["XVAL_GPU_MEMORY_SHARE"]) == pytest.approx(11200 / 24000, abs=1e-4)
    assert half["XLA_PYTHON_CLIENT_MEM_FRACTION"] == half["XVAL_GPU_MEMORY_SHARE"]
    assert half["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"


def test_the_memory_of_a_gpu_of_unknown_size_is_shared_with_a_margin(monkeypatch):
    monkeypatch.setattr(devices, "find_gpus", lambda: (Gpu("Card A"),))

    limits = environment(Slot("0", 1, 0.25), "torch")

    assert limits["XVAL_GPU_MEMORY_SHARE"] == "0.2250"
    assert "XVAL_GPU_MEMORY_MB" not in limits


def test_all_that_makes_threads_keeps_to_those_of_the_job():
    on_cpu = environment(Slot("cpu", 3), "jax")

    assert {on_cpu[name] for name in ("OMP_NUM_THREADS", "ARROW_IO_THREADS", "NUMEXPR_NUM_THREADS", "PJRT_NPROC")} == {"3"}
    assert "intra_op_parallelism_threads=3" in on_cpu["XLA_FLAGS"]


def test_gpus_are_read_from_the_driver_s_own_tool(monkeypatch, tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho '0, GPU-aa, 24576, 580.1, Card A'\necho '1, GPU-bb, [N/A], 580.1, Card B, Max'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert devices.find_gpus.__wrapped__() == (Gpu("Card A", 24576, "580.1"), Gpu("Card B, Max", 0, "580.1"))

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-bb")
    assert devices.find_gpus.__wrapped__() == (Gpu("Card B, Max", 0, "580.1"),)

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-b,GPU-a")  # the beginnings of UUIDs
    assert devices.find_gpus.__wrapped__() == (Gpu("Card B, Max", 0, "580.1"), Gpu("Card A", 24576, "580.1"))

    for unknown in ("-1", "", "GPU-", "GPU-c"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", unknown)
        assert devices.find_gpus.__wrapped__() == ()

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-8e1c,MIG-8e1d")
    assert devices.find_gpus.__wrapped__() == (Gpu("MIG instance", 0, "580.1"),)

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,7,0")  # CUDA ends at an unknown one, and so do all backends
    assert devices.find_gpus.__wrapped__() == (Gpu("Card B, Max", 0, "580.1"),)


def test_a_note_of_the_driver_s_tool_is_no_gpu(monkeypatch, tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'No devices were found'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert devices.find_gpus.__wrapped__() == ()


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
