"""Files are read where their bytes, their rows, and what they unpack to are within limits."""

import os
from pathlib import Path

import pandas as pd
import pytest

from preprocessing.clips.augmented_copies import COPIES_NAME, add_copies
from preprocessing.clips.parquet_files import read_table
from xval.base.csv_text import read_csv
from xval.base.errors import CorpusError
from xval.base.size_limits import LARGEST_TABLE_BYTES, IrregularFileError, check_rows, check_unpacked


def test_a_table_of_too_many_bytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"path,item\na.wav,'=x\n")
    assert read_csv(path).to_dict("list") == {"path": ["a.wav"], "item": ["=x"]}
    os.truncate(path, LARGEST_TABLE_BYTES + 1)

    with pytest.raises(IrregularFileError, match="larger than 1073741824 bytes") as refusal:
        read_csv(path)
    assert refusal.value.filename == str(path)


def test_rows_are_bounded(tmp_path: Path) -> None:
    check_rows(tmp_path, 1000, 1000)
    with pytest.raises(IrregularFileError, match=r"it has 1001 rows, but at most 1000 are read\. Split it"):
        check_rows(tmp_path, 1001, 1000)


def test_rows_of_a_parquet_file_are_bounded(tmp_path: Path) -> None:
    pd.DataFrame({"row": range(11)}).to_parquet(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet", most_rows=11).num_rows == 11

    with pytest.raises(IrregularFileError, match="it has 11 rows, but at most 10 are read"):
        read_table(tmp_path / "t.parquet", most_rows=10)


def test_an_archive_may_unpack_to_a_hundred_times_its_size_and_to_a_gigabyte(tmp_path: Path) -> None:
    check_unpacked(tmp_path, 1 << 30, 1)
    check_unpacked(tmp_path, 100 << 30, 1 << 30)
    with pytest.raises(IrregularFileError, match=r"it has 10\.0 MB but unpacks to 2\.0 GB; at most 100 times its size"):
        check_unpacked(tmp_path, 2 * 10**9, 10**7)


def test_a_list_that_this_project_writes_has_the_same_limits(tmp_path: Path) -> None:
    (tmp_path / COPIES_NAME).touch()
    os.truncate(tmp_path / COPIES_NAME, LARGEST_TABLE_BYTES + 1)

    with pytest.raises(CorpusError, match=r"augmented\.csv: .*larger than 1073741824 bytes"):
        add_copies(pd.DataFrame({"path": ["a.wav"], "item": ["s"], "label": ["x"]}), tmp_path)
