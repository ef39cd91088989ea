"""When a checkpoint is written: in time, and at signals, which do what they did besides."""

import signal

import numpy as np
import pytest

from xval.folds.plan import Fold
from xval.jobs import checkpoints
from xval.jobs.checkpoint_file import read_checkpoint
from xval.jobs.checkpoints import FoldCheckpoints, write_latest
from xval.jobs.job import Job
from xval.results.checkpoint_note import read_position


@pytest.fixture
def make_checkpoints(tmp_path, monkeypatch, make_settings):
    """Return a function that gives the checkpoints of a job; the clock goes on when it is told to."""
    (tmp_path / "instance_1").mkdir()
    clock = [0.0]
    monkeypatch.setattr(checkpoints, "time", type("Clock", (), {"monotonic": staticmethod(lambda: clock[0])}))

    def make(**changes):
        fold = Fold(1, ("a",), ("b",), ("c",))
        job = Job(str(tmp_path), "", "", 1, fold, make_settings(**changes), {}, "hash", "folds", 1)
        return FoldCheckpoints(job, tmp_path, lambda event: None, {}), tmp_path / "instance_1" / ".fold_1.checkpoint.npz"

    make.clock = clock
    return make


def state(epoch):
    return lambda: {"values": np.full(3, epoch, np.float32), "best": None, "wait": epoch}


def test_a_checkpoint_is_written_when_its_minutes_are_over_and_never_with_zero(make_checkpoints):
    found, path = make_checkpoints(checkpoint_minutes=2)
    positions = []
    for epoch in range(1, 8):
        make_checkpoints.clock[0] += 50
        found.offer(epoch, state(epoch))
        positions.append(read_position(path))

    assert positions == [None, None, 3, 3, 3, 6, 6]
    kept = read_checkpoint(path)
    assert (kept.epoch, kept.seconds, kept.state["wait"], kept.state["best"]) == (6, 300.0, 6, None)
    assert kept.state["values"].tolist() == [6, 6, 6]
    path.unlink()
    found, path = make_checkpoints(checkpoint_minutes=0)
    make_checkpoints.clock[0] += 1e6
    found.offer(1, state(1))
    assert not path.exists()


def test_a_state_that_is_dear_to_take_is_taken_seldom(make_checkpoints):
    found, _ = make_checkpoints(checkpoint_minutes=100)
    taken = []

    def take(epoch):
        taken.append(epoch)
        make_checkpoints.clock[0] += 0.5
        return {}

    for epoch in range(1, 200):
        make_checkpoints.clock[0] += 1
        found.offer(epoch, lambda epoch=epoch: take(epoch))

    assert 3 <= len(taken) <= 5  # a hundredth of the time


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="there are no such signals")
def test_a_signal_has_the_last_state_written_and_does_what_it_did_before(make_checkpoints):
    seen = []
    before = signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))
    try:
        found, path = make_checkpoints(checkpoint_minutes=5)
        with found.written_at_signals():
            signal.raise_signal(signal.SIGTERM)  # nothing is there yet
            assert (seen.pop(), path.exists()) == (signal.SIGTERM, False)
            make_checkpoints.clock[0] += 2
            found.offer(1, state(1))
            signal.raise_signal(signal.SIGUSR1)
            assert (seen, read_position(path)) == ([], 1)  # a warning ends nothing
            make_checkpoints.clock[0] += 1
            found.offer(2, state(2))
            signal.raise_signal(signal.SIGTERM)
            assert (seen, read_position(path)) == ([signal.SIGTERM], 2)
            make_checkpoints.clock[0] += 1
            found.offer(3, state(3))
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
            assert read_position(path) == 3
            path.unlink()
            write_latest()  # as threads do before they end the process
            assert read_position(path) == 3
        path.unlink()
        signal.raise_signal(signal.SIGTERM)
        write_latest()
        assert not path.exists()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
