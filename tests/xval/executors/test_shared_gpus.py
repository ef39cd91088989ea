"""How many workers share a GPU: fewer where others have taken memory of it."""

import pytest

from xval.backend.devices import Slot
from xval.backend.gpu_readings import Reading
from xval.executors import _shared_gpus
from xval.executors._shared_gpus import SharedGpus


@pytest.mark.parametrize(("used_mb", "n_workers"), [(0, 8), (2000, 8), (3000, 7), (45_000, 3), (79_000, 1)])
def test_workers_are_started_only_where_there_is_memory_for_their_share(monkeypatch, used_mb, n_workers):
    monkeypatch.setattr(_shared_gpus, "read_gpu", lambda device: Reading(0.0, used_mb, 80_000.0))
    gpus = SharedGpus([Slot("0", 1, 1 / 8)] * 8)

    assert len(gpus.active) == n_workers
    assert {slot.memory_share for slot in gpus.slots} == {1 / 8}


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
