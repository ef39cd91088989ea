"""Leases, with a clock of the test's own: to wait is to let the clock go on, and to let an owner be heard or not."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from xval.base import json_files
from xval.base.errors import ResultsError
from xval.base.json_files import write_json
from xval.jobs.claim import ClaimedFold
from xval.results import leases
from xval.results.folder import ExperimentFolder
from xval.results.job_key import JobKey
from xval.results.leases import living, take
from xval.results.lock import choose_lock
from xval.results.status import read_status

LEASE_S = 3600.0  # no thread is heard while a test runs
HOLD = """
import sys
from pathlib import Path
from xval.base import json_files
from xval.results.folder import ExperimentFolder
json_files._boot = lambda: sys.argv[2]
with ExperimentFolder(Path(sys.argv[1])).claim(1, 1) as ours:
    print(ours, flush=True)
    sys.stdin.read()
"""


class Clock:
    """What leases.py takes the time from. To sleep is to call what happens meanwhile."""

    def __init__(self):
        self.now = 0.0
        self.meanwhile = lambda: None

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.meanwhile()


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(leases, "time", clock)
    return clock


@pytest.fixture
def folder(tmp_path):
    folder = ExperimentFolder(tmp_path / "experiment_1")
    folder.prepare("a test")
    choose_lock(folder.path, "lease", LEASE_S)
    return folder


@pytest.fixture
def hold(folder):
    """Claim a fold in another process, of this or another start of a machine."""
    started = []

    def start(boot):
        command = [sys.executable, "-c", HOLD, str(folder.path), boot]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "True\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def publish(folder, temporary, name):
    write_json(temporary / "record.json", {"status": "done", "by": name})
    folder.publish(temporary, 1, 1)


@pytest.mark.parametrize("changed", [0, 2**33], ids=["a file of 1970", "a file of 2242"])
def test_an_owner_that_is_heard_keeps_its_lease_whatever_its_clock_says(tmp_path, clock, changed):
    lease = take(tmp_path / "lease", LEASE_S)

    def beat():
        lease.beat()
        os.utime(tmp_path / "lease/1", (changed, changed))

    clock.meanwhile = beat
    assert take(tmp_path / "lease", LEASE_S) is None
    assert clock.now < LEASE_S / 10
    assert living([tmp_path / "lease", tmp_path / "none"], LEASE_S) == {tmp_path / "lease"}
    assert lease.renew()
    lease.release()
    assert take(tmp_path / "lease", LEASE_S)


def test_a_silent_owner_loses_its_lease_when_it_is_over_and_not_before(tmp_path, clock):
    silent = take(tmp_path, LEASE_S)

    assert living([tmp_path], LEASE_S) == set()
    begun = clock.now
    second = take(tmp_path, LEASE_S)

    assert LEASE_S <= clock.now - begun < 1.05 * LEASE_S
    assert (silent.renew(), second.renew()) == (False, True)
    silent.beat()
    silent.release()  # which takes nothing from the second
    clock.meanwhile = second.beat
    assert take(tmp_path, LEASE_S) is None


def test_of_many_that_take_a_free_lease_at_once_one_gets_it(tmp_path):
    (tmp_path / "1").write_bytes(b"released")

    with ThreadPoolExecutor(16) as pool:
        found = [lease for lease in pool.map(lambda _: take(tmp_path, 30.0), range(16)) if lease]

    assert len(found) == 1
    assert found[0].renew()
    found[0].release()


def test_one_that_was_suspended_while_many_others_had_the_lease_does_not_get_an_old_number(tmp_path):
    late = take(tmp_path, LEASE_S)
    late.release()
    for _ in range(2 * leases._KEPT):
        take(tmp_path, LEASE_S).release()

    assert len(list(tmp_path.iterdir())) == leases._KEPT
    assert not late.renew()
    assert take(tmp_path, LEASE_S).renew()


def test_what_a_suspended_process_has_made_is_not_put_over_the_result_of_its_successor(folder, clock):
    other = ExperimentFolder(folder.path)
    with folder.claim(1, 1) as first:
        temporary = folder.begin_fold(1, 1)
        with other.claim(1, 1) as second:
            assert not temporary.exists()
            publish(other, other.begin_fold(1, 1), "the second")
        temporary.mkdir()  # as of one that goes on writing

        with pytest.raises(ResultsError, match="another process has taken over"):
            publish(folder, temporary, "the first")

    assert (first, second) == (True, True)
    assert folder.record(1, 1)["by"] == "the second"
    assert folder.jobs(1) == [JobKey(1, 1)]


def test_a_job_that_was_taken_over_is_no_failure_but_that_of_another_process(folder, clock):
    key = JobKey(1, 1)
    settings = SimpleNamespace(overwrite_results=False)
    job = SimpleNamespace(folder=ExperimentFolder(folder.path), key=key, settings=settings, trial=0)
    with ClaimedFold(job, device="cpu") as fold, ExperimentFolder(folder.path).claim(*key):
        outcome = fold.fail(FileNotFoundError("its temporary folder"))

    assert outcome.status == "elsewhere"


def test_a_fold_of_another_machine_is_left_while_that_lives_and_taken_over_when_it_is_dead(folder, clock, hold):
    other = hold("another")
    (newest,) = (folder.instance_folder(1) / ".fold_1.lease").iterdir()
    left = folder.begin_fold(1, 1)
    clock.meanwhile = lambda: newest.write_text(newest.read_text() + ".")  # it is heard

    with folder.claim(1, 1) as ours:
        assert not ours
    assert folder.claimed()(JobKey(1, 1))
    other.send_signal(signal.SIGKILL)
    other.wait()
    clock.meanwhile = lambda: None
    begun = clock.now
    assert not folder.claimed()(JobKey(1, 1))
    with folder.claim(1, 1) as ours:
        assert ours
    assert clock.now - begun >= LEASE_S
    assert not left.exists()


def test_a_process_of_this_machine_that_was_killed_is_not_waited_for(folder, clock, hold):
    other = hold(json_files._boot())
    other.send_signal(signal.SIGKILL)
    other.wait()

    with folder.claim(1, 1) as ours:
        assert ours
    assert clock.now == 0


def test_a_damaged_file_of_leases_is_named(folder):
    (folder.path / "leases.json").write_text('{"lease_s": -1}')

    with pytest.raises(ResultsError, match=r"leases.json: lease_s=-1; expected a number"), folder.lock():
        pass
    assert "leases.json" in read_status(folder).faults[-1]


def test_derived_files_are_rebuilt_by_one_process_at_a_time(folder, clock):
    order = []
    with ThreadPoolExecutor(1) as pool:

        def rebuild():
            with ExperimentFolder(folder.path).lock():
                order.append("second")

        with folder.lock():
            waiting = pool.submit(rebuild)
            clock.meanwhile = next(iter(folder.path.glob(".rebuild.lease/*"))).touch
            order.append("first")
        waiting.result()

    assert order == ["first", "second"]
    assert (folder.path / ".rebuild.lease").is_dir()
