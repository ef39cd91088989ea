"""Parquet files that were cut or edited are refused with what is wrong with them."""

import os
import sys
from pathlib import Path

import pandas as pd
import pytest

from preprocessing.clips.parquet_files import column_names, read_frame, read_table, write_table

NEEDED = {"item": "text", "row": "whole number", "start_s": "number", "is_copy": "yes or no", "note": "text or nothing"}
ROWS = {"item": ["a", "b"], "row": [0, 1], "start_s": [0.5, None], "is_copy": [True, False], "note": [None, None]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    pd.DataFrame(ROWS).to_parquet(tmp_path / "rows.parquet", index=False)
    return tmp_path / "rows.parquet"


def test_a_table_that_has_what_is_needed_is_read(path: Path) -> None:
    assert read_frame(path, NEEDED)["start_s"].isna().tolist() == [False, True]
    assert read_table(path, {"item": "text"}, columns=["row", "gone"]).column_names == ["row", "item"]
    assert column_names(path) == list(ROWS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop(columns="row"), "no columns 'row'"),
        (lambda table: table.rename(columns={"item": "=x"}), "no columns 'item'"),
        (lambda table: table.assign(row=["0x", "1x"]), r"'row' has.*string; expected whole number"),
        (lambda table: table.assign(row=[0.5, 1]), "'row' has double; expected whole number"),
        (lambda table: table.assign(item=None), "'item' has null; expected text"),
        (lambda table: table.assign(item=["a", None]), "'item' has 1 empty cells"),
        (lambda table: table.assign(start_s=None), "'start_s' has null; expected number"),
        (lambda table: table.assign(is_copy=[1, 0]), "'is_copy' has int64; expected yes or no"),
    ],
)
def test_a_changed_column_is_named(path: Path, change, message: str) -> None:
    change(pd.DataFrame(ROWS)).to_parquet(path, index=False)

    with pytest.raises(ValueError, match=message):
        read_frame(path, NEEDED)


@pytest.mark.parametrize("content", [b"", b"PAR1" * 20, b"\xff" * 5000])
def test_what_is_no_parquet_file_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)

    with pytest.raises(ValueError, match=r"."):
        read_table(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_pipe_is_not_waited_for_and_an_enormous_file_is_not_read(path: Path) -> None:
    os.truncate(path, 3 << 30)  # a hole
    with pytest.raises(ValueError, match="magic bytes"):
        read_table(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OSError, match="not a regular file"):
        column_names(path)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_path_that_is_no_utf8_is_written_and_read(tmp_path: Path) -> None:
    """As any path beyond ASCII is, where Python takes the names of files for ASCII."""
    path = tmp_path / os.fsdecode(b"a\xff.parquet")

    write_table(path, pd.DataFrame(ROWS))

    assert read_frame(path, NEEDED)["item"].tolist() == ["a", "b"]
