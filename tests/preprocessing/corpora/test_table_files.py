"""Tables from anywhere are read, or refused in one line that names the file."""

import random
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from preprocessing.corpora._tables import read_table
from preprocessing.corpora.table import list_clips, read_clips
from xval.base.errors import CorpusError

CLIPS = pd.DataFrame(
    {
        "path": [f"a{number}.wav" for number in range(40)],
        "item": [f"s{number % 5}" for number in range(40)],
        "label": ["x", "y"] * 20,
        "age": [number / 3 for number in range(40)],
        "day": pd.date_range("2020-01-01", periods=40),
    }
)
WRITERS = {".csv": CLIPS.to_csv, ".xlsx": CLIPS.to_excel, ".parquet": CLIPS.to_parquet}


def written(folder: Path, suffix: str) -> Path:
    path = folder / f"clips{suffix}"
    WRITERS[suffix](path, index=False)
    return path


def read(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    return read_table(path, "path, item, label", needed={"path", "item", "label"}.__contains__)


def assert_read_or_refused(path: Path) -> bool:
    """Return whether a file is refused; anything but a table or one line fails."""
    try:
        header, lines = read(path)
    except CorpusError as refusal:
        text = str(refusal)
        assert text.startswith(str(path))
        assert "\n" not in text
        assert len(text) < 500
        return True
    assert len(header) >= 1
    assert all(isinstance(cell, str) for _, cells in lines for cell in cells)
    return False


@pytest.mark.filterwarnings("ignore::UserWarning")  # of openpyxl, of what it leaves out
@pytest.mark.parametrize("suffix", WRITERS)
def test_a_table_with_a_changed_byte_or_cut_short_is_read_or_refused_in_one_line(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path, suffix)
    content, random_numbers = path.read_bytes(), random.Random(suffix)
    assert len(read(path)[1]) == len(CLIPS)

    n_refused = 0
    for number in range(90):
        damaged, place = bytearray(content), random_numbers.randrange(len(content))
        damaged[place] ^= 1 << random_numbers.randrange(8)
        path.write_bytes(damaged if number % 3 else content[:place])
        n_refused += assert_read_or_refused(path)

    assert n_refused > 3


def test_columns_that_nobody_asked_for_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "clips.parquet"
    beyond = pa.array([2**62, None], pa.timestamp("us"))
    rows = {"path": ["a.wav", "b.wav"], "item": ["s", "t"], "label": ["x", "y"], "day": beyond, "bytes": [b"RIFF", b""]}
    parquet.write_table(pa.table({**rows, "date": pa.array([2**31 - 1, 0], pa.date32()), "vector": [[0.5], []]}), path)

    needed = {"path", "item", "label"}.__contains__
    header, lines = read_table(path, "path", needed=needed, others=False)
    assert header == ["path", "item", "label", "day", "bytes", "date", "vector"]
    assert lines[0] == (2, ["a.wav", "s", "x", "", "", "", ""])
    with pytest.raises(CorpusError, match=r"is not a parquet file: .*out of range"):  # further columns are read
        list_clips(tmp_path, table=path)
    assert read_clips(path, tmp_path, "classification")["day"].isna().all()


def test_a_needed_column_of_lists_is_refused_by_its_type(tmp_path: Path) -> None:
    path = tmp_path / "clips.parquet"
    parquet.write_table(pa.table({"path": ["a.wav"], "item": ["s"], "label": [[0.5, 1.0]]}), path)

    with pytest.raises(CorpusError, match=r"the column 'label' holds list<.*>; expected texts, numbers or times"):
        list_clips(tmp_path, table=path)


def test_times_within_the_calendar_stay_times(tmp_path: Path) -> None:
    path = tmp_path / "clips.parquet"
    parquet.write_table(pa.table({"path": ["a.wav"], "day": [datetime(2020, 1, 2, tzinfo=UTC)]}), path)

    assert read_table(path, "path")[1] == [(2, ["a.wav", "2020-01-02 00:00:00+00:00"])]


@pytest.mark.parametrize("dictionary", [["x", "y"], pa.array([2**50, 0], pa.timestamp("us"))])
def test_a_column_that_holds_each_value_once_has_the_cells_of_a_plain_one(
    tmp_path: Path, dictionary: "list[str] | pa.Array"
) -> None:
    path = tmp_path / "clips.parquet"
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 0], pa.int8()), dictionary)
    parquet.write_table(pa.table({"path": list("abcd"), "label": column}), path)
    kept = read_table(path, "path")[1]
    parquet.write_table(pa.table({"path": list("abcd"), "label": column.dictionary_decode()}), path)

    assert kept == read_table(path, "path")[1]
