"""A store appears whole or not at all, whatever happens to the process that builds it."""

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from preprocessing.store import open_store
from preprocessing.store.writer import Example, StoreWriter
from xval.base.errors import CorpusError

ROOT = Path(__file__).resolve().parents[3]

BUILDER = """
import sys, time
from pathlib import Path
import numpy as np
from preprocessing.store.writer import Example, StoreWriter
folder, value, seconds = Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
with StoreWriter(folder, task_type="classification", class_names=("a",)) as writer:
    if folder.exists():
        print("found", flush=True)
        sys.exit()
    writer.append("item", np.full((3, 4), value), [0, 0, 0], [Example("c", 0.0, 1.0)] * 3)
    print("building", flush=True)
    time.sleep(seconds)
    writer.publish(index_hash="abc")
    print("built", flush=True)
"""


def start_builder(folder: Path, value: float, seconds: float) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", BUILDER, str(folder), str(value), str(seconds)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def writer_of(folder: Path) -> StoreWriter:
    return StoreWriter(folder, task_type="classification", class_names=("a",))


def append(writer: StoreWriter, value: float = 1.0, n_examples: int = 3) -> None:
    writer.append("item", np.full((n_examples, 4), value), [0] * n_examples, [Example("c", 0.0, 1.0)] * n_examples)


def build(folder: Path, value: float = 1.0) -> None:
    with writer_of(folder) as writer:
        append(writer, value)
        writer.publish(index_hash="abc")


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def test_nothing_is_there_before_it_is_whole(tmp_path: Path) -> None:
    with writer_of(tmp_path / "store") as writer:
        append(writer)
        assert not (tmp_path / "store").exists()
        writer.publish(index_hash="abc")
        assert open_store(tmp_path / "store").counts == {"item": 3}
    assert visible(tmp_path) == ["store"]


def test_without_publishing_nothing_is_left(tmp_path: Path) -> None:
    with writer_of(tmp_path / "store") as writer:
        append(writer)
    assert visible(tmp_path) == []


def test_after_an_error_the_next_can_build(tmp_path: Path) -> None:
    with writer_of(tmp_path / "store") as writer:
        append(writer)
        with pytest.raises(CorpusError, match="NaN"):
            append(writer, np.nan)
    assert visible(tmp_path) == []
    build(tmp_path / "store")
    assert visible(tmp_path) == ["store"]


def test_the_first_of_two_stays(tmp_path: Path) -> None:
    with writer_of(tmp_path / "store") as writer:
        append(writer, 2.0)
        (tmp_path / "store").mkdir()  # as if another machine had put its own there meanwhile
        (tmp_path / "store" / "theirs").touch()
        writer.publish(index_hash="abc")
    assert visible(tmp_path) == ["store"]
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["theirs"]


def test_replacing_puts_the_new_one_in_the_place_of_the_old(tmp_path: Path) -> None:
    for value in (1.0, 2.0):
        replace_with(tmp_path / "store", value)
    assert (open_store(tmp_path / "store").predictors("item") == 2.0).all()
    assert visible(tmp_path) == ["store"]


def test_what_a_killed_builder_left_is_removed_by_the_next(tmp_path: Path) -> None:
    killed = start_builder(tmp_path / "store", 1.0, 60.0)
    assert killed.stdout is not None
    assert killed.stdout.readline() == "building\n"
    killed.kill()
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert len(visible(tmp_path)) == 1  # its temporary folder
    build(tmp_path / "store", 2.0)
    assert visible(tmp_path) == ["store"]


def test_a_builder_on_another_machine_is_left_alone_for_a_day(tmp_path: Path) -> None:
    fresh, old, other = (tmp_path / f".{name}.tmp" for name in ("store.far-1-aa", "store.far-2-bb", "other.far-3-cc"))
    for folder in (fresh, old, other):
        folder.mkdir()
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(old, (two_days_ago, two_days_ago))
    os.utime(other, (two_days_ago, two_days_ago))
    build(tmp_path / "store")
    assert visible(tmp_path) == [".other.far-3-cc.tmp", ".store.far-1-aa.tmp", "store"]


@pytest.mark.parametrize("flock", [errno.ENOLCK, errno.ENOSYS, None], ids=["ENOLCK", "ENOSYS", "does nothing"])
def test_without_locks_the_first_whole_store_stays_and_nobody_disturbs_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flock: int | None
) -> None:
    def lock(*_: object) -> None:
        if flock:
            raise OSError(flock, os.strerror(flock))

    monkeypatch.setattr("filelock._unix.fcntl.flock", lock)
    with writer_of(tmp_path / "store") as slow:
        append(slow, 1.0)
        with ThreadPoolExecutor() as pool:  # locks that do nothing are seen between threads as between machines
            pool.submit(build, tmp_path / "store", 2.0).result()
        append(slow, 1.0)
        slow.publish(index_hash="abc")
    assert (open_store(tmp_path / "store").predictors("item") == 2.0).all()
    assert visible(tmp_path) == ["store"]


