"""Tables are read where the bytes of their files, and their rows, are those of a table."""

import os
from pathlib import Path

import pandas as pd
import pytest

from preprocessing.clips.augmented_copies import COPIES_NAME, add_copies
from xval.base.errors import CorpusError
from xval.base.operating_system import IrregularFileError
from xval.base.table_bounds import LARGEST_TABLE_BYTES, open_table, refuse_large


def test_a_table_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"path,item\n")
    with open_table(tmp_path / "t.csv") as file:
        assert file.read() == b"path,item\n"
    os.truncate(tmp_path / "t.csv", LARGEST_TABLE_BYTES + 1)

    with pytest.raises(IrregularFileError, match="larger than 1073741824 bytes") as refusal:
        open_table(tmp_path / "t.csv")
    assert refusal.value.filename == str(tmp_path / "t.csv")


def test_rows_are_bounded(tmp_path: Path) -> None:
    refuse_large(tmp_path, n_rows=1000, most_rows=1000)
    with pytest.raises(IrregularFileError, match="it has 1001 rows, but at most 1000 are read"):
        refuse_large(tmp_path, n_rows=1001, most_rows=1000)


def test_the_free_memory_is_asked_for_large_tables_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xval.base.table_bounds.free_memory_bytes", lambda: 10**9)

    refuse_large(tmp_path, n_rows=10**8, n_bytes=10**9)
    with pytest.raises(IrregularFileError, match=r"takes about 2\.0 GB of memory, and 1\.0 GB are free\. Remove rows"):
        refuse_large(tmp_path, n_bytes=2 * 10**9)
    monkeypatch.setattr("xval.base.table_bounds.free_memory_bytes", lambda: 0)
    refuse_large(tmp_path, n_bytes=10**8)


def test_a_list_that_this_project_writes_has_the_same_bounds(tmp_path: Path) -> None:
    (tmp_path / COPIES_NAME).touch()
    os.truncate(tmp_path / COPIES_NAME, LARGEST_TABLE_BYTES + 1)

    with pytest.raises(CorpusError, match=r"augmented\.csv: .*larger than 1073741824 bytes"):
        add_copies(pd.DataFrame({"path": ["a.wav"], "item": ["s"], "label": ["x"]}), tmp_path)
