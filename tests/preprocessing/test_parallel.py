"""Tasks run in real processes and come back in order, also where a process dies."""

import contextlib
import importlib
import math
import multiprocessing
import operator
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

from preprocessing.parallel import SMALLEST_PARALLEL, map_in_processes
from xval.base.errors import WorkerError

ROOT = Path(__file__).resolve().parents[2]
MANY = SMALLEST_PARALLEL + 51


@pytest.mark.parametrize("n_processes", [1, 2, 5])
@pytest.mark.parametrize("n_tasks", [0, 1, MANY])
def test_results_come_in_the_order_of_the_tasks(n_processes: int, n_tasks: int) -> None:
    counts: list[tuple[int, int]] = []
    tasks = list(range(n_tasks))
    results = map_in_processes(math.sqrt, tasks, n_processes=n_processes, progress=lambda *count: counts.append(count))
    assert list(results) == [math.sqrt(task) for task in tasks]
    assert counts == [(done, n_tasks) for done in range(1, n_tasks + 1)]


@pytest.mark.parametrize(("n_processes", "n_tasks", "is_here"), [(1, MANY, True), (2, 10, True), (2, MANY, False)])
def test_few_tasks_stay_in_this_process(n_processes: int, n_tasks: int, is_here: bool) -> None:
    pids = set(map_in_processes(operator.call, [os.getpid] * n_tasks, n_processes=n_processes))
    assert (pids == {os.getpid()}) == is_here
    assert (os.getpid() in pids) == is_here


def test_other_processes_do_not_run_the_script_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    main = ModuleType("__main__")
    main.__file__ = str(script)
    monkeypatch.setitem(sys.modules, "__main__", main)

    assert list(map_in_processes(math.sqrt, [4.0] * MANY, n_processes=2)) == [2.0] * MANY

    assert sys.modules["__main__"] is main
    assert not (tmp_path / "ran").exists()


def test_other_processes_use_one_thread_and_this_one_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        assert set(map_in_processes(os.getenv, [name] * MANY, n_processes=2)) == {"1"}
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "OPENBLAS_NUM_THREADS" not in os.environ


@pytest.mark.parametrize("n_processes", [1, 2])
def test_an_error_in_a_task_is_raised_after_the_results_before_it(n_processes: int) -> None:
    got = []
    with pytest.raises(ValueError, match=r"math domain error|expected a nonnegative input"):
        got.extend(map_in_processes(math.sqrt, [4.0] * 20 + [-1.0] + [4.0] * MANY, n_processes=n_processes))
    assert multiprocessing.active_children() == []


def test_processes_do_not_run_far_ahead_of_who_uses_the_results(tmp_path: Path) -> None:
    with closing(map_in_processes(Path.touch, [tmp_path / str(k) for k in range(2000)], n_processes=2)) as results:
        next(results)
        time.sleep(1)
        assert 0 < len(list(tmp_path.iterdir())) < 400
    assert multiprocessing.active_children() == []


def test_where_all_processes_are_killed_the_results_are_made_again() -> None:
    def kill(done: int, _total: int) -> None:
        if done == 20:
            for process in multiprocessing.active_children():
                os.kill(process.pid or 0, signal.SIGKILL)

    tasks = list(range(1000))
    assert list(map_in_processes(math.sqrt, tasks, n_processes=2, progress=kill)) == [math.sqrt(task) for task in tasks]
    assert multiprocessing.active_children() == []


def test_a_process_that_dies_even_without_audio_is_reported() -> None:
    done = []
    with pytest.raises(WorkerError, match=r"A process that reads audio died: killed from outside, .* --workers 1"):
        done.extend(map_in_processes(os._exit, [1] * MANY, n_processes=2))
    assert done == []
    assert multiprocessing.active_children() == []


DYING = """
import gc, os, signal, struct
from multiprocessing.connection import Connection
from pathlib import Path

def die_once_in_the_middle_of_an_answer(number):
    first_time = Path(__file__).with_name("first time")
    if number == 100 and first_time.exists():
        first_time.unlink()
        (answers,) = (each for each in gc.get_objects() if isinstance(each, Connection))
        os.write(answers.fileno(), struct.pack("!i", 1000) + b"of 1000 bytes the first")
        os.kill(os.getpid(), signal.SIGKILL)
    return number
"""


@pytest.mark.timeout(60)
def test_a_process_that_dies_in_the_middle_of_an_answer_holds_up_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dying.py").write_text(DYING)
    (tmp_path / "first time").touch()
    monkeypatch.syspath_prepend(tmp_path)
    task = importlib.import_module("dying").die_once_in_the_middle_of_an_answer

    assert list(map_in_processes(task, range(SMALLEST_PARALLEL), n_processes=2)) == list(range(SMALLEST_PARALLEL))
    assert not (tmp_path / "first time").exists()
    assert multiprocessing.active_children() == []


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_processes_end_when_their_parent_is_killed() -> None:
    code = (
        "import multiprocessing, time\n"
        "from preprocessing.parallel import map_in_processes\n"
        "results = map_in_processes(time.sleep, [0.01] * 100_000, n_processes=2)\n"
        "next(results)\n"
        "print(*(child.pid for child in multiprocessing.active_children()), flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert all(map(is_running, pids))
        parent.kill()
    deadline = time.monotonic() + 30
    while any(map(is_running, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_running, pids))


def _swallow_an_interrupt(number: int) -> int:
    """Lose the KeyboardInterrupt, as a callback from C does."""
    with contextlib.suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    return number


def test_an_interrupt_that_a_library_swallowed_still_ends_the_work() -> None:
    before = signal.getsignal(signal.SIGINT)
    done = []
    with pytest.raises(KeyboardInterrupt):
        done.extend(map_in_processes(_swallow_an_interrupt, [1, 2, 3], n_processes=1))
    assert done == []
    assert signal.getsignal(signal.SIGINT) is before
