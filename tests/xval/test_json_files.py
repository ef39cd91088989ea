"""JSON files of results; what others may have put in their place: test_malicious_descriptions.py."""

import json
import os

import numpy as np
import pytest

from xval.json_files import flush_all, json_text, read_json, write_atomically, write_if_changed, write_json


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


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"a": {}, "b": [], "c": [[], {}], "d": [[1, 2], {"e": None}]},
        {"text": '\u00e9 "quoted" \n \U0001f600', "true": True, "number": -3, "large": 10**20, "small": 1e-300, "half": 0.1},
        {1: "key", None: "none", "list": ["a", False, 2.5, (3, 4)]},
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


def test_a_flush_that_fails_is_an_error(tmp_path):
    (tmp_path / "x").touch()

    with pytest.raises(FileNotFoundError):
        flush_all([tmp_path / "x", tmp_path / "gone", tmp_path])
