"""Texts of lines are opened where their lines, columns and sizes are those of a table."""

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from preprocessing.clips.augmented_copies import COPIES_NAME, add_copies
from xval.base.errors import CorpusError
from xval.base.operating_system import IrregularFileError
from xval.base.table_bounds import LARGEST_TABLE_BYTES, LONGEST_LINE_BYTES, MOST_COLUMNS, open_table, refuse_large


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"path,item\n",
        b"path;item\r" * 3,
        b"path," + LONGEST_LINE_BYTES // 2 * b"a" + b"\nb,c\n" + LONGEST_LINE_BYTES // 2 * b"a" + b",b\n",
        (MOST_COLUMNS - 1) * b"\t" + b"\n",
    ],
    ids=["empty", "header", "carriage returns", "long lines", "many columns"],
)
def test_a_table_is_opened_at_its_beginning(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.csv").write_bytes(content)

    with open_table(tmp_path / "t.csv") as file:
        assert file.read() == content


def lengthen(path: Path) -> None:
    os.truncate(path, LARGEST_TABLE_BYTES + 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lengthen, "larger than 1073741824 bytes"),
        (lambda path: os.truncate(path, LARGEST_TABLE_BYTES), "a line of it is longer than 4194304 bytes"),
        (lambda path: path.write_bytes(b"a\n" + 2 * LONGEST_LINE_BYTES * b","), "a line of it is longer"),
        (lambda path: path.write_bytes(MOST_COLUMNS * b";" + b"\n"), "16385 columns, at most 16384"),
        (
            lambda path: path.write_bytes(2000 * b"," + b"\n" + 100_000 * b"\r"),
            "100000 rows of 2001 columns, at most 200000000",
        ),
        (lambda path: path.write_bytes(1001 * b"\n"), "it has 1001 rows, at most 1000 are read"),
    ],
)
def test_what_is_no_table_is_refused_by_its_form(tmp_path: Path, change: Callable[[Path], None], message: str) -> None:
    path = tmp_path / "t.csv"
    path.touch()
    change(path)

    with pytest.raises(IrregularFileError, match=message) as refusal:
        open_table(path, most_rows=1000 if "1001" in message else 10**8)
    assert refusal.value.filename == str(path)


def test_the_free_memory_is_asked_for_large_tables_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xval.base.table_bounds.free_memory_bytes", lambda: 10**9)

    refuse_large(tmp_path, n_rows=10**8, n_bytes=10**9)
    with pytest.raises(IrregularFileError, match=r"takes about 2\.0 GB of memory, and 1\.0 GB are free; leave out rows"):
        refuse_large(tmp_path, n_bytes=2 * 10**9)
    monkeypatch.setattr("xval.base.table_bounds.free_memory_bytes", lambda: 0)
    refuse_large(tmp_path, n_bytes=10**8)


def test_a_list_that_this_project_writes_has_the_same_bounds(tmp_path: Path) -> None:
    (tmp_path / COPIES_NAME).touch()
    os.truncate(tmp_path / COPIES_NAME, LARGEST_TABLE_BYTES)

    with pytest.raises(CorpusError, match=r"augmented\.csv: .*a line of it is longer than 4194304 bytes"):
        add_copies(pd.DataFrame({"path": ["a.wav"], "item": ["s"], "label": ["x"]}), tmp_path)
