"""When a checkpoint is written: in time, and at signals, which do what they did besides."""

import signal

import numpy as np
import pytest

from preprocessing.interrupts import rescue
from xval.folds.plan import Fold
from xval.jobs import checkpoints
from xval.jobs.checkpoint_file import read_checkpoint
from xval.jobs.checkpoints import FoldCheckpoints
from xval.jobs.job import Job
from xval.jobs.observers import Observers
from xval.results.checkpoint_note import read_position


class Part:
    """A part of a training whose state follows from the epoch."""

    def __init__(self, epoch=0):
        self.epoch = epoch

    def get_state(self):
        return {"values": np.full(3, self.epoch, np.float32), "best": None, "wait": self.epoch}

    def set_state(self, state):
        self.epoch = state["wait"]


@pytest.fixture
def make_checkpoints(tmp_path, monkeypatch, make_settings):
    """Return a function that gives the checkpoints of a job; the clock goes on when it is told to."""
    (tmp_path / "instance_1").mkdir()
    clock = [0.0]
    monkeypatch.setattr(checkpoints, "time", type("Clock", (), {"monotonic": staticmethod(lambda: clock[0])}))

    def make(part, **changes):
        fold = Fold(1, ("a",), ("b",), ("c",))
        job = Job(str(tmp_path), "", "", 1, fold, make_settings(**changes), {}, "hash", "folds", 1)
        found = FoldCheckpoints(job, tmp_path, Observers(), {})
        found.watch({"part": part})

        def end_epoch(epoch):
            part.epoch = epoch
            found.epoch({"epoch": epoch})

        return found, end_epoch, tmp_path / "instance_1" / ".fold_1.checkpoint.npz"

    make.clock = clock
    return make


def test_a_checkpoint_is_written_when_its_minutes_are_over_and_never_with_zero(make_checkpoints):
    _, end_epoch, path = make_checkpoints(Part(), checkpoint_minutes=2)
    positions = []
    for epoch in range(1, 8):
        make_checkpoints.clock[0] += 50
        end_epoch(epoch)
        positions.append(read_position(path))

    assert positions == [None, None, 3, 3, 3, 6, 6]
    kept = read_checkpoint(path)
    state = kept.state["part"]
    assert (kept.epoch, kept.seconds, state["wait"], state["best"]) == (6, 300.0, 6, None)
    assert state["values"].tolist() == [6, 6, 6]
    path.unlink()
    _, end_epoch, path = make_checkpoints(Part(), checkpoint_minutes=0)
    make_checkpoints.clock[0] += 1e6
    end_epoch(1)
    assert not path.exists()


def test_a_state_that_is_dear_to_take_is_taken_seldom(make_checkpoints):
    taken = []

    class Dear(Part):
        def get_state(self):
            taken.append(self.epoch)
            make_checkpoints.clock[0] += 0.5
            return {}

    _, end_epoch, _ = make_checkpoints(Dear(), checkpoint_minutes=100)
    for epoch in range(1, 200):
        make_checkpoints.clock[0] += 1
        end_epoch(epoch)

    assert 3 <= len(taken) <= 5  # a hundredth of the time


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="there are no such signals")
def test_a_signal_has_the_last_state_written_and_does_what_it_did_before(make_checkpoints):
    seen = []
    before = signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))
    try:
        found, end_epoch, path = make_checkpoints(Part(), checkpoint_minutes=5)
        with found.written_at_signals():
            signal.raise_signal(signal.SIGTERM)  # nothing is there yet
            assert (seen.pop(), path.exists()) == (signal.SIGTERM, False)
            make_checkpoints.clock[0] += 2
            end_epoch(1)
            signal.raise_signal(signal.SIGUSR1)
            assert (seen, read_position(path)) == ([], 1)  # a warning ends nothing
            make_checkpoints.clock[0] += 1
            end_epoch(2)
            signal.raise_signal(signal.SIGTERM)
            assert (seen, read_position(path)) == ([signal.SIGTERM], 2)
            make_checkpoints.clock[0] += 1
            end_epoch(3)
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
            assert read_position(path) == 3
            path.unlink()
            rescue()  # as threads do before they end the process
            assert not path.exists()  # that state has been written
            make_checkpoints.clock[0] += 1
            end_epoch(4)
            rescue()
            assert read_position(path) == 4
        path.unlink()
        signal.raise_signal(signal.SIGTERM)
        rescue()
        assert not path.exists()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL


def test_parts_are_as_they_were_where_a_later_one_finds_that_the_state_does_not_fit(make_checkpoints):
    class Refusing(Part):
        def set_state(self, state):
            if state["wait"] == 3:
                raise ValueError("it has another form")

    first, later = Part(), Refusing()
    found, end_epoch, path = make_checkpoints(first, checkpoint_minutes=1e-9)
    found.watch({"first": first, "later": later})
    make_checkpoints.clock[0] += 1
    later.epoch = 3
    end_epoch(3)
    assert read_position(path) == 3
    first.epoch = later.epoch = 7

    found.watch({"first": first, "later": later})

    assert (first.epoch, later.epoch, path.exists()) == (7, 7, False)
