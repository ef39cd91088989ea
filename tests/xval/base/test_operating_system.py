"""What differs between operating systems. The ways of Windows run on Linux here, as far as they can."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from filelock import FileLock, SoftFileLock

from xval.base import operating_system
from xval.base.operating_system import (
    end_processes,
    flush,
    has_ended,
    is_locked,
    memory_mb,
    open_regular,
    peak_memory_mb,
    quote,
    read_regular,
    replace,
)  # fmt: skip
from xval.base.size_limits import IrregularFileError

ROOT = Path(__file__).resolve().parents[3]

# What the standard library, psutil and platformdirs themselves load on Linux comes first; all others then find nothing of it.
WITHOUT_POSIX = """
import asyncio, importlib, os, pkgutil, signal, subprocess, sys, warnings
from pathlib import Path

import platformdirs, psutil

for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
for name in ("sched_getaffinity", "waitid", "O_CLOEXEC", "fork", "getuid", "geteuid", "killpg"):
    delattr(os, name)
for name in ("SIGUSR1", "SIGUSR2", "SIGHUP", "pthread_sigmask"):
    delattr(signal, name)
warnings.filterwarnings("ignore", message=".*lock", category=UserWarning)

import numpy as np
from preprocessing.store import write
from xval import Experiment
from xval.base.operating_system import is_locked, memory_mb, peak_memory_mb
from xval.results.lock import hold

names = [
    found.name
    for package in map(importlib.import_module, ("xval", "preprocessing", "augmentation", "architectures"))
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
    if found.name.split(".")[-1] != "__main__"
]
for name in names:
    importlib.import_module(name)
assert len(names) > 200, len(names)

lock = Path("job.lock")
before = is_locked(lock)
with hold(Path("job")) as held:
    assert (before, held(), is_locked(lock)) == (False, True, True)
assert not is_locked(lock)
assert 0 < memory_mb() <= 2 * peak_memory_mb()

del os.environ["KERAS_BACKEND"]  # numpy loads fastest, and trains nothing
items = [f"s{number}" for number in range(6)]
random = np.random.default_rng(0)
predictors = {item: random.normal(size=(4, 8)) for item in items}
write("arrays", predictors, {item: ["no", "yes"] * 2 for item in items})
experiment = Experiment("without POSIX", dataset="arrays", num_experiment=1, num_folds=3, fold_repeats=1)
experiment[1] = {"architecture": "mlp", "num_epochs": 1, "comment_1": "\\u2192 here"}
for wanted in ("--list", "--dry-run"):
    try:
        experiment.main([wanted])
    except SystemExit as ended:
        assert not ended.code, wanted
