"""JSON files of results; what others may have put in their place: test_malicious_descriptions.py."""

import json
import os
import signal
import stat
import subprocess
import sys
import threading
from contextlib import nullcontext

import numpy as np
import pytest

from xval.base import json_files
from xval.base.errors import ResultsError
from xval.base.json_files import (
    flush_all,
    json_text,
    naming,
    part_path,
    read_json,
    remove_stale_parts,
    write_atomically,
    write_if_changed,
    write_json,
)  # fmt: skip


def test_numbers_that_json_lacks_become_null(tmp_path):
    write_json(tmp_path / "x.json", {"a": float("nan"), "b": [1.5, float("inf")], 3: ("c",)})

    assert json.loads((tmp_path / "x.json").read_text()) == {"a": None, "b": [1.5, None], "3": ["c"]}


def test_a_failed_write_leaves_what_stood_there(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"{}")

    assert read_json(path) == {"a": 1}
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["x.json"]


def test_a_folder_that_the_disk_refuses_to_write_names_the_file(tmp_path, monkeypatch):
    path, whole = tmp_path / "x.json", os.fsync

    def full_for_folders(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(28, "No space left on device")
        whole(descriptor)

    monkeypatch.setattr(os, "fsync", full_for_folders)
    with pytest.raises(OSError, match="No space left") as refused:
        write_atomically(path, b"{}")

    assert refused.value.filename == str(path)


@pytest.mark.parametrize("refusal", [OSError(28, "No space left on device"), OSError("8 requested and 0 written")])
def test_what_the_disk_refuses_names_the_file_also_where_numpy_says_it(tmp_path, refusal):
    with pytest.raises(OSError, match=r"requested|No space") as refused, naming(tmp_path / "seen_audio.npy"):
        raise refusal

    assert refused.value.filename == str(tmp_path / "seen_audio.npy")


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"a": {}, "b": [], "c": [[], {}], "d": [[1, 2], {"e": None}]},
        {"text": '\u00e9 "quoted" \n \U0001f600', "true": True, "number": -3, "large": 10**20, "small": 1e-300, "half": 0.1},
        {1: "key", 2.5: "half", "list": ["a", False, 2.5, (3, 4)]},
    ],
)
def test_the_text_is_that_of_the_json_module(content):
    plain = {str(key): value for key, value in content.items()}

    assert json_text(content) == json.dumps(plain, indent=1)


def test_numbers_of_numpy_are_numbers():
    assert json.loads(json_text({"a": np.float64(0.1), "b": np.float64("nan"), "c": [np.float64(2)]})) == {
        "a": 0.1, "b": None, "c": [2.0],
    }  # fmt: skip


def test_what_stands_there_already_is_not_written_again(tmp_path):
    path = tmp_path / "x.json"
    write_if_changed(path, {"a": 1})
    os.utime(path, ns=(0, 0))

    write_if_changed(path, {"a": 1})
    assert path.stat().st_mtime_ns == 0
    write_if_changed(path, {"a": 2})
    assert (path.stat().st_mtime_ns > 0, read_json(path)) == (True, {"a": 2})


def test_a_damaged_file_is_written_again(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{"a": 1')

    write_if_changed(path, {"a": 1})

    assert read_json(path) == {"a": 1}


def test_a_flush_that_fails_is_an_error(tmp_path):
    (tmp_path / "x").touch()

    with pytest.raises(FileNotFoundError):
        flush_all([tmp_path / "x", tmp_path / "gone", tmp_path])


KILLED = """
import os, signal, sys
from pathlib import Path
from xval.base.json_files import write_json
Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
write_json(Path(sys.argv[1]), {})
"""


def test_what_a_killed_writer_leaves_is_removed_and_what_is_being_written_stays(tmp_path):
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "x.json")], check=False)
    assert ended.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    own, other = part_path(tmp_path / "x.json"), tmp_path / ".y.json.part"
    own.touch()
    other.touch()

    remove_stale_parts(tmp_path, "y.json")
    assert left.exists()
    remove_stale_parts(tmp_path, "x.json")

    assert sorted(tmp_path.iterdir()) == sorted([own, other])


def test_a_writer_whose_process_id_another_one_has_by_now_is_dead(tmp_path):
    own = part_path(tmp_path / "x.json")
    started = own.name.split("-")[2].partition(".")[0]
    earlier = own.with_name(own.name.replace(f"-{started}.", "-1."))
    earlier.touch()

    remove_stale_parts(tmp_path)

    assert int(started) > 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("age_s", "stays"), [(60, True), (7200, False)])
def test_what_another_machine_writes_stays_for_an_hour(tmp_path, age_s, stays):
    path = tmp_path / ".x.json.elsewhere_1-1-1.0123abcd.part"
    path.touch()
    then = path.stat().st_mtime - age_s
    os.utime(path, (then, then))

    remove_stale_parts(tmp_path)

    assert path.exists() == stays


def test_folders_are_removed_where_that_is_wanted(tmp_path):
    folder = tmp_path / f".{part_path(tmp_path / 'fold_1').name[1:].replace(f'-{os.getpid()}-', '-999999999-')}"
    (folder / "below").mkdir(parents=True)

    remove_stale_parts(tmp_path, folders=False)
    assert folder.exists()
    remove_stale_parts(tmp_path)
    assert not folder.exists()
    remove_stale_parts(tmp_path / "nowhere")


def test_a_folder_in_place_of_a_file_is_refused_by_name(tmp_path):
    (tmp_path / "settings.json").mkdir()

    with pytest.raises(ResultsError, match=r"settings\.json: not a regular file"):
        read_json(tmp_path / "settings.json")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_pipe_in_place_of_a_file_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "record.json")
    with pytest.raises(ResultsError, match=r"record\.json: not a regular file"):
        read_json(tmp_path / "record.json")

    (tmp_path / "zeros.json").symlink_to("/dev/zero")
    with pytest.raises(ResultsError, match=r"zeros\.json: not a regular file"):
        read_json(tmp_path / "zeros.json")


def test_half_a_character_is_refused_where_it_is_read(tmp_path):
    path = tmp_path / "folds.json"
    path.write_text('{"items": ["\\ud83d\\ude00"]}')
    assert read_json(path) == {"items": ["\U0001f600"]}
    path.write_text('{"items": ["\\ud800"]}')

    with pytest.raises(ResultsError, match=r"folds\.json: not readable as JSON .*surrogates not allowed"):
        read_json(path)


@pytest.mark.parametrize("is_first", [True, False])
def test_of_two_writers_that_begin_at_once_one_writes(tmp_path, monkeypatch, is_first):
    """The other one, a folder that this process has made too, gives up soon."""
    mine, other = json_files.part_path(tmp_path / "n"), json_files.part_path(tmp_path / "n")
    mine, other = sorted([mine, other], reverse=not is_first)
    other.mkdir()
    monkeypatch.setattr(json_files, "part_path", lambda _: mine)
    threading.Timer(0.1, other.rmdir).start()

    with (
        nullcontext() if is_first else pytest.raises(ResultsError, match="another process"),
        json_files.only_writer(tmp_path / "n", "--output"),
    ):
        assert not other.exists()
