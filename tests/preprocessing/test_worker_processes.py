"""Pools of processes do not disturb each other."""

import math
import sys
import threading
from contextlib import closing
from multiprocessing.context import SpawnProcess

import pytest

from preprocessing.worker_processes import WorkerProcesses


def test_two_pools_that_start_at_once_leave_the_running_script_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    main, start = sys.modules["__main__"], SpawnProcess.start
    first_starts, second_starts, first_has_started = threading.Event(), threading.Event(), threading.Event()

    def start_in_order(process: SpawnProcess) -> None:
        start(process)
        if not first_starts.is_set():
            first_starts.set()
            second_starts.wait(0.2)  # in vain if one waits for the other
        else:
            second_starts.set()
            first_has_started.wait(100)

    monkeypatch.setattr(SpawnProcess, "start", start_in_order)
    pools = [WorkerProcesses(1, variables={}, when_lost="") for _ in range(2)]
    with closing(pools[0]), closing(pools[1]):
        first = pools[0].submit(math.sqrt, [(4.0,)])
        assert first_starts.wait(100)
        second = pools[1].submit(math.sqrt, [(9.0,)])
        assert first.result() == [2.0]
        first_has_started.set()
        assert second.result() == [3.0]
    assert sys.modules["__main__"] is main
