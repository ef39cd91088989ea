"""How many workers share a GPU: fewer where others have taken memory of it, and more once it is free."""

import pytest

from xval.backend.devices import Slot
from xval.backend.gpu_readings import GpuReading
from xval.engine.executors import _shared_gpus
from xval.engine.executors._shared_gpus import SharedGpus


@pytest.mark.parametrize(("used_mb", "n_workers"), [(0, 8), (2000, 8), (3000, 7), (45_000, 3), (79_000, 1)])
def test_workers_are_started_only_where_there_is_memory_for_their_share(monkeypatch, used_mb, n_workers):
    monkeypatch.setattr(_shared_gpus, "read_gpu", lambda device: GpuReading(0.0, used_mb, 80_000.0))
    gpus = SharedGpus([Slot("0", 1, 1 / 8)] * 8)

    assert len(gpus.active) == n_workers
    assert {slot.memory_share for slot in gpus.slots} == {1 / 8}


def test_workers_are_added_one_by_one_while_those_that_have_trained_leave_room_for_another(monkeypatch):
    used_mb = [70_000.0]
    monkeypatch.setattr(_shared_gpus, "read_gpu", lambda device: GpuReading(0.0, used_mb[0], 80_000.0))
    gpus = SharedGpus([Slot("0", 1, 1 / 4)] * 4)
    assert gpus.active == {0}

    used_mb[0] = 76_000.0  # the worker takes 6,000, and 4,000 are left
    assert not gpus.add_after_epoch(0)
    used_mb[0] = 72_000.0  # others gave some back
    assert gpus.add_after_epoch(0)
    assert gpus.active == {0, 1}
    assert {slot.memory_share for slot in gpus.slots} == {1 / 4}
    used_mb[0] = 75_000.0
    assert not gpus.add_after_epoch(0)  # what the new one takes is not seen yet
    assert gpus.add_after_epoch(1)
    used_mb[0] = 79_000.0
    assert not any(gpus.add_after_epoch(number) for number in (0, 1, 2))
    used_mb[0] = 20_000.0
    assert [gpus.add_after_epoch(number) for number in (0, 1, 2)] == [False, False, True]
    assert not any(gpus.add_after_epoch(number) for number in range(4))  # that is all


def test_after_a_job_found_too_little_memory_no_worker_is_added(monkeypatch):
    used_mb = [30_000.0]
    monkeypatch.setattr(_shared_gpus, "read_gpu", lambda device: GpuReading(0.0, used_mb[0], 80_000.0))
    gpus = SharedGpus([Slot("0", 1, 1 / 4)] * 4)
    assert gpus.active == {0, 1}
    used_mb[0] = 0.0

    gpus.give_alone(1, "job")
    assert not gpus.add_after_epoch(0)  # a job waits for the whole GPU
    assert gpus.next_alone(set()) == (0, "job")
    assert gpus.end_alone(0, 0.0)

    assert not gpus.add_after_epoch(0)
    assert gpus.active == {0}


def test_a_gpu_of_one_worker_and_the_cpu_are_not_asked(monkeypatch):
    monkeypatch.setattr(_shared_gpus, "read_gpu", lambda device: pytest.fail("asked"))
    assert SharedGpus([Slot("0", 1), Slot("cpu", 1)]).active == {0, 1}


def test_other_gpus_go_on_while_a_job_has_one_to_itself(monkeypatch):
    monkeypatch.setattr(_shared_gpus, "read_gpu", lambda device: None)
    gpus = SharedGpus([Slot(device, 1, 1 / 2) for device in ("0", "1", "0", "1")])

    gpus.give_alone(2, "job")

    assert [gpus.takes_work(number) for number in range(4)] == [False, True, False, True]
    assert gpus.next_alone({0, 1}) is None
    assert gpus.next_alone({1, 3}) == (0, "job")
    assert gpus.slot(0).memory_share == 1.0
    assert not gpus.takes_work(0)
    assert not gpus.end_alone(1, 0.0)
    assert gpus.end_alone(0, 0.0)
    assert [gpus.takes_work(number) for number in range(4)] == [True, True, False, True]
    assert gpus.slot(0).memory_share == 1.0  # the only one that is left there