@pytest.mark.parametrize("moment", ["before the old one is moved away", "before the new one is put there"])
def test_without_locks_the_last_of_two_that_replace_a_store_stays_and_neither_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    build(tmp_path / "store")
    original, others = Path.rename, [2.0]

    def rename(path: Path, target: Path) -> Path:
        if others and (path.name == "store") == (moment == "before the old one is moved away"):
            if path.name == "store":
                original(path, tmp_path / "theirs")  # another machine is about to put its own there
                others.pop()
            else:
                with ThreadPoolExecutor() as pool:
                    pool.submit(replace_with, tmp_path / "store", others.pop()).result()
        return original(path, target)

    monkeypatch.setattr("filelock._unix.fcntl.flock", lambda *_: None)
    monkeypatch.setattr(Path, "rename", rename)
    replace_with(tmp_path / "store", 3.0)

    assert not others
    assert (open_store(tmp_path / "store").predictors("item") == 3.0).all()
    assert set(visible(tmp_path)) - {"theirs"} == {"store"}


@contextmanager
def file_size_limit(n_bytes: int) -> Iterator[None]:
    """Let every write behind this many bytes of a file fail, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def replace_with(folder: Path, value: float) -> None:
    with writer_of(folder) as writer:
        append(writer, value)
        writer.publish(index_hash="abc", replace=True)


def replace_on_full_disk(folder: Path, n_examples: int) -> None:
    with writer_of(folder) as writer, file_size_limit(1000):
        append(writer, 2.0, n_examples)
        writer.publish(index_hash="abc", replace=True)


@pytest.mark.parametrize("n_examples", [10_000, 40])  # too much for append, and for publish
def test_a_full_disk_leaves_the_old_store_as_it_was(tmp_path: Path, n_examples: int) -> None:
    build(tmp_path / "store")
    with pytest.raises(CorpusError, match=r"the feature store cannot be written: .*File too large"):
        replace_on_full_disk(tmp_path / "store", n_examples)
    assert (open_store(tmp_path / "store").predictors("item") == 1.0).all()
    assert visible(tmp_path) == ["store"]


@pytest.mark.parametrize(("call", "name"), [("mkdir", ".tmp"), ("rename", "store")])
def test_a_disk_that_is_full_of_folders_or_names_leaves_the_old_store_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, name: str
) -> None:
    build(tmp_path / "store")
    original, failed = getattr(Path, call), []

    def full(path: Path, *arguments: object, **options: object) -> object:
        target = arguments[0].name if arguments and isinstance(arguments[0], Path) else path.name
        if not failed and target.endswith(name) and path.suffix == ".tmp":
            failed.append(path)
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(path, *arguments, **options)

    monkeypatch.setattr(Path, call, full)
    with pytest.raises(CorpusError, match="the feature store cannot be written: No space left"):
        replace_with(tmp_path / "store", 2.0)

    assert failed
    assert (open_store(tmp_path / "store").predictors("item") == 1.0).all()
    assert visible(tmp_path) == ["store"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CorpusError, match=r"features/store: the feature store cannot be written: Not a dir"):
        writer_of(tmp_path / "file" / "features" / "store").__enter__()


def test_an_empty_store_is_not_published(tmp_path: Path) -> None:
    with writer_of(tmp_path / "store") as writer, pytest.raises(CorpusError, match=r"at least one\."):
        writer.publish(index_hash="abc")
    assert visible(tmp_path) == []


@pytest.mark.parametrize(
    ("predictors", "targets", "n_examples"),
    [
        (np.zeros((2, 5)), [0, 0], 2),
        (np.zeros((2, 4)), [0], 2),
        (np.zeros((2, 4)), [0, 0], 3),
        (np.zeros((2, 4)), [[0], [0]], 2),
        (np.zeros((0, 4)), [], 0),
        (np.zeros(4), [0, 0, 0, 0], 4),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, predictors: np.ndarray, targets: list[int], n_examples: int) -> None:
    with writer_of(tmp_path / "store") as writer:
        append(writer)
        with pytest.raises(CorpusError, match=r"Item 'other': received predictors of shape .* expected"):
            writer.append("other", predictors, targets, [Example("c", 0.0, 1.0)] * n_examples)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused(tmp_path: Path, value: float) -> None:
    with (
        writer_of(tmp_path / "store") as writer,
        pytest.raises(CorpusError, match=r"Item 'item', clip 'c': .* NaN or infinite"),
    ):
        append(writer, value)


def test_appending_keeps_headers_right_for_any_number(tmp_path: Path) -> None:
    with writer_of(tmp_path / "store") as writer:
        for n_examples in (1, 9, 90, 900, 9001):
            append(writer, float(n_examples), n_examples)
        writer.publish(index_hash="abc")
    stored = open_store(tmp_path / "store").predictors("item")
    assert stored.shape == (10001, 4)
    rows = {0: 1, 1: 9, 9: 9, 10: 90, 99: 90, 100: 900, 999: 900, 1000: 9001, 10000: 9001}
    assert {row: float(stored[row, 0]) for row in rows} == rows