"""


@pytest.mark.slow
def test_every_module_is_imported_and_folds_are_planned_where_no_module_of_posix_is(tmp_path):
    variables = os.environ | {
        "PYTHONPATH": str(ROOT),
        "PYTHONIOENCODING": "cp1252",
        "KERAS_BACKEND": "numpy",
        "COLUMNS": "200",
    }
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_POSIX], cwd=tmp_path, env=variables, capture_output=True, timeout=300, check=False
    )

    printed = ended.stdout.decode("cp1252")
    assert ended.returncode == 0, printed + ended.stderr.decode(errors="replace")
    assert "-> here" in printed
    assert "1-3" in printed.splitlines()[-2]  # the folds to do


def test_memory_is_that_which_the_system_tells():
    filled = bytearray(os.urandom(1 << 20) * 64)

    assert memory_mb() == pytest.approx(psutil.Process().memory_info().rss / 2**20, rel=0.1)
    assert peak_memory_mb() >= memory_mb() - 1 > len(filled) / 2**20


@pytest.mark.parametrize(("kind", "has_fcntl"), [(FileLock, True), (FileLock, False), (SoftFileLock, False)])
def test_a_lock_is_seen_while_it_is_held(tmp_path, monkeypatch, kind, has_fcntl):
    if not has_fcntl:
        monkeypatch.setattr(operating_system, "fcntl", None)
        monkeypatch.setattr(operating_system, "FileLock", kind)
    path = tmp_path / ".lock"
    assert not is_locked(path)
    assert not path.exists()

    with kind(path):
        assert is_locked(path)
    assert not is_locked(path)


def test_a_process_has_ended_once_it_is_dead_whether_it_is_waited_for_or_not():
    process = subprocess.Popen(["sleep", "60"])
    try:
        assert not has_ended(process.pid)
    finally:
        process.kill()
    while not has_ended(process.pid):  # a zombie: nobody has asked for its exit code
        time.sleep(0.01)
    assert process.returncode is None
    assert process.wait() == -signal.SIGKILL
    assert has_ended(process.pid)


@pytest.fixture
def on_windows(monkeypatch):
    """Let the functions take the ways that they take on Windows."""
    monkeypatch.setattr(operating_system, "IS_WINDOWS", True)


def test_a_file_is_replaced_on_windows_when_its_reader_has_closed_it(tmp_path, monkeypatch, on_windows):
    new, old = tmp_path / "new", tmp_path / "old"
    new.write_text("new")
    old.write_text("old")
    readers, rename = ["one"], Path.replace

    def refuse(path, target):
        if readers:
            readers.pop()
            raise PermissionError(13, "Access is denied", str(target))
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", refuse)
    replace(new, old)

    assert (old.read_text(), new.exists()) == ("new", False)


def test_elsewhere_a_file_that_may_not_be_replaced_is_an_error_at_once(tmp_path, monkeypatch):
    tried = []

    def refuse(path, _target):
        tried.append(path)
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(PermissionError):
        replace(tmp_path / "new", tmp_path / "old")
    assert len(tried) == 1


def test_on_windows_folders_are_not_opened_and_files_are_opened_to_be_written(tmp_path, monkeypatch, on_windows):
    (tmp_path / "x").touch()
    modes, opened = [], os.open
    monkeypatch.setattr(os, "open", lambda path, mode: modes.append(mode) or opened(path, mode))

    flush(tmp_path)
    flush(tmp_path / "x")

    assert modes == [os.O_RDWR]


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("num_epochs=3", "num_epochs=3"),
        (r"C:\data\my-corpus", r"C:\data\my-corpus"),
        (r"C:\my data", r'"C:\my data"'),
        ("([a-z]+)_.*", '"([a-z]+)_.*"'),
        ('say "a"', r'"say \"a\""'),
        ("", '""'),
    ],
)
def test_words_are_quoted_for_the_shells_of_windows(on_windows, word, quoted):
    assert quote(word) == quoted


@pytest.mark.parametrize("word", ["num_epochs=3", "my data", "it's", "$HOME", ""])
def test_words_are_quoted_for_the_shell(word):
    assert shlex.split(quote(word)) == [word]


def test_on_windows_a_program_runs_below_this_one_and_its_exit_code_is_told(on_windows, tmp_path):
    script = f"import os, json, sys; open({str(tmp_path / 'x')!r}, 'w').write(os.environ['WORD']); sys.exit(5)"

    assert operating_system.become([sys.executable, "-S", "-c", script], os.environ | {"WORD": json.dumps("a b")}) == 5
    assert (tmp_path / "x").read_text() == '"a b"'


def test_a_file_that_is_larger_than_its_reader_expects_is_refused_unread(tmp_path):
    path = tmp_path / "description.txt"
    path.write_text("a test")
    assert read_regular(path, 6) == b"a test"
    with pytest.raises(IrregularFileError, match=r"larger than 5 bytes.*description\.txt"):
        read_regular(path, 5)
    os.truncate(path, 3 << 30)  # a hole, which takes no room on the disk
    with pytest.raises(IrregularFileError, match="larger than 268435456 bytes"):
        read_regular(path)


@pytest.mark.skipif(sys.platform != "linux", reason="the file is one of Linux")
def test_what_the_system_refuses_while_a_file_is_read_names_the_file(tmp_path):
    path = tmp_path / "model.json"
    path.symlink_to("/proc/self/mem")  # opens as a regular file

    with pytest.raises(OSError, match="Input/output error") as refused:
        read_regular(path)
    assert refused.value.filename == str(path)


def test_a_folder_in_the_place_of_a_file_is_refused(tmp_path):
    with pytest.raises(IrregularFileError, match="not a regular file"):
        open_regular(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "gone")


@pytest.mark.skipif(operating_system.IS_WINDOWS, reason="Windows ends a process at once")
def test_a_process_that_does_not_end_when_asked_is_killed_and_another_clears_up(monkeypatch, tmp_path):
    monkeypatch.setattr("xval.base.operating_system.SECONDS_TO_END", 1.0)
    code = "import signal, sys, time; signal.signal(signal.SIGTERM, {}); print(flush=True); time.sleep(600)"
    ignoring = code.format("signal.SIG_IGN")
    clearing = code.format("lambda *_: sys.exit(open(sys.argv[1], 'w').close())")
    children = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "cleared")], stdout=subprocess.PIPE)
        for script in (ignoring, clearing)
    ]
    for child in children:
        child.stdout.readline()
    end_processes(children)
    for child in children:
        child.communicate()
    assert [child.returncode for child in children] == [-signal.SIGKILL, 0]
    assert (tmp_path / "cleared").exists()
