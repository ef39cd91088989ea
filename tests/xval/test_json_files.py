"""JSON files of results; what others may have put in their place: test_malicious_descriptions.py."""

import json
import os

import pytest

from xval.json_files import read_json, write_atomically, write_json


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
